"""Records that don't say when they changed are found wherever the API puts them, and stored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.api.answers import record_key
from ldt_pipeline.api.paging import ListRequest, record_of
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes, fetch_everything
from ldt_pipeline.feeds.undated import find_undated
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import look_for_damage, waiting
from ldt_pipeline_tests.feeds.movement import client_of, record, records, serve
from ldt_pipeline_tests.other_api import Dataset, Readings

UNDATED = {f"u{number:02d}" for number in range(25)}
PLACES: list[Any] = ["first", "in_no_window", "nowhere"]


@pytest.fixture
def dataset() -> Dataset:
    """Three pages of them, among 40 others."""
    dataset = records(40)
    template = dataset.live("participants")[0]
    for record_id in UNDATED:
        changed = record(record_id, template["updatedAt"], updatedAt=None)
        dataset.put("participants", changed)
    return dataset


@pytest.mark.parametrize("unchanged", PLACES)
@pytest.mark.parametrize("total_results", ["right", "remaining", "missing"])
def test_they_are_found_at_either_end(unchanged: Any, total_results: Any, dataset: Dataset) -> None:
    readings = Readings(max_page_size=10, unchanged=unchanged, total_results=total_results)
    request = ListRequest(operation=PARTICIPANTS.operation)
    with serve(dataset, readings) as api, client_of(api) as client:
        found = [each.id for each in find_undated(client, request)]
        assert len(found) == len(set(found))
        # What windows hold needn't be found; and where the API states no totals, lists are read in none.
        is_needed = unchanged != "first" and total_results != "missing"
        assert set(found) in ([UNDATED] if is_needed else [UNDATED, set()])
        assert len(api.requests) < 15


@pytest.mark.usefixtures("short_windows")
@pytest.mark.parametrize("unchanged", PLACES)
def test_they_are_stored_once(unchanged: Any, dataset: Dataset, tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))

    def stored() -> list[bytes]:
        return [
            body
            for manifest in store.manifests("participants")
            for batch in store.read(manifest, batch_records=1_000)
            for body in batch
        ]

    readings = Readings(max_page_size=10, unchanged=unchanged)
    with serve(dataset, readings) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        first = stored()
        assert {record_key(body)[0] for body in first} >= UNDATED
        known = {each.identity: each.hash for each in map(record_of, first)}
        dataset.touch("participants", "u00", bibNumber="7")
        dataset.put(
            "participants", {**dataset.live("participants")[0], "id": "n", "updatedAt": None}
        )
        fetched, identities = fetch_everything(client, store, PARTICIPANTS, known=known)
    assert identities == {each["id"] for each in dataset.live("participants")}
    assert {record_key(body)[0] for body in stored() if body not in first} == {"u00", "n"}
    assert fetched.records == 2


@pytest.mark.parametrize("unchanged", PLACES)
def test_they_are_read_again_with_a_month_that_was_damaged(
    unchanged: Any, dataset: Dataset, tmp_path: Path
) -> None:
    """They lie in the month in which they were read, and no window of it brings them."""
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(unchanged=unchanged)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        for path in tmp_path.glob("participants/*/*.zst"):
            path.write_bytes(path.read_bytes()[:-9])
        assert look_for_damage(store)
        fetch_changes(client, store, PARTICIPANTS)
    assert waiting(store) == []
    stored = {
        record_key(body)[0]
        for manifest in store.manifests("participants")
        for batch in store.read(manifest, batch_records=1_000)
        for body in batch
    }
    assert stored == {each["id"] for each in dataset.live("participants")}
