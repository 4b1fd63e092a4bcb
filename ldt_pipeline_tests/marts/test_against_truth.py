"""From records, in every shape that the other API has, through tidy to the marts: equal to the
truth, which somebody else read off the records. HTTP and storage are tested elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from ldt_pipeline import tidy
from ldt_pipeline.marts import descriptions, events, partner_allocations, races, start_list
from ldt_pipeline.tables.types import UTC_TIMESTAMP
from ldt_pipeline_tests.marts.frames import NOW, claimed, described
from ldt_pipeline_tests.other_api import (
    Dataset,
    Readings,
    expected_allocations,
    expected_entries,
    make_dataset,
)
from ldt_pipeline_tests.other_api.shapes import render

SHAPES = {
    "plain": Readings(),
    "other objects": Readings(
        waves="titles",
        fields=("question", "answer"),
        tags="objects",
        booker="full_name",
        prices="text",
        tickets="ticket_id_name",
        null_elements=True,
        numbers_as_text=True,
        extra_keys=True,
        timestamps="offset",
    ),
    "text as numbers": Readings(
        waves="strings",
        fields=("key", "values"),
        prices="bare",
        group_tickets="strings",
        text_as_numbers=True,
        timestamps="microseconds",
    ),
    "answers as one object": Readings(fields="mapping"),
    "name and value": Readings(fields=("name", "value")),
}
SAME_NAMES = (
    *("event_id", "event_name", "race_id", "race_name", "race_start_at", "bib_number", "wave"),
    *("first_name", "last_name", "email", "is_redacted", "updated_at"),
)


def read(
    dataset: Dataset,
    collection: str,
    readings: Readings,
    reader: Callable[[pl.DataFrame], tidy.Tidied],
) -> list[pl.DataFrame]:
    """Give the tidy tables of all records, deleted ones marked as the warehouse marks them."""
    records = [*dataset.live(collection), *dataset.deleted(collection)]
    count, deleted = len(records), len(dataset.deleted(collection))
    raw = pl.DataFrame(
        {
            "record": [
                json.dumps(render(record, readings=readings, extended=True)).encode()
                for record in records
            ],
            "extract_id": ["x"] * count,
            "record_number": range(1, count + 1),
            "extracted_at": [NOW] * count,
            "record_hash": range(count),
            "event_id": [record.get("eventId") for record in records],
        },
        schema=tidy.RAW_SCHEMA,
    )
    tidied = reader(raw)
    assert tidied.rejected.is_empty()
    parent, *children = tidied.tables.values()
    gone = pl.Series("deleted_at", [None] * (count - deleted) + [NOW] * deleted, UTC_TIMESTAMP)
    return [parent.with_columns(gone), *children]


@pytest.mark.parametrize("shape", SHAPES)
def test_marts_equal_the_truth(shape: str) -> None:
    readings = SHAPES[shape]
    dataset = make_dataset(31, participants=300, numeric_ids=readings.text_as_numbers)
    participants, answers = read(dataset, "participants", readings, tidy.tidy_participants)
    applications, _ = read(dataset, "applications", readings, tidy.tidy_applications)
    partners, _ = read(dataset, "partners", readings, tidy.tidy_partners)
    groups, _ = read(dataset, "reserved_entries", readings, tidy.tidy_reserved_entries)
    (tickets,) = read(dataset, "tickets", readings, tidy.tidy_tickets)

    listed = start_list(
        participants=participants,
        answers_by_column=tidy.answers_to_columns(
            answers, tidy.load_questions(None), "participant_id"
        ),
        partners=partners,
        reserved_entry_groups=groups,
    )
    entries = {row["id"]: row for row in expected_entries(dataset) if not row["is_deleted"]}
    assert set(listed["participant_id"]) == set(entries)
    for row in listed.to_dicts():
        expected = entries[row["participant_id"]]
        assert {name: row[name] for name in SAME_NAMES} == {
            name: expected[name] for name in SAME_NAMES
        }
        assert str(row["date_of_birth"]) == str(expected["date_of_birth"])
        if expected["group_id"]:
            assert row["reserved_entry_group_id"] == expected["group_id"]
            assert row["entry_route"] == "reserved_entry"

    counted = described(participants=participants, applications=applications)
    made_events = events(
        described=descriptions(**counted),
        **counted,
        reserved_entry_groups=groups,
        tickets=tickets,
        configured_event_ids=(),
    )
    allocated = partner_allocations(
        reserved_entry_groups=groups,
        partners=partners,
        claimed=claimed(participants),
        events=made_events,
    )
    names = {"id": "reserved_entry_group_id", "name": "reserved_entry_group_name"}
    truth: list[dict[str, Any]] = expected_allocations(dataset)
    assert [
        {key: row[names.get(key, key)] for key in truth[0]} for row in allocated.to_dicts()
    ] == truth
    assert made_events["event_id"].to_list()[-1] == "9000001"
    assert made_events["tickets"].sum() == tickets.height
    made_races = races(described=descriptions(**counted), **counted)
    assert made_races["participants"].sum() == listed.height
