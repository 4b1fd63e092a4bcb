"""Guarantees that hold for any records whatsoever."""

from __future__ import annotations

import json
import os
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ldt_pipeline.tables import table
from ldt_pipeline.tidy import (
    LINEAGE,
    Tidied,
    decode,
    feed,
    shapes,
    tidy_applications,
    tidy_participants,
    tidy_partners,
    tidy_reserved_entries,
    tidy_tickets,
)
from ldt_pipeline_tests.tidy.records import Tidy, child, parent, raw

FEEDS: dict[Tidy, shapes.Shape] = {
    tidy_participants: shapes.PARTICIPANT,
    tidy_applications: shapes.APPLICATION,
    tidy_partners: shapes.PARTNER,
    tidy_reserved_entries: shapes.RESERVED_ENTRY_GROUP,
    tidy_tickets: shapes.TICKET,
}
# LDT_TEST_EXAMPLES=500 searches longer, and elsewhere each time.
EXAMPLES = os.environ.get("LDT_TEST_EXAMPLES")
PROPERTY = settings(
    max_examples=int(EXAMPLES or 12),
    deadline=None,
    derandomize=EXAMPLES is None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *("", " ", "a@b", "12", "-7.5", "1e5", "true", "0", "GBP", "\ud800", "\0", "x" * 50),
            *("2023-05-08T11:30:00.000Z", "2023-05-08", "1683545400", "0001-01-01T00:00:00+10:00"),
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**63), 2**64, 10**30, 1683545400000]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
NESTED_KEYS = sorted(
    {
        key
        for shape in FEEDS.values()
        for each in (*shape.tree, *shapes.RESERVED_ENTRY_TICKET.tree)
        if each.path
        for key in each.known
    }
)
KEYS = st.one_of(st.sampled_from(NESTED_KEYS), st.text(max_size=3))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def members(shape: shapes.Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Make members of records of a shape: known keys mostly, with any values."""
    keys = st.one_of(st.sampled_from(sorted(shape.known - {"id", "ticketId"})), st.text(max_size=3))
    return st.dictionaries(
        keys.filter(lambda key: key not in {"id", "ticketId"}), VALUES, max_size=6
    )


def batches(shape: shapes.Shape) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(members(shape), min_size=1, max_size=5).map(
        lambda every: [{"id": f"r{n}", **each} for n, each in enumerate(every)]
    )


def assert_well_formed(tidied: Tidied, frame: pl.DataFrame) -> None:
    """Each record is in the parent table or rejected; all frames have their schemas."""
    numbers = [*parent(tidied)["record_number"], *tidied.rejected["record_number"]]
    assert sorted(numbers) == frame["record_number"].to_list()
    assert parent(tidied)["record_number"].is_sorted()
    for name, found in tidied.tables.items():
        schema = {key: type_ for key, type_ in table(name).schema.items() if key != "deleted_at"}
        assert {key: type_ for key, type_ in found.schema.items() if key in schema} == schema
        extra = LINEAGE if found is parent(tidied) else LINEAGE[:2]
        assert found.columns == [*schema, *extra]
        if found is not parent(tidied):
            assert found.select(table(name).key).is_duplicated().sum() == 0
    # DuckDB and Parquet take what can be written as UTF-8 without NUL.
    for found in (*tidied.tables.values(), tidied.drift, tidied.rejected):
        assert "\0" not in found.select(pl.col(pl.String)).write_json()


@pytest.mark.parametrize("tidy", FEEDS)
@given(data=st.data())
@PROPERTY
def test_any_value_anywhere_never_costs_a_record(tidy: Tidy, data: st.DataObject) -> None:
    records = data.draw(batches(FEEDS[tidy]))
    frame = raw(*records)
    tidied = tidy(frame)
    assert tidied.rejected.is_empty()
    assert parent(tidied).to_series(0).to_list() == [each["id"] for each in records]
    assert_well_formed(tidied, frame)


@pytest.mark.parametrize("tidy", FEEDS)
@given(data=st.data())
@PROPERTY
def test_both_readers_agree(tidy: Tidy, data: st.DataObject) -> None:
    frame = raw(*data.draw(batches(FEEDS[tidy])))
    fast = tidy(frame)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_needs_care", lambda _: True)
        patient = tidy(frame)
    assert patient.slow_records == frame.height
    assert_same(fast, patient)


@pytest.mark.parametrize("tidy", FEEDS)
@given(data=st.data())
@PROPERTY
def test_mangled_records_are_kept_or_rejected_one_by_one(tidy: Tidy, data: st.DataObject) -> None:
    records = [json.dumps(each).encode() for each in data.draw(batches(FEEDS[tidy]))]
    mangled = [data.draw(mangling(record)) for record in records]
    frame = raw(*mangled, {"id": "last"})
    tidied = tidy(frame)
    assert_well_formed(tidied, frame)
    assert parent(tidied)["record_number"].to_list()[-1] == len(records) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_needs_care", lambda _: True)
        assert_same(tidied, tidy(frame))


@st.composite
def mangling(draw: st.DrawFn, record: bytes) -> bytes:
    """Change some bytes: cut, insert, replace."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(record)))
        stop = min(len(record), start + draw(st.integers(0, 4)))
        new = draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"{", b"\\u0000", b","]))
        )
        record = record[:start] + new + record[stop:]
    return record


@pytest.mark.parametrize("tidy", FEEDS)
@given(data=st.data(), cut=st.integers(0, 5))
@PROPERTY
def test_a_frame_may_be_cut_anywhere(tidy: Tidy, data: st.DataObject, cut: int) -> None:
    frame = raw(*data.draw(batches(FEEDS[tidy])))
    whole = tidy(frame)
    parts = [tidy(frame[:cut]), tidy(frame[cut:])]
    for name, found in whole.tables.items():
        assert_frame_equal(found, pl.concat([each.tables[name] for each in parts]))
    assert_frame_equal(whole.rejected, pl.concat([each.rejected for each in parts]))
    assert_frame_equal(whole.drift, added_up([each.drift for each in parts]))


@given(records=batches(shapes.PARTICIPANT))
@PROPERTY
def test_blocks_make_no_difference(records: list[dict[str, Any]]) -> None:
    frame = raw(*records)
    whole = tidy_participants(frame)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "BLOCK", 2)
        patch.setattr(feed, "BLOCKS_PER_FLUSH", 1)
        assert_same(whole, tidy_participants(frame))


@given(records=st.lists(st.one_of(VALUES, st.binary(max_size=20)), max_size=5))
@PROPERTY
def test_anything_at_all_is_kept_or_rejected(records: list[Any]) -> None:
    frame = raw(*records)
    assert_well_formed(tidy_participants(frame), frame)


def test_every_key_that_a_bare_value_stands_for_is_a_usual_one() -> None:
    for shape in (*FEEDS.values(), shapes.RESERVED_ENTRY_TICKET):
        for each in shape.tree:
            assert {each.bare, each.bare_email} - {None} <= set(each.usual)
            assert each.whole <= set(each.usual)
            assert len(each.known) == len(each.usual) + len(each.rare) + len(each.ignored)
            assert set(each.nested_by_key) <= each.known
            assert all(key.isidentifier() for key in each.known)


def assert_same(one: Tidied, other: Tidied) -> None:
    for name, found in one.tables.items():
        assert_frame_equal(found, other.tables[name])
    assert_frame_equal(one.rejected, other.rejected)
    assert_frame_equal(one.drift, other.drift)


def added_up(drifts: list[pl.DataFrame]) -> pl.DataFrame:
    """Add up the drift of several frames."""
    return (
        pl.concat(drifts)
        .group_by("path", "value_type")
        .agg(pl.col("records").sum(), pl.col("first_seen_at").min(), pl.col("last_seen_at").max())
        .sort("path", "value_type")
    )


def test_children_belong_to_the_records_that_they_are_in() -> None:
    records = [{"id": n, "fields": [{"label": "Q", "value": n}] * (n % 4)} for n in range(300)]
    frame = child(tidy_participants(raw({"no": "id"}, *records)))
    assert frame["participant_id"].to_list() == frame["answer"].to_list()
    assert frame["record_number"].to_list() == [
        int(each) + 2 for each in frame["participant_id"].to_list()
    ]
