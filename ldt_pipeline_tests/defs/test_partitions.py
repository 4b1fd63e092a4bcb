"""Ranges of partitions: each wanted key is covered, in few runs."""

from __future__ import annotations

from dagster._core.definitions.partitions.utils.base import (
    raise_error_on_invalid_partition_key_substring,
)
from hypothesis import given
from hypothesis import strategies as st

from ldt_pipeline.defs.partitions import clamp_months, contiguous_ranges, id_of, key_of
from ldt_pipeline.settings import Settings

EXISTING = [f"event-{number}" for number in range(60)]


@given(st.sets(st.sampled_from(EXISTING)), st.integers(1, 8))
def test_every_wanted_key_is_covered_by_few_ranges(wanted, most) -> None:
    ranges = contiguous_ranges(sorted(wanted), EXISTING, most=most)
    covered = [
        key
        for first, last in ranges
        for key in EXISTING[EXISTING.index(first) : EXISTING.index(last) + 1]
    ]
    assert wanted <= set(covered)
    assert len(covered) == len(set(covered))
    assert len(ranges) <= most


@given(st.sets(st.sampled_from(EXISTING), min_size=1))
def test_nothing_else_is_covered_where_that_takes_few_ranges(wanted) -> None:
    ranges = contiguous_ranges(sorted(wanted), EXISTING, most=len(EXISTING))
    sizes = [EXISTING.index(last) - EXISTING.index(first) + 1 for first, last in ranges]
    assert sum(sizes) == len(wanted)


def test_what_is_older_than_the_history_counts_for_its_first_month() -> None:
    assert clamp_months(Settings(), "2012-05", "2021-02") == ("2020-01", "2021-02")
    assert clamp_months(Settings(), "2012-05", "2013-02") == ("2020-01", "2020-01")


ORDINARY = st.text("0123456789abcdefXYZ-_.:~/ é日", min_size=1).filter(
    lambda text: "..." not in text and text == text.strip(" ")
)
ODD = st.text() | st.text('.%2E \n\t\0"[],*|\u202e\u2028', max_size=12)


@given(ORDINARY)
def test_an_ordinary_id_is_its_own_key(record_id) -> None:
    assert key_of(record_id) == record_id


@given(ODD)
def test_every_id_has_a_key_that_dagster_takes_and_that_leads_back(record_id) -> None:
    key = key_of(record_id)
    assert id_of(key) == record_id
    raise_error_on_invalid_partition_key_substring([key])
    assert key.isprintable()
    assert key == key.strip()
    assert not set('"*,[]|') & set(key)


@given(st.lists(ODD, unique=True, max_size=6))
def test_no_two_ids_have_one_key(ids) -> None:
    assert len({key_of(each) for each in ids}) == len(ids)
