"""`ldt start-list`: what people came for, printed or exported.

What belongs here: the command. What doesn't: reading (`published.py`) and writing
(`exports.py`). It needs neither key, network nor Dagster.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command
from ldt_pipeline.instants import with_zone

if TYPE_CHECKING:
    from ldt_pipeline.settings import Settings

_ENDINGS = ("csv", "xlsx", "json")

FORMAT = click.option(
    "--format",
    "to_format",
    type=click.Choice(["table", *_ENDINGS]),
    show_default="as the name of --out ends, or else table",
    help="A table for the terminal, or every column as CSV, Excel or JSON (UTF-8, instants in UTC). In "
    "Excel open xlsx: CSV is for programs, without the mark by which Excel gets accents right.",
)
OUT = click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file instead; it appears whole or not at all, readable by you alone.",
)


def format_for(asked: str | None, out: Path | None) -> str:
    """Give the format that was asked for, or that the file's name ends in.

    Raises:
        click.UsageError: It is one that a terminal can't show, and there is no file, or the file's
            name ends in one that isn't written: a table cut to a terminal's width is not meant.
    """
    if asked is None:
        ending = out.suffix.lower().removeprefix(".") if out is not None else ""
        if out is not None and ending not in {*_ENDINGS, "txt", ""}:
            raise click.UsageError(
                f"--out {out.name}: a list is written as .csv, .xlsx or .json, or as .txt, which is "
                "the terminal's table. Name the file so, or say what it holds with --format."
            )
        return ending if ending in _ENDINGS else "table"
    if asked == "xlsx" and out is None:
        raise click.UsageError("--format xlsx goes with --out: Excel opens a file.")
    return asked


_RECIPIENT = click.option(
    "--recipient",
    metavar="NAME",
    help="Who the export is for, such as a timing company: it goes into the ledger of exports, "
    "so that they can be told when somebody in it is erased.",
)


class Instant(click.ParamType[datetime]):
    """An instant as ISO 8601 has it; UTC where no zone is named."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the text.

        Raises:
            click.BadParameter: It is no instant.
        """
        try:
            return with_zone(datetime.fromisoformat(str(value))).astimezone(UTC)
        # In UTC it may be before the first year, or after the last.
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no instant: write it as 2026-11-01T09:00.", param, ctx)


@click.command(
    "start-list",
    cls=Command,
    short_help="Print or export one race's start list.",
    examples=(
        "ldt start-list 3517846101",
        "ldt start-list 3517846101 --format csv --out start-list.csv",
        "ldt start-list 3517846101 --format csv --out list.csv --recipient 'Chip Timing Ltd'",
        "ldt start-list 3517846101 --on 2027-05-09",
        "ldt start-list 3517846101 --preset race-result --out list.csv --recipient 'Chip Timing Ltd'",
        "ldt start-list 3517846101 --as-of 2026-11-01T09:00",
    ),
    failures="no such race, or nothing is published yet",
)
@click.argument("race_id")
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Only the start on this day (UTC): a race may come every year under the same id.",
)
@click.option(
    "--as-of",
    type=Instant(),
    metavar="INSTANT",
    help="The list as it stood then, such as 2026-11-01T09:00 (UTC where no zone is named).",
)
@click.option(
    "--preset",
    metavar="NAME",
    help="The layout of a file for another system, such as race-result: see docs/exports.md.",
)
@click.option(
    "--changes-since",
    type=click.Choice(["last"], case_sensitive=False),
    help="With --preset: only what changed since the last export of it to the same --recipient.",
)
@FORMAT
@OUT
@_RECIPIENT
def start_list(
    race_id: str,
    *,
    on: datetime | None,
    as_of: datetime | None,
    preset: str | None,
    changes_since: str | None,
    to_format: str | None,
    out: Path | None,
    recipient: str | None,
) -> None:
    """Print or export the start list of the race RACE_ID, by start, wave and bib.

    It reads the published file alone: no key is needed, and it works while a sync runs. A race
    that isn't known is answered with a list of those that are. In CSV a cell that a spreadsheet
    would take for a formula gets an apostrophe in front. Each file, and each list in CSV or JSON,
    is noted in the ledger of exports, by the ids of those in it.
    """
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    day = on.date() if on else None
    if preset is None:
        if changes_since:
            raise click.UsageError("--changes-since goes with --preset.")
        to_format = format_for(to_format, out)
        if recipient is not None and out is None and to_format == "table":
            raise click.UsageError(
                "--recipient goes with --out, or --format csv or json: a table is noted in no ledger."
            )
        _write(settings, race_id, day, as_of, to_format=to_format, out=out, recipient=recipient)
        return
    from ldt_pipeline.cli.preset_exports import export_preset

    if out is None or to_format is not None or as_of is not None:
        raise click.UsageError("--preset goes with --out, and without --format and --as-of.")
    if changes_since and not recipient:
        raise click.UsageError("--changes-since goes with --recipient: whose last export?")
    export_preset(
        settings,
        race_id,
        on=day,
        preset_name=preset,
        out=out,
        recipient=recipient,
        changes_only=changes_since is not None,
    )


def _write(
    settings: Settings,
    race_id: str,
    day: date | None,
    as_of: datetime | None,
    *,
    to_format: str,
    out: Path | None,
    recipient: str | None,
) -> None:
    """Write a list in a format of our own, and say who is missing on it."""
    from ldt_pipeline.cli.exports import (
        enter_into_ledger,
        mark_in_place,
        require_nobody_erased,
        warn_of_undated,
        write,
    )
    from ldt_pipeline.cli.published import (
        count_undated,
        open_published,
        read_start_list,
        read_start_list_as_of,
        start_days,
    )
    from ldt_pipeline.erasing.meanwhile import Reading

    reading = Reading.begin(settings)
    with open_published(settings.published_path) as connection:
        # What comes first says what the file lacks.
        if as_of is None:
            rows, without_day = read_start_list(connection, race_id, day), 0
        else:
            rows, without_day = read_start_list_as_of(connection, race_id, as_of, day)
        days = start_days(connection, race_id)
        if as_of is None and day is not None and days != [day]:
            without_day = count_undated(connection, race_id)
    export_id = None
    if out is not None or to_format != "table":
        export_id = enter_into_ledger(
            rows, settings.ledger_dir, recipient=recipient, out=out, about={"race_id": race_id}
        )
    write(rows, to_format=to_format, out=out)
    if export_id is not None and out is not None:
        require_nobody_erased(rows, out, reading)
        mark_in_place(settings.ledger_dir, export_id)
    if without_day:
        warn_of_undated(without_day)
    if len(days) > 1 and day is None:
        listed = ", ".join(map(str, days))
        click.echo(f"These are {len(days)} starts ({listed}): choose one with --on.", err=True)
