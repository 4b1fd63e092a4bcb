"""Rows as files in a preset's layout.

What belongs here: cells, formats, encodings. What doesn't: which rows (`race_lists.py`).

In delimited files a text that a spreadsheet would take for a formula gets an apostrophe in front, and
line breaks become blanks. An Excel file types each cell, so that a text is a text whatever it begins
with. JSON and Parquet give every text back as it was.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from ldt_pipeline.exporting.excel import workbook
from ldt_pipeline.exporting.presets import EXTRA_COLUMNS, ISO_DAY, Preset, PresetColumn
from ldt_pipeline.instants import format_instant
from ldt_pipeline.plain_text import clean, defuse
from ldt_pipeline.tables import table

Row = Mapping[str, Any]
"""A row of the start list by column, with `EXTRA_COLUMNS`."""

_UNENCODABLE_SHOWN = 5


class UnencodableError(Exception):
    """Names can't be written in the preset's encoding."""


def rendered(preset: Preset, rows: Sequence[Row], *, changes: bool) -> bytes:
    """Give the file's bytes.

    Args:
        preset: The layout.
        rows: What to write, in this order.
        changes: Whether the file is one of changes, which may have more columns.

    Raises:
        UnencodableError: The encoding lacks a character; the text names the participants.
    """
    columns = columns_of(preset, changes=changes)
    if preset.format == "csv":
        return _delimited(preset, columns, rows)
    if preset.format == "xlsx":
        names = [column.name for column in columns]
        return workbook(
            "Start list", names, ([_excel(column, row) for column in columns] for row in rows)
        )
    if preset.format == "json":
        return _json(columns, rows)
    return _parquet(preset, columns, rows)


def columns_of(preset: Preset, *, changes: bool) -> list[PresetColumn]:
    """Give the columns of a file; a preset without any has all, and in changes also what changed."""
    if preset.columns:
        return [each for each in preset.columns if changes or not each.only_changes]
    extra = EXTRA_COLUMNS if changes else ()
    names = (*table("start_list").schema, *extra)
    return [PresetColumn(name=each.lstrip("_"), from_=each) for each in names]


def suffix(preset: Preset) -> str:
    """Give the ending of the file's name, with its dot."""
    return ".txt" if preset.format == "csv" and preset.delimiter == "\t" else f".{preset.format}"


def _value(column: PresetColumn, row: Row) -> Any:
    """Give a cell: typed where the preset says nothing else."""
    value = column.value if column.from_ is None else row[column.from_]
    if isinstance(value, str):
        return column.values.get(value, value)
    return value


def _excel(column: PresetColumn, row: Row) -> Any:
    """Give a typed cell; a day that the preset has written in a way of its own is a text."""
    return _value(column, row) if column.date == ISO_DAY else _text(column, row) or None


def _text(column: PresetColumn, row: Row) -> str:
    match _value(column, row):
        case None:
            return ""
        case bool() as flag:
            return "true" if flag else "false"
        case dt.datetime() as instant:
            return format_instant(instant)
        case dt.date() as day:
            return day.strftime(column.date)
        case value:
            return str(value)


def _delimited(preset: Preset, columns: list[PresetColumn], rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO(newline="")
    ends = {"crlf": "\r\n", "lf": "\n"}
    writer = csv.writer(buffer, delimiter=preset.delimiter, lineterminator=ends[preset.line_end])
    writer.writerow([column.name for column in columns])
    unencodable: list[str] = []
    for row in rows:
        cells = [defuse(clean(_text(column, row))) for column in columns]
        try:
            "".join(cells).encode(preset.encoding)
        except UnicodeError:
            unencodable.append(row["participant_id"])
        writer.writerow(cells)
    if unencodable:
        shown = ", ".join(unencodable[:_UNENCODABLE_SHOWN])
        more = ", …" if len(unencodable) > _UNENCODABLE_SHOWN else ""
        raise UnencodableError(
            f"The encoding {preset.encoding} of the preset {preset.name} can't write the texts of "
            f"{len(unencodable)} participants ({shown}{more}). "
            "Set `encoding: utf-8` in the preset, if the target reads it, or utf-16."
        )
    return buffer.getvalue().encode(preset.encoding)


def _json(columns: list[PresetColumn], rows: Iterable[Row]) -> bytes:
    records = [
        {
            column.name: value
            if isinstance(value := _value(column, row), bool | int | float | None)
            else _text(column, row)
            for column in columns
        }
        for row in rows
    ]
    lines = ",\n".join(json.dumps(each, ensure_ascii=False, allow_nan=False) for each in records)
    return f"[\n{lines}\n]\n".encode()


def _parquet(preset: Preset, columns: list[PresetColumn], rows: Sequence[Row]) -> bytes:
    known = table("start_list").schema
    plain = not preset.columns
    schema = {
        column.name: known.get(column.from_ or "", pl.String()) if plain else pl.String()
        for column in columns
    }
    value = _value if plain else _text
    frame = pl.DataFrame(
        {column.name: [value(column, row) for row in rows] for column in columns}, schema=schema
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
