"""The command line: `ldt`.

What belongs in this package: arguments, what is shown, and turning errors into one sentence, with
a module for each command. What doesn't: doing the work (`runner.py` and the core).

`main` imports nothing heavy: `ldt --help` is for people who wait. Commands import what they need
when they run.
"""

from __future__ import annotations

try:
    import atexit
    import gc
    from typing import Any

    import click

    from ldt_pipeline.cli.alerts import alerts
    from ldt_pipeline.cli.allocations import allocations
    from ldt_pipeline.cli.check import check
    from ldt_pipeline.cli.command import (
        VERBOSE,
        explaining,
        open_closed_streams,
        prepare_streams,
    )
    from ldt_pipeline.cli.compact import compact
    from ldt_pipeline.cli.demo import demo
    from ldt_pipeline.cli.erase import erase
    from ldt_pipeline.cli.lists import start_list
    from ldt_pipeline.cli.lookups import application, participant, partner, reserved_entry
    from ldt_pipeline.cli.rebuild import rebuild
    from ldt_pipeline.cli.sandbox import sandbox
    from ldt_pipeline.cli.sync import sync
    from ldt_pipeline.private_files import keep_private
except KeyboardInterrupt:
    # It takes half a second, in which people see that they mistyped something: too early for `explaining`.
    raise SystemExit(130) from None

__all__ = ["main"]


COLLECTIONS = (100_000, 50, 100)
"""When Python looks for cycles. Dagster's modules are a quarter of a million objects, none of them garbage:
looking through them every so often was a tenth of the processor time of a first sync."""


class _CommandsInOrder(click.Group):
    """Lists commands in the order in which people meet them, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read what was typed; `--help` and `--version` print here."""
        open_closed_streams()
        with explaining(verbose=False):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, which explains its own errors; Ctrl-C may come before it does."""
        with explaining(verbose=False):
            return super().invoke(ctx)


@click.group(
    cls=_CommandsInOrder,
    params=[VERBOSE],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ldt-pipeline", prog_name="ldt")
def main() -> None:
    """Start lists and partner allocations from the Let's Do This API.

    New here? `ldt demo` shows all of it on made-up people, without an account. With one: put
    LDT_API_KEY into the environment or into .env, then `ldt check`, then `ldt sync`.

    Exit status: 0 done; 1 failed, with the reason on stderr; 2 wrong usage.
    """
    keep_private()
    prepare_streams()
    gc.set_threshold(*COLLECTIONS)
    # Python looks through all of them once more when it ends, for half a second.
    atexit.register(gc.freeze)


_LOOK_UPS = (partner, reserved_entry, participant, application)

for _command in (
    *(demo, check, sync, start_list, allocations),
    *_LOOK_UPS,
    *(alerts, erase, rebuild, compact, sandbox),
):
    main.add_command(_command)
