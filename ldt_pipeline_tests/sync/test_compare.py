"""What we hold beside what a list says of itself: whole, and while it moves by what stands still."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.positions import OVERLAP, record_position
from ldt_pipeline.instants import format_instant
from ldt_pipeline.raw import RawStore, Walk
from ldt_pipeline.sync.compare import compare_with_api, compare_with_raw, keep_total
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.api.scripted import Scripted, answer
from ldt_pipeline_tests.warehouse.histories import START, Extract, write

MINUTE = timedelta(minutes=1)
LATER = START + MINUTE
READ_AT = START + 10 * MINUTE
QUIET = READ_AT - OVERLAP


def person(record_id: str, changed: datetime, created: datetime = START) -> dict[str, str]:
    return {
        "id": record_id,
        "createdAt": created.isoformat(),
        "updatedAt": changed.isoformat(),
    }


def page(total: int | None, newest: datetime) -> bytes:
    return answer({"data": [person("a", newest)], "page": {"totalResults": total}})


def note_reading(store: RawStore, newest: datetime | None = START) -> None:
    walk = Walk(
        walk_id="w",
        feed=PARTICIPANTS.name,
        after=None,
        before=None,
        started_at=READ_AT,
        newest_updated_at=newest,
        total=3,
        distinct=3,
        proved_by="total",
        walks=1,
        extracts=(),
    )
    record_position(store, walk, None)


@pytest.mark.parametrize(
    ("answers", "agrees", "created_before"),
    [
        ([page(3, START)], True, None),
        ([page(2, START)], False, None),
        ([page(4, START)], False, None),
        ([page(None, START)], True, None),
        ([page(3, START + MINUTE)], True, None),
        ([page(4, START + MINUTE), page(2, START)], True, QUIET),
        ([page(4, START + MINUTE), page(3, START)], False, QUIET),
        ([page(3, START - MINUTE)], True, None),
        ([page(2, START - MINUTE)], False, None),
    ],
)
def test_a_list_is_compared_whole_unless_it_moved(
    answers: list[bytes], agrees: bool, created_before: datetime | None, tmp_path: Path
) -> None:
    """Of three that we hold one was made after the last reading but for what may come late."""
    store = RawStore(str(tmp_path / "raw"))
    people = [person("a", START), person("b", START), person("c", START, QUIET + MINUTE)]
    write(store, [Extract("participants", "2025-01", tuple(map(json.dumps, people)))])
    note_reading(store)
    with (
        Scripted(*answers) as api,
        Client(base_url=api.base_url, api_key="k", retries=0) as client,
        open_warehouse(tmp_path / "w.duckdb") as connection,
    ):
        load_pending(connection, store)
        found = compare_with_api(client, store, connection, PARTICIPANTS)
    assert (found.agrees, found.created_before) == (agrees, created_before)
    assert len(api.requests) == len(answers)
    if created_before is not None:
        assert quote(format_instant(created_before), safe="") in api.requests[1]


def test_a_list_that_was_empty_moves_with_its_first_record(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path / "raw"))
    note_reading(store, None)
    with (
        Scripted(page(1, LATER), page(0, LATER)) as api,
        Client(base_url=api.base_url, api_key="k", retries=0) as client,
        open_warehouse(tmp_path / "w.duckdb") as connection,
    ):
        found = compare_with_api(client, store, connection, PARTICIPANTS)
    assert (found.agrees, found.created_before) == (True, QUIET)


@pytest.mark.parametrize(
    ("answers", "is_kept"),
    [([page(3, START)], True), ([page(2, START)], False), ([page(4, LATER), page(2, START)], True)],
)
def test_a_rebuild_is_compared_with_what_agreed_last(
    answers: list[bytes], *, is_kept: bool, tmp_path: Path
) -> None:
    """As it was asked: whole, or up to when the list stood still. What never agreed proves nothing."""
    store = RawStore(str(tmp_path / "raw"))
    people = [person("a", START), person("b", START), person("c", START, QUIET + MINUTE)]
    write(store, [Extract("participants", "2025-01", tuple(map(json.dumps, people)))])
    note_reading(store)
    with (
        Scripted(*answers) as api,
        Client(base_url=api.base_url, api_key="k", retries=0) as client,
        open_warehouse(tmp_path / "w.duckdb") as connection,
    ):
        assert compare_with_raw(store, connection, PARTICIPANTS) is None
        load_pending(connection, store)
        asked = compare_with_api(client, store, connection, PARTICIPANTS)
        keep_total(store, asked)
        assert compare_with_raw(store, connection, PARTICIPANTS) == (asked if is_kept else None)
