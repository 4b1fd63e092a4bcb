"""Instants in every format, and dates of birth as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.tables.types import UTC_TIMESTAMP
from ldt_pipeline.tidy import parse_birth_date, tidy_participants
from ldt_pipeline.tidy.instants import read_instant, read_instants
from ldt_pipeline.tidy.json_columns import ColumnBuilder
from ldt_pipeline_tests.tidy.records import parent, raw

START = datetime(2023, 5, 8, 11, 30, tzinfo=UTC)
PROPERTY = settings(max_examples=100, deadline=None, derandomize=True)


def read(*values: Any) -> list[datetime | None]:
    """Read a column of values, twice: alone, and with the usual format before and after."""
    results: list[list[datetime | None]] = []
    for around in ((), ("2023-05-08T11:30:00.000Z", None)):
        builder = ColumnBuilder()
        builder.extend([*around, *values, *around], 0)
        column = builder.build(len(values) + 2 * len(around))
        series = read_instants(column, lambda _row, _value: None)
        assert series.dtype == UTC_TIMESTAMP
        results.append(series.to_list()[len(around) : len(around) + len(values)])
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize(
    "given_",
    [
        "2023-05-08T11:30:00.000Z",
        "2023-05-08T11:30:00Z",
        "2023-05-08T11:30Z",
        "2023-05-08T11:30:00.0Z",
        "2023-05-08T11:30:00.000000000Z",
        "2023-05-08T11:30:00",
        "2023-05-08 11:30:00",
        "2023-05-08T11:30",
        " 2023-05-08t11:30:00z ",
        "2023-05-08T12:30:00+01:00",
        "2023-05-08T12:30:00.000+0100",
        "2023-05-08T12:30+01",
        "2023-05-08 05:30:00 -06:00",
        "2023-05-08T17:15:00.000+05:45",
        "2023-05-07T23:30:00.000-12:00",
        "20230508T113000Z",
        1683545400,
        1683545400.0,
        1683545400000,
        "1683545400",
        "1683545400000",
        1.6835454e12,
    ],
)
def test_formats(given_: Any) -> None:
    assert read(given_) == [START]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("2023-05-08", datetime(2023, 5, 8, tzinfo=UTC)),
        ("2023-05-08T24:00:00Z", datetime(2023, 5, 9, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2023-05-08T11:30:00.1Z", START.replace(microsecond=100_000)),
        ("2023-05-08T11:30:00,25Z", START.replace(microsecond=250_000)),
        ("2023-05-08T11:30:00.123456Z", START.replace(microsecond=123_456)),
        ("2023-05-08T11:30:00.123456789Z", START.replace(microsecond=123_456)),
        ("2023-05-08T11:30:00.123456789+00:00", START.replace(microsecond=123_456)),
        (1683545400.25, START.replace(microsecond=250_000)),
        (1683545400123, START.replace(microsecond=123_000)),
        (-86400, datetime(1969, 12, 31, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00.000Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
    ],
)
def test_corners(given_: Any, expected: datetime) -> None:
    assert read(given_) == [expected]


@pytest.mark.parametrize(
    "given_",
    [
        "yesterday",
        "2023",
        "2023-05",
        "08/05/2023",
        "2023-02-30T00:00:00.000Z",
        "2023-13-01T00:00:00.000Z",
        "2023-05-08T25:00:00.000Z",
        "2023-05-08T24:00:01Z",
        "2023-05-08T11:60:00.000Z",
        "2023-05-08T11:30:61Z",
        "2023-05-08T11:30:00.000ZZ",
        "2023-05-08T11:30:00.000+99:00",
        "0001-01-01T00:00:00.000+01:00",
        "9999-12-31T23:59:59.999-01:00",
        "0000-01-01T00:00:00.000Z",
        "+12023-05-08T11:30:00.000Z",
        "-0001-05-08T11:30:00.000Z",
        "٢٠٢٣-٠٥-٠٨",
        10**20,
        -(10**20),
        1e300,
        float("1e400"),
        True,
        {},
        [],
        "",
    ],
)
def test_what_is_no_instant_is_null(given_: Any) -> None:
    assert read(given_) == [None]


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES),  # noqa: DTZ001
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
@PROPERTY
def test_what_python_writes_is_read_back(instant: datetime, precision: str) -> None:
    text = instant.isoformat(timespec=precision)
    expected = datetime.fromisoformat(text).astimezone(UTC)
    in_utc = expected.isoformat(timespec=precision).replace("+00:00", "Z")
    assert read(text, in_utc) == [expected, expected]


@given(st.text(alphabet="0123456789-:T.Z+ ", max_size=26))
@PROPERTY
def test_the_vectorised_formats_read_as_the_patient_way_does(text: str) -> None:
    found = read(text)[0]
    # Where polars' formats are laxer (one digit for a month), the patient way has nothing to say.
    assert read_instant(text) in {found, None}


def test_a_column_may_mix_formats() -> None:
    given_ = ["2023-05-08T11:30:00.000Z", "2023-05-08T12:30:00+01:00", None, 1683545400, "x"] * 50
    frame = parent(tidy_participants(raw(*({"id": 1, "updatedAt": each} for each in given_))))
    assert frame["updated_at"].to_list() == [START, START, None, START, None] * 50


BIRTHDAYS = {
    "1990-03-12": date(1990, 3, 12),
    "1990-3-2": date(1990, 3, 2),
    "1990/03/12": date(1990, 3, 12),
    "1990-03-12T00:00:00.000Z": date(1990, 3, 12),
    "1990-03-12 00:00": date(1990, 3, 12),
    "1990-06-13T23:00:00.000Z": date(1990, 6, 14),
    "1990-06-13T23:00:00+00:00": date(1990, 6, 14),
    "1990-06-30 22:00Z": date(1990, 7, 1),
    "1990-06-14T00:00:00+01:00": date(1990, 6, 14),
    "1990-06-13T23:00:00": date(1990, 6, 13),
    "1990-06-13T23:00:00+01:00": date(1990, 6, 13),
    "1990-06-13T23:59:59Z": date(1990, 6, 13),
    "1990-06-13T12:00:00Z": date(1990, 6, 13),
    "19900312": date(1990, 3, 12),
    "12/03/1990": date(1990, 3, 12),
    "2/3/1990": date(1990, 3, 2),
    "12-03-1990": date(1990, 3, 12),
    "12.03.1990": date(1990, 3, 12),
    "12. 3. 1990": date(1990, 3, 12),
    "12 03 1990": date(1990, 3, 12),
    " 12 / 03 / 1990 ": date(1990, 3, 12),
    "12/03/1990 00:00": date(1990, 3, 12),
    "12/03/1990 00:00:00": date(1990, 3, 12),
    "12/03/1990, 12:00 AM": date(1990, 3, 12),
    "12 March 1990": date(1990, 3, 12),
    "12  MARCH  1990": date(1990, 3, 12),
    "12th March 1990": date(1990, 3, 12),
    "12th of March, 1990": date(1990, 3, 12),
    "1st Sept 1990": date(1990, 9, 1),
    "12-Mar-1990": date(1990, 3, 12),
    "12 Mar. 1990": date(1990, 3, 12),
    "March 12, 1990": date(1990, 3, 12),
    "Mar 12th 1990": date(1990, 3, 12),
    "Monday, 12 March 1990": date(1990, 3, 12),
    "29/02/2000": date(2000, 2, 29),
    "1900-01-01": date(1900, 1, 1),
    "29/02/2001": None,
    "31/04/1990": None,
    "12/13/1990": None,
    "0/1/1990": None,
    "12/03/90": None,
    "12/03/1990 10": None,
    "1899-12-31": None,
    "2990-01-01": None,
    "12 Marsh 1990": None,
    "March 1990": None,
    "1990": None,
    "": None,
    "n/a": None,
    "12/03/1990 or so": None,
}


def test_dates_of_birth() -> None:
    series = pl.Series("born", list(BIRTHDAYS))
    read_ = parse_birth_date(series)
    assert dict(zip(BIRTHDAYS, read_.to_list(), strict=True)) == BIRTHDAYS
    assert read_.dtype == pl.Date
    assert read_.name == "born"


def test_many_dates_of_birth_are_read_as_one_by_one() -> None:
    texts = [*BIRTHDAYS, None, *reversed(BIRTHDAYS), "1990-03-07", "1990-02-30", "1990-13-01"]
    together = parse_birth_date(pl.Series(texts, dtype=pl.String)).to_list()
    alone = [parse_birth_date(pl.Series([each], dtype=pl.String)).item() for each in texts]
    assert together == alone


def test_no_date_of_birth_is_in_the_future() -> None:
    today = datetime.now(UTC).date()
    texts = pl.Series([(today + timedelta(days=n)).isoformat() for n in (-1, 1)])
    assert parse_birth_date(texts).to_list() == [today - timedelta(days=1), None]


def test_a_column_without_dates_of_birth() -> None:
    assert parse_birth_date(pl.Series([None, None], dtype=pl.String)).to_list() == [None, None]
    assert parse_birth_date(pl.Series([], dtype=pl.String)).dtype == pl.Date


@given(st.dates(date(1900, 1, 1), date(2020, 1, 1)))
@PROPERTY
def test_a_date_of_birth_survives_each_format(born: date) -> None:
    formats = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y")
    texts = pl.Series([f"{born:{each}}" for each in formats])
    assert parse_birth_date(texts).to_list() == [born] * len(formats)


@given(st.lists(st.text(max_size=20)))
@PROPERTY
def test_no_text_is_too_odd_for_a_date_of_birth(texts: list[str]) -> None:
    assert parse_birth_date(pl.Series(texts, dtype=pl.String)).len() == len(texts)
