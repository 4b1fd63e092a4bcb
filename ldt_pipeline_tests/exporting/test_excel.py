"""Excel files: what Excel itself can't count is written as text."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

import pytest

from ldt_pipeline.exporting.excel import workbook
from ldt_pipeline.exporting.presets import Preset, PresetColumn
from ldt_pipeline.exporting.writing import rendered


def parts(value: Any) -> tuple[str, str]:
    """Give the sheet and the texts of a workbook with one value."""
    with zipfile.ZipFile(io.BytesIO(workbook("Sheet", ["born"], [[value]]))) as archive:
        return tuple(
            archive.read(f"xl/{name}.xml").decode()
            for name in ("worksheets/sheet1", "sharedStrings")
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.date(1900, 1, 1), "1900-01-01"),
        (dt.date(1900, 2, 28), "1900-02-28"),
        (dt.date(19, 5, 12), "0019-05-12"),
        (dt.datetime(1899, 12, 31, 23, tzinfo=dt.UTC), "1899-12-31 23:00:00"),
    ],
)
def test_a_day_before_excel_counts_days_is_text(value: dt.date, text: str) -> None:
    """Excel shows 1900-01-01, which people type for want of a date, as 1900-01-00, and others as #."""
    sheet, texts = parts(value)
    assert f">{text}</t>" in texts
    assert 't="s"' in sheet.partition('r="A2"')[2]


def test_a_day_since_then_is_a_day() -> None:
    sheet, _ = parts(dt.date(1900, 3, 1))
    assert "<v>61</v>" in sheet


def test_a_day_is_written_as_the_preset_says() -> None:
    columns = (
        PresetColumn(name="Born", from_="date_of_birth", date="%d.%m.%Y"),
        PresetColumn(name="Day", from_="date_of_birth"),
    )
    preset = Preset(description="x", format="xlsx", columns=columns)
    rows = [{"date_of_birth": dt.date(1990, 2, 28)}, {"date_of_birth": None}]
    with zipfile.ZipFile(io.BytesIO(rendered(preset, rows, changes=False))) as archive:
        assert ">28.02.1990</t>" in archive.read("xl/sharedStrings.xml").decode()
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>32932</v>" in sheet.partition('r="B2"')[2]
    assert 'r="A3"' not in sheet
