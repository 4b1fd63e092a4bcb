"""Rows as CSV, JSON or a table for the terminal, on stdout or in a file.

What belongs here: the formats, and that a file appears whole or not at all. What doesn't: which
rows (`published.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.published import Rows
from ldt_pipeline.cli.text import clean, counted, escape_unprintable, terminal_width, text_table
from ldt_pipeline.instants import format_instant
from ldt_pipeline.plain_text import defuse

if TYPE_CHECKING:
    from ldt_pipeline.erasing.meanwhile import Reading

_ROWS_AT_ONCE = 2_000

_USEFUL = {
    "start_list": (
        *("bib_number", "first_name", "last_name", "wave", "age_on_race_day", "gender", "club"),
        *("ticket_title", "entry_route", "partner_name", "participant_id", "email", "phone"),
    ),
    "partner_allocations": (
        *("partner_name", "reserved_entry_group_name", "max_capacity", "used_capacity"),
        *("utilisation", "event_name", "remaining_capacity", "capacity_agrees", "partner_type"),
        *("group_type", "reserved_entry_group_id", "last_claimed_at"),
    ),
    "allocation_pace": (
        *("partner_name", "reserved_entry_group_name", "claims_last_7_days", "days_to_race"),
        *("remaining_capacity", "projected_full_on", "utilisation", "event_name", "max_capacity"),
        *("used_capacity", "partner_type", "reserved_entry_group_id", "last_claimed_at"),
    ),
}
_SHOWN_AS_PERCENTAGE = "utilisation"


def write(rows: Rows, *, to_format: str, out: Path | None) -> None:
    """Write rows in a format, to a file or to stdout.

    Raises:
        CommandError: The file can't be written.
    """
    if out is not None:
        _write_file(rows, to_format, out)
        return
    if to_format == "table":
        for line in table_lines(rows, width=terminal_width()):
            click.echo(line)
        return
    # Bytes, as both formats are UTF-8 with line ends of their own, whatever the terminal says.
    stream = sys.stdout.buffer
    for text in pieces(rows, to_format):
        stream.write(text.encode())
    stream.flush()


def enter_into_ledger(
    rows: Rows,
    ledger_dir: Path,
    *,
    recipient: str | None,
    out: Path | None,
    about: dict[str, str],
) -> str:
    """Enter an export of people into the ledger, before it is handed out; gives its id.

    Raises:
        CommandError: The ledger can't be written: the export isn't made then.
    """
    from ldt_pipeline.erasing import ledger

    at = rows.columns.index("participant_id")
    file = str(out.expanduser().absolute()) if out is not None else "standard output"
    try:
        return ledger.enter(
            ledger_dir,
            table=rows.table_name,
            ids=[row[at] for row in rows.rows],
            recipient=recipient,
            file=file,
            about=about,
        )
    except OSError as error:
        raise CommandError(
            f"Nothing was exported, as the ledger of exports in {ledger_dir} can't be written: "
            f"{error.strerror or error}."
        ) from None


def require_nobody_erased(rows: Rows, out: Path, reading: Reading) -> None:
    """Take a file away again that has somebody in it who was erased while it was written.

    Raises:
        CommandError: It was taken away.
    """
    from ldt_pipeline.erasing.meanwhile import ErasedMeanwhileError

    at, flag = (rows.columns.index(name) for name in ("participant_id", "is_redacted"))
    if reading.is_outdated_for({row[at] for row in rows.rows if not row[flag]}):
        out.expanduser().unlink(missing_ok=True)
        raise CommandError(str(ErasedMeanwhileError()))


def mark_in_place(ledger_dir: Path, export_id: str) -> None:
    """Note that a file is in place: an earlier one of its name is gone, and whoever was in it alone."""
    from ldt_pipeline.erasing import ledger

    try:
        ledger.mark_in_place(ledger_dir, export_id)
    except OSError as error:
        raise CommandError(
            f"The file is written, but the ledger of exports in {ledger_dir} can't be: "
            f"{error.strerror or error}."
        ) from None


def warn_of_undated(number: int) -> None:
    """Say that some of a race are on the list of no day."""
    click.echo(
        f"{counted(number, 'participant')} of the race left out: when they start isn't known, and the "
        "race has several days, or none.",
        err=True,
    )


def content(rows: Rows, to_format: str) -> Iterator[bytes]:
    """Give the bytes of a file in a format, piece by piece.

    Raises:
        ValueError: There are more rows than an Excel sheet has.
    """
    if to_format != "xlsx":
        return (text.encode() for text in pieces(rows, to_format))
    from ldt_pipeline.exporting.excel import workbook

    return iter([workbook(rows.table_name, rows.columns, rows.rows)])


def pieces(rows: Rows, to_format: str) -> Iterator[str]:
    """Give rows in a format, piece by piece.

    In CSV a row is one line: line breaks in a text become blanks, and control characters a mark.
    JSON gives every text back as it was.
    """
    if to_format == "csv":
        return _csv_pieces(rows)
    if to_format == "json":
        return _json_pieces(rows)
    return (f"{line}\n" for line in table_lines(rows, width=terminal_width()))


def table_lines(rows: Rows, *, width: int, most: int | None = None) -> Iterator[str]:
    """Give the lines of a table with the most useful columns that fit, and what is left out."""
    order = _most_useful(rows)
    positions = [rows.columns.index(name) for name in order]
    shown = rows.rows if most is None else rows.rows[:most]
    cells = [[_for_people(order[at], row[p]) for at, p in enumerate(positions)] for row in shown]
    numbers = frozenset(
        name
        for name, p in zip(order, positions, strict=True)
        if any(isinstance(row[p], int | float) and not isinstance(row[p], bool) for row in shown)
    )
    laid_out = text_table(order, cells, width=width, numeric=numbers)
    yield from laid_out.lines
    notes: list[str] = []
    if len(shown) < len(rows.rows):
        notes.append(f"{len(rows.rows) - len(shown):,} more rows")
    left_out = len(rows.columns) - len(order) + len(laid_out.left_out)
    if left_out:
        notes.append(f"{left_out} more columns in --format csv")
    if not rows.rows:
        yield "(no rows)"
    elif notes:
        yield f"({'; '.join(notes)})"


def _most_useful(rows: Rows) -> tuple[str, ...]:
    """Give the columns in the order in which they are worth their room: names, the sorted one, the rest."""
    names = _USEFUL[rows.table_name]
    if rows.sorted_by not in rows.columns:
        return names
    return tuple(dict.fromkeys((*names[:2], rows.sorted_by, *names)))


def _csv_pieces(rows: Rows) -> Iterator[str]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)  # quotes and CR LF as RFC 4180 has them
    writer.writerow(rows.columns)
    for number, row in enumerate(rows.rows, start=1):
        writer.writerow([_for_csv(value) for value in row])
        if number % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _json_pieces(rows: Rows) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows.rows):
        record = {name: _for_json(value) for name, value in zip(rows.columns, row, strict=True)}
        text = escape_unprintable(json.dumps(record, ensure_ascii=False, allow_nan=False))
        yield f"{',' if number else ''}\n{text}"
    yield "\n]\n"


def _for_csv(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return defuse(clean(value))
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return format_instant(value)
        case _:
            return str(value)


def _for_json(value: Any) -> Any:
    match value:
        case dt.datetime():
            return format_instant(value)
        case dt.date():
            return value.isoformat()
        case _:
            return value


def _for_people(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dt.datetime():
            return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
        case float() if name == _SHOWN_AS_PERCENTAGE:
            return f"{value:.0%}"
        case _:
            return str(value)


def _write_file(rows: Rows, to_format: str, out: Path) -> None:
    from upath import UPath

    from ldt_pipeline.raw.files import durable_file

    target = out.expanduser().absolute()
    if target.is_dir():
        raise CommandError(f"{target} is a folder: name a file in it with --out.")
    try:
        # Readable by its owner alone: it holds personal data.
        with durable_file(UPath(target)) as file:
            for piece in content(rows, to_format):
                file.write(piece)
    except OSError as error:
        raise CommandError(f"{target} can't be written: {error.strerror or error}.") from None
    click.echo(f"Wrote {len(rows.rows):,} rows to {target}")
