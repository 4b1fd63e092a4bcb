"""Values as APIs write them: whole numbers, flags, texts, and what is kept as it came."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ldt_pipeline.tidy import LINEAGE, tidy_participants
from ldt_pipeline.tidy.coerce import read_texts
from ldt_pipeline.tidy.json_columns import JsonColumn
from ldt_pipeline_tests.tidy.participants import of
from ldt_pipeline_tests.tidy.records import drift, only, parent, raw


@pytest.mark.parametrize("text", ['{"b" :1,"b":[ 1.10 ]}', '"x"', "[1]", "12.50", "true"])
def test_what_is_kept_whole_is_kept_byte_for_byte(text: str) -> None:
    record = f'{{"id": 1, "tracking":  {text} , "course": null}}'.encode()
    row = only(tidy_participants(raw(record)))
    assert row["tracking"] == text
    assert "course" not in row


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (7, 7),
        ("7", 7),
        (" 7 ", 7),
        ("7.0", 7),
        (7.0, 7),
        ([7], 7),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        (str(-(2**63)), -(2**63)),
        ("9007199254740993.0", 2**53 + 1),
        (10**30, None),
        (7.5, None),
        ("7.5", None),
        ("many", None),
        (True, None),
        ({}, None),
        ("", None),
    ],
)
def test_whole_numbers(given: Any, expected: int | None) -> None:
    assert of(competitorSize=given).get("competitor_size") == expected


def test_a_whole_number_with_a_point_has_the_digits_that_were_written() -> None:
    """No float between two that follow: by way of one, this would be a neighbour of it."""
    row = only(tidy_participants(raw(b'{"id": 1, "competitorSize": 9007199254740993.0}')))
    assert row["competitor_size"] == 2**53 + 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, True),
        ("true", True),
        ("TRUE", True),
        (1, True),
        ("1", True),
        (1.0, True),
        ("yes", True),
        (False, False),
        ("false", False),
        (0, False),
        ("0", False),
        ("perhaps", None),
        (2, None),
        ({}, None),
        ("", None),
        (None, None),
    ],
)
def test_flags(given: Any, expected: bool | None) -> None:
    assert of(gdprRedacted=given).get("gdpr_redacted") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x", "x"),
        (" x ", " x "),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (10**25, "1" + "0" * 25),
        (True, "true"),
        (["x"], "x"),
        ("", None),
        ([], None),
        (["x", "y"], None),
        ({"name": "x"}, None),
        ("a\0b", "ab"),
        ("\ud800x", "\ufffdx"),
        ("😀", "😀"),
    ],
)
def test_texts(given: Any, expected: str | None) -> None:
    assert of(ticketTitle=given).get("ticket_title") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("007", "007"), (7, "7"), (0, "0"), (False, None), (True, None), ([False], None), ("", None)],
)
def test_a_flag_is_no_bib(given: Any, expected: str | None) -> None:
    assert of(bibNumber=given).get("bib_number") == expected


def test_a_flag_as_a_bib_is_seen_where_it_says_that_there_is_one() -> None:
    found = [drift(tidy_participants(raw({"id": 1, "bibNumber": each}))) for each in (True, False)]
    assert found == [{("bibNumber", "unreadable boolean"): 1}, {}]


def test_long_texts_come_through() -> None:
    assert of(eventName="x" * 1_000_000)["event_name"] == "x" * 1_000_000


def test_of_two_members_with_one_key_the_last_counts() -> None:
    tidied = tidy_participants(raw(b'{"id": 1, "id": 2, "raceName": "a", "raceName": null}'))
    assert set(only(tidied)) == {"participant_id", *LINEAGE}
    assert parent(tidied)["participant_id"].to_list() == ["2"]


def test_reading_a_column_leaves_it_as_it_was() -> None:
    """It may be read as something else, too."""
    column = JsonColumn(pl.Series(["a", None]), [1], [True])
    read = [read_texts(column, lambda *_: None).to_list() for _ in range(2)]
    assert read == [["a", "true"]] * 2
    assert (column.texts.to_list(), column.present) == (["a", None], 2)
