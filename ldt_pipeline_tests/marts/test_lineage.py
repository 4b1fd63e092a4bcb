"""The lineage that is shown is the one that is: found by changing each input, and looking what moves."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import polars as pl
import pytest

from ldt_pipeline.marts import start_list
from ldt_pipeline.marts.lineage import record_keys, start_list_inputs, versions_inputs
from ldt_pipeline.tables import TABLES, table
from ldt_pipeline.tidy.questions import COLUMNS
from ldt_pipeline_tests.marts.frames import answer_rows, rows
from ldt_pipeline_tests.marts.test_starters import ANSWERS, EVERYTHING

CLAIMS = (
    {"reserved_entry_group_code": "g1", "reserved_entry_group_name": "Places"},
    {"reserved_entry_group_code": "g1"},
    {"reserved_entry_group_name": "Other"},
    {"reserved_entry_partner_enthuse_id": "x3"},
    {"reserved_entry_partner_just_giving_id": "x4"},
    {"reserved_entry_partner_london_marathon_id": "x5"},
    {"reserved_entry_partner_name": "Partner 6"},
    {"reserved_entry_group_code": "no such", "reserved_entry_group_name": "no such"},
    {"application_id": "b1"},
    {"booker_type": "PARTNER"},
    {},
)
FRAMES = {
    "participants": rows(
        "participants",
        *(
            {**EVERYTHING, "participant_id": f"a{number}", **claim}
            for number, claim in enumerate(CLAIMS)
        ),
    ),
    "answers_by_column": answer_rows(
        *({**ANSWERS, "participant_id": f"a{number}"} for number in range(len(CLAIMS)))
    ),
    "reserved_entry_groups": rows(
        "reserved_entry_groups",
        *(
            {
                "reserved_entry_group_id": f"g{number}",
                "event_id": "e1",
                "partner_id": f"p{number}",
                "name": name,
            }
            for number, name in ((1, "Places"), (2, "Other"))
        ),
    ),
    "partners": rows(
        "partners",
        *(
            {
                "partner_id": f"p{number}",
                "name": f"Partner {number}",
                "enthuse_id": "x3" if number == 3 else None,
                "just_giving_id": "x4" if number == 4 else None,
                "london_marathon_id": "x5" if number == 5 else None,
            }
            for number in range(1, 7)
        ),
    ),
}
DECIDES_WHICH_ROWS = {"deleted_at"}


def changed(frame: pl.DataFrame, name: str) -> list[pl.DataFrame]:
    """Give the frame with other values in a column, and with none."""
    column, kind = pl.col(name), frame.schema[name]
    others = [frame.with_columns(pl.lit(None, dtype=kind).alias(name))]
    if kind == pl.String():
        others.append(frame.with_columns(column + "1"))
    elif kind.is_temporal():
        others.append(frame.with_columns(column + dt.timedelta(days=400)))
    elif kind == pl.Boolean():
        others.append(frame.with_columns(~column))
    return others


def listed(**frames: pl.DataFrame) -> pl.DataFrame:
    return start_list(**{**FRAMES, **frames}).sort("participant_id")


def moved(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    return {name for name in before.columns if not before[name].equals(after[name])}


def test_each_column_moves_with_its_inputs_and_with_nothing_else() -> None:
    before = listed()
    found: dict[str, set[str]] = defaultdict(set)
    for source in ("participants", "reserved_entry_groups", "partners"):
        for name in set(table(source).schema) - DECIDES_WHICH_ROWS:
            if (source, name) == ("participants", "participant_id"):
                continue  # the row's own name, in every table
            for other in changed(FRAMES[source], name):
                for column in moved(before, listed(**{source: other})):
                    found[column].add(f"{source}.{name}")
    for name in COLUMNS:
        answers = FRAMES["answers_by_column"].with_columns(pl.lit("2000-01-01").alias(name))
        for column in moved(before, listed(answers_by_column=answers)):
            found[column].add("participant_answers.answer")

    blanked = "participants.gdpr_redacted"
    for column, inputs in start_list_inputs().items():
        if column == "participant_id":
            continue
        is_blanked = column in table("start_list").forgotten_columns
        declared = {
            each
            for each in inputs
            if not each.startswith("participant_answers.") or each.endswith(".answer")
        }
        assert found[column] == declared | ({blanked} if is_blanked else set()), column


def test_every_column_of_the_start_list_comes_from_somewhere() -> None:
    assert list(start_list_inputs()) == list(table("start_list").schema)
    assert all(start_list_inputs().values())


@pytest.mark.parametrize("inputs", [start_list_inputs(), versions_inputs()])
def test_every_input_is_a_column(inputs: dict[str, tuple[str, ...]]) -> None:
    for each in {name for names in inputs.values() for name in names}:
        source, _, column = each.partition(".")
        assert column in TABLES[source].schema, each


def test_keys_of_records_are_those_of_the_registry() -> None:
    assert record_keys("participants")["race_start_at"] == "raceStartDate"
    assert "deleted_at" not in record_keys("participants")
