"""Excel files: typed cells, so that no text is ever taken for a formula, a link or a number."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from ldt_pipeline.plain_text import clean

_CELL_MOST = 32_767
"""Characters that a cell holds."""
_FIRST_DAY = dt.date(1900, 3, 1)
"""Excel has a 29 February 1900, so days before that are others in other programs; none before 1900."""
_ROWS_MOST = 1_048_575
"""Rows that a sheet has below its names."""


def workbook(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Give a workbook with one sheet: a line of names, which stays in view, and the rows.

    Instants are written in UTC, as Excel knows no zones. A text longer than a cell is cut, and a day
    before March 1900 is a text.

    Raises:
        ValueError: There are more rows than a sheet has.
    """
    buffer = io.BytesIO()
    options = {
        **dict.fromkeys(("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False),
        "in_memory": True,  # no temporary file, which others could read
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        sheet = book.add_worksheet(title)
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name)
        for number, row in enumerate(rows, start=1):
            if number > _ROWS_MOST:
                raise ValueError(f"Excel shows {_ROWS_MOST:,} rows, and there are more: take CSV.")
            for place, value in enumerate(row):
                _write(sheet, number, place, value, day=day, instant=instant)
        sheet.freeze_panes(1, 0)
    return buffer.getvalue()


def _write(
    sheet: Worksheet, number: int, place: int, value: Any, *, day: Format, instant: Format
) -> None:
    match value:
        case None:
            pass
        case bool():
            sheet.write_boolean(number, place, value)
        case dt.datetime():
            moment = value.astimezone(dt.UTC).replace(tzinfo=None)
            if moment.date() < _FIRST_DAY:
                sheet.write_string(number, place, moment.isoformat(" ", "seconds"))
            else:
                sheet.write_datetime(number, place, moment, instant)
        case dt.date() if value < _FIRST_DAY:
            sheet.write_string(number, place, value.isoformat())
        case dt.date():
            midnight = dt.datetime.combine(value, dt.time())
            sheet.write_datetime(number, place, midnight, day)
        case int() | float():
            sheet.write_number(number, place, value)
        case _:
            sheet.write_string(number, place, clean(str(value))[:_CELL_MOST])
