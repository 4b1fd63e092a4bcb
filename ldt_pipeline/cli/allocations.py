"""`ldt allocations`: who has how many places, and the commands that change it.

What belongs here: the listing, and the group that holds `export`, `plan` and `apply` beside it.
What doesn't: those commands (`allocations_plan.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ldt_pipeline.cli.allocations_plan import apply, export, plan
from ldt_pipeline.cli.command import Command
from ldt_pipeline.cli.lists import FORMAT, OUT, format_for


class _ListingGroup(Command, click.Group):
    """A command with an argument of its own that also has subcommands: `ldt allocations plan`.

    What comes first decides: the name of a subcommand, or else it is the listing's.
    """

    # Groups stop at the first argument, as options behind it are usually a subcommand's.
    allow_interspersed_args = True

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give the listing's, and none for a subcommand's usage: no event stands before its name."""
        return super().get_params(ctx) if ctx.command is self else []

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave everything after a subcommand's name to the subcommand."""
        is_listing = not args or args[0] not in self.commands
        click.Command.parse_args(self, ctx, args if is_listing else [])
        if is_listing and ctx.args:
            ctx.fail(
                f"Got unexpected extra argument ({' '.join(ctx.args)}): "
                f"{', '.join(self.commands)} stand right behind `ldt allocations`."
            )
        ctx.args = [] if is_listing else args
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the listing or the subcommand."""
        if not ctx.args:
            return super().invoke(ctx)
        name, *rest = ctx.args
        with ctx, self.commands[name].make_context(name, rest, parent=ctx) as inner:
            return inner.command.invoke(inner)


def share_of(text: str) -> float:
    """Read `50%` or `0.5`.

    Raises:
        ValueError: It is neither: `50` may well mean 50%, and as a share it would be all there is.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    if found is None or (not found[2] and float(found[1]) > 1):
        raise ValueError(text)
    return float(found[1]) / (100 if found[2] else 1)


def days_of(text: str) -> int:
    """Read `30d`, `2w` or `30`, as days.

    Raises:
        ValueError: It is none of them.
    """
    found = re.fullmatch(r"(\d{1,6})([dw]?)", text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * (7 if found[2] == "w" else 1)


def _read_by(read: Callable[[str], Any], complaint: str) -> Callable[..., Any]:
    """Give an option's callback that reads its text, or says what is allowed."""

    def callback(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else read(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} {complaint}.") from None

    return callback


@click.group(
    "allocations",
    cls=_ListingGroup,
    invoke_without_command=True,
    subcommand_metavar="| COMMAND [ARGS]...",
    short_help="Print partner allocations, or change them by plan and apply.",
    examples=(
        "ldt allocations",
        "ldt allocations 2365756 --format csv --out allocations.csv",
        "ldt allocations --pace --format xlsx --out allocations.xlsx",
        "ldt allocations --pace --below 50% --race-within 30d --sort days_to_race",
        "ldt allocations export 2365756 --out allocations.yaml",
        "ldt allocations plan allocations.yaml --out plan.json",
        "ldt allocations apply plan.json",
    ),
    failures="no such event, or nothing is published yet",
)
@click.argument("event_id", required=False)
@click.option(
    "--below",
    callback=_read_by(share_of, "is no share: write 50% or 0.5"),
    metavar="SHARE",
    help="Only groups of which less than this is claimed, such as 50%.",
)
@click.option(
    "--race-within",
    callback=_read_by(days_of, "is no number of days: write 30d or 2w"),
    metavar="DAYS",
    help="Only events with a race so soon, such as 30d.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column, such as utilisation; with a minus in front, the greatest first.",
)
@click.option(
    "--pace",
    is_flag=True,
    help="Add claims in the last 7 days, when the group will be full, and days to the race.",
)
@FORMAT
@OUT
def allocations(
    event_id: str | None,
    to_format: str | None,
    out: Path | None,
    **wish: Any,
) -> None:
    """Print or export who got how many reserved places, and how many of them are claimed.

    Of one event, or of all. It reads the published file alone: no key is needed, and it works
    while a sync runs. The commands below read and change the account itself.
    """
    from ldt_pipeline.cli.allocation_lists import Wish, read_listed
    from ldt_pipeline.cli.exports import write
    from ldt_pipeline.cli.published import open_published
    from ldt_pipeline.settings import load_settings

    to_format = format_for(to_format, out)
    with open_published(load_settings().published_path) as connection:
        rows = read_listed(connection, Wish(event_id=event_id, **wish))
    write(rows, to_format=to_format, out=out)


for _command in (export, plan, apply):
    allocations.add_command(_command)
