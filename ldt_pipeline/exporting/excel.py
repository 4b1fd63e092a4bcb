"""Excel files: typed cells, so that no text is ever taken for a formula, a link or a number."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter

from ldt_pipeline.plain_text import clean

_CELL_MOST = 32_767
"""Characters that a cell holds."""
_ROWS_MOST = 1_048_575
"""Rows that a sheet has below its names."""


def workbook(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Give a workbook with one sheet: a line of names, which stays in view, and the rows.

    Instants are written in UTC, as Excel knows no zones. A text longer than a cell is cut.

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
                match value:
                    case None:
                        pass
                    case bool():
                        sheet.write_boolean(number, place, value)
                    case dt.datetime():
                        moment = value.astimezone(dt.UTC).replace(tzinfo=None)
                        sheet.write_datetime(number, place, moment, instant)
                    case dt.date():
                        midnight = dt.datetime.combine(value, dt.time())
                        sheet.write_datetime(number, place, midnight, day)
                    case int() | float():
                        sheet.write_number(number, place, value)
                    case _:
                        sheet.write_string(number, place, clean(str(value))[:_CELL_MOST])
        sheet.freeze_panes(1, 0)
    return buffer.getvalue()
