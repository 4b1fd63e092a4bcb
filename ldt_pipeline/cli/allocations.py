"""`ldt allocations`: who has how many places, and the commands that change it.

What belongs here: the listing, and the group that holds `export`, `plan` and `apply` beside it.
What doesn't: those commands (`allocations_plan.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldt_pipeline.cli.allocations_plan import apply, export, plan
from ldt_pipeline.cli.command import Command
from ldt_pipeline.cli.lists import FORMAT, OUT


class _ListingGroup(Command, click.Group):
    """A command with an argument of its own that also has subcommands: `ldt allocations plan`.

    What comes first decides: the name of a subcommand, or else it is the listing's.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave everything after a subcommand's name to the subcommand."""
        is_listing = not args or args[0] not in self.commands
        click.Command.parse_args(self, ctx, args if is_listing else [])
        ctx.args = [] if is_listing else args
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the listing or the subcommand."""
        if not ctx.args:
            return super().invoke(ctx)
        name, *rest = ctx.args
        with ctx, self.commands[name].make_context(name, rest, parent=ctx) as inner:
            return inner.command.invoke(inner)


@click.group(
    "allocations",
    cls=_ListingGroup,
    invoke_without_command=True,
    subcommand_metavar="| COMMAND [ARGS]...",
    short_help="Print partner allocations, or change them by plan and apply.",
    examples=(
        "ldt allocations",
        "ldt allocations 2365756 --format csv --out allocations.csv",
        "ldt allocations export 2365756 --out allocations.yaml",
        "ldt allocations plan allocations.yaml --out plan.json",
        "ldt allocations apply plan.json",
    ),
    failures="no such event, or nothing is published yet",
)
@click.argument("event_id", required=False)
@FORMAT
@OUT
def allocations(event_id: str | None, to_format: str, out: Path | None) -> None:
    """Print or export who got how many reserved places, and how many of them are claimed.

    Of one event, or of all. It reads the published file alone: no key is needed, and it works
    while a sync runs. The commands below read and change the account itself.
    """
    from ldt_pipeline.cli.exports import write  # noqa: PLC0415
    from ldt_pipeline.cli.published import open_published, read_allocations  # noqa: PLC0415
    from ldt_pipeline.settings import load_settings  # noqa: PLC0415

    with open_published(load_settings().published_path) as connection:
        rows = read_allocations(connection, event_id)
    write(rows, to_format=to_format, out=out)


for _command in (export, plan, apply):
    allocations.add_command(_command)
