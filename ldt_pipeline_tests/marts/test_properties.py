"""What holds for the marts whatever the tidy frames hold, by hypothesis."""

from __future__ import annotations

import sys
from typing import Any

import duckdb
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from ldt_pipeline.marts import (
    data_issues,
    descriptions,
    events,
    partner_allocations,
    races,
    start_list,
)
from ldt_pipeline.marts.common import WHITE_SPACE
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.connection import registered
from ldt_pipeline.warehouse.entry_groups import trimmed
from ldt_pipeline_tests.marts.frames import (
    NOW,
    answers_frames,
    applications_frames,
    claimed,
    described,
    ended,
    group_frames,
    participants_frames,
    partner_frames,
    present,
    questions,
    rows,
    shuffled,
    starts,
)

PATIENT: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "derandomize": True,
}
Frames = dict[str, pl.DataFrame]
INPUTS = st.fixed_dictionaries(
    {
        "participants": participants_frames(),
        "applications": applications_frames(),
        "reserved_entry_groups": group_frames(),
        "partners": partner_frames(),
        "answers_by_column": answers_frames(),
    }
)


def build(frames: Frames) -> Frames:
    def only(*names: str) -> dict[str, Any]:
        return {name: frames[name] for name in names}

    made: dict[str, Any] = {}
    entries = described(**only("participants", "applications"))
    claims = claimed(frames["participants"])
    made["races"] = races(described=descriptions(**entries), **entries)
    made["events"] = events(
        described=descriptions(**entries),
        **entries,
        **only("reserved_entry_groups"),
        tickets=rows("tickets"),
        configured_event_ids=["e2", "e7"],
    )
    made["start_list"] = start_list(
        **only("participants", "answers_by_column", "partners", "reserved_entry_groups")
    )
    made["partner_allocations"] = partner_allocations(
        **only("reserved_entry_groups", "partners"), claimed=claims, events=made["events"]
    )
    made["data_issues"] = data_issues(
        start_list=made["start_list"],
        partner_allocations=made["partner_allocations"],
        **only("reserved_entry_groups"),
        claimed=claims,
        ended=ended(frames["participants"]),
        starts=starts(frames["participants"]),
        unmapped_questions=questions(("Shirt size", 2)),
        birth_dates_given=pl.DataFrame({"race_id": ["r1"], "answered": [2]}),
        now=NOW,
    )
    return made


@given(frames=INPUTS)
@settings(max_examples=25, **PATIENT)
def test_whatever_the_frames_hold(frames: Frames) -> None:
    made = build(frames)
    check_each_mart_is_its_registry_table_with_its_key(made)
    check_one_row_per_live_participant(frames, made)
    check_sums_agree(made)
    check_start_list_and_allocations_attribute_alike(frames, made)


def test_sql_strips_what_polars_strips() -> None:
    characters = [chr(each) for each in range(sys.maxunicode + 1) if not 0xD800 <= each < 0xE000]
    frame = pl.DataFrame({"character": characters})
    blank = frame.filter(pl.col("character").str.strip_chars() == "")["character"]
    assert sorted(blank) == sorted(WHITE_SPACE)
    texts = pl.concat(
        frame.select(pl.format(shape, "character").alias("text"))
        for shape in ("{}", "a{}", "{}a", "a{}a", "{} é ")
    )
    with duckdb.connect() as connection, registered(connection, "texts", texts):
        stripped = connection.sql(f"SELECT text, {trimmed('text')} AS stripped FROM texts").pl()
    assert_series_equal(stripped["stripped"], stripped["text"].str.strip_chars(), check_names=False)


@given(frames=INPUTS, seed=st.integers(0, 1_000))
@settings(max_examples=12, **PATIENT)
def test_the_order_of_rows_does_not_matter(frames: Frames, seed: int) -> None:
    other = build({name: shuffled(frame, seed) for name, frame in frames.items()})
    for name, frame in build(frames).items():
        assert_frame_equal(frame, other[name])


def check_each_mart_is_its_registry_table_with_its_key(made: Frames) -> None:
    for name, frame in made.items():
        key = list(table(name).key)
        assert frame.schema == pl.Schema(table(name).schema)
        assert frame.select(pl.struct(key).is_unique().all()).item()
        assert frame.select(key).null_count().sum_horizontal().item() == 0
        order = ["event_id", "race_id", *key] if name == "start_list" else key
        assert_frame_equal(frame, frame.sort(order, nulls_last=True))


def check_one_row_per_live_participant(frames: Frames, made: Frames) -> None:
    listed = made["start_list"]
    live = frames["participants"].filter(pl.col("deleted_at").is_null())
    assert sorted(listed["participant_id"]) == sorted(live["participant_id"])
    redacted = listed.filter("is_redacted").select(table("start_list").forgotten_columns)
    assert redacted.null_count().sum_horizontal().item() == redacted.height * redacted.width
    assert set(listed["entry_route"]) <= {"reserved_entry", "application", "general"}


def check_sums_agree(made: Frames) -> None:
    listed = made["start_list"]
    for mart, key in (("races", "race_id"), ("events", "event_id")):
        counts = dict(listed[key].drop_nulls().value_counts().iter_rows())
        stated = dict(made[mart].select(key, "participants").iter_rows())
        assert {each: count for each, count in stated.items() if count} == counts
    assert made["races"]["participants_with_bib"].sum() == len(
        present(listed.filter(pl.col("race_id").is_not_null())["bib_number"].to_list())
    )
    known = made["races"]["event_id"].drop_nulls()
    assert made["events"]["races"].sum() == len(known)
    assert set(known) | {"e2", "e7"} <= set(made["events"]["event_id"])


def check_start_list_and_allocations_attribute_alike(frames: Frames, made: Frames) -> None:
    allocations = made["partner_allocations"]
    listed = made["start_list"].group_by("reserved_entry_group_id").len()
    both = allocations.join(listed, on="reserved_entry_group_id", how="left").fill_null(0)
    assert both["participants_matched"].to_list() == both["len"].to_list()
    live = frames["reserved_entry_groups"].filter(pl.col("deleted_at").is_null())
    assert set(allocations["reserved_entry_group_id"]) == set(live["reserved_entry_group_id"])
