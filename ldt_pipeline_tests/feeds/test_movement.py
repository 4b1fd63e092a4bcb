"""Entries arrive, change and vanish while a list is read: nothing is lost, whatever a cursor is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import IncompleteWalkError
from ldt_pipeline.api.paging import ListRequest, Proof, walk
from ldt_pipeline.api.windows import Window, walk_window
from ldt_pipeline.feeds import reader
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes, fetch_everything
from ldt_pipeline.raw import RawStore
from ldt_pipeline_tests.api.scripted import Scripted, answer
from ldt_pipeline_tests.feeds.movement import (
    MOVES,
    Move,
    Mover,
    add,
    assert_holds,
    client_of,
    delete_and_add,
    records,
    serve,
    update_any,
    update_many,
)
from ldt_pipeline_tests.other_api import Readings

REQUEST = ListRequest(operation=PARTICIPANTS.operation)
CURSORS: list[Any] = ["opaque", "record_id", "offset"]


def reading(cursors: Any, **others: Any) -> Readings:
    return Readings(cursors=cursors, max_page_size=10, **others)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
@pytest.mark.parametrize("cursors", CURSORS)
def test_a_move_before_each_request(move: Move, cursors: Any, tmp_path: Path) -> None:
    """Whatever moved meanwhile: after this load and one more look, all of it is there."""
    at = 1
    while True:
        dataset = records(28)
        mover = Mover(dataset, move, at=at)
        store = RawStore(str(tmp_path / str(at)))
        with serve(dataset, reading(cursors), mover) as api, client_of(api) as client:
            fetch_changes(client, store, PARTICIPANTS)
            has_moved = mover.requests >= at
            mover.is_on = False
            fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        if not has_moved:
            break
        at += 1
    assert at > 5


@pytest.mark.parametrize("move", [add, update_any, delete_and_add], ids=lambda move: move.__name__)
@pytest.mark.parametrize("cursors", CURSORS)
@pytest.mark.parametrize("total_results", ["right", "remaining"])
def test_a_list_that_never_stands_still(
    move: Move, cursors: Any, total_results: Any, tmp_path: Path
) -> None:
    """In the first hour of a ballot something moves before every request."""
    dataset = records(95, newest=datetime.now(UTC), step_seconds=1)
    mover = Mover(dataset, move, at=None)
    store = RawStore(str(tmp_path))
    readings = reading(cursors, total_results=total_results)
    with serve(dataset, readings, mover) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        mover.is_on = False
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)


@pytest.mark.parametrize("cursors", CURSORS)
def test_a_list_that_changes_faster_than_it_is_read(cursors: Any, tmp_path: Path) -> None:
    """It ends: with all of it, or with an error and nothing."""
    dataset = records(95, newest=datetime.now(UTC), step_seconds=1)
    mover = Mover(dataset, update_many, at=None)
    store = RawStore(str(tmp_path))
    with serve(dataset, reading(cursors), mover) as api, client_of(api) as client:
        try:
            fetch_changes(client, store, PARTICIPANTS)
        except IncompleteWalkError:
            assert not store.manifests()
        mover.is_on = False
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)


@pytest.mark.parametrize("move", [add, update_any, delete_and_add], ids=lambda move: move.__name__)
@pytest.mark.parametrize("cursors", CURSORS)
def test_windows_while_everything_moves(
    move: Move, cursors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_WINDOW_RECORDS_MOST", 20)
    dataset = records(95)
    mover = Mover(dataset, move, at=None)
    store = RawStore(str(tmp_path))
    with serve(dataset, reading(cursors), mover) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        fetch_everything(client, store, PARTICIPANTS, known={})
        mover.is_on = False
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)


def test_a_record_that_arrives_does_not_make_up_for_one_that_was_skipped() -> None:
    """By offsets, a deletion moves the next page past a record; the count agrees all the same."""
    dataset = records(45)
    mover = Mover(dataset, delete_and_add, at=5)
    with serve(dataset, reading("offset"), mover) as api, client_of(api) as client:
        pages = walk_window(client, REQUEST, Window(), Proof())
        seen = {each.id for page in pages for each in page}
    assert mover.requests > 5
    assert seen >= {each["id"] for each in dataset.live("participants")}


def test_a_page_that_holds_everything_needs_no_second_walk() -> None:
    dataset = records(8)
    mover = Mover(dataset, add, at=2)
    readings = reading("opaque", end_of_list="last_cursor_again")
    with serve(dataset, readings, mover) as api, client_of(api) as client:
        proof = Proof()
        assert sum(len(page) for page in walk(client, REQUEST, proof)) in (8, 9)
    assert (proof.by, proof.walks) in {("total", 1), ("total", 2)}


def test_a_cursor_of_a_record_that_has_gone(tmp_path: Path) -> None:
    """The server answers 400 for it: the walk is broken, the list is not."""
    dataset = records(45)

    def delete_cursor(method: str, path: str, query: Any) -> None:
        cursor = query.get("page[after]")
        if cursor and not dataset.deleted("participants"):
            dataset.delete("participants", cursor)

    readings = reading("record_id", deleted_cursor="bad_request")
    store = RawStore(str(tmp_path))
    with serve(dataset, readings, delete_cursor) as api, client_of(api) as client:  # type: ignore[arg-type]
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)
    assert len(dataset.live("participants")) == 44


def test_a_list_that_is_never_whole_is_an_error() -> None:
    readings = reading("opaque", ties="random")
    dataset = records(60, step_seconds=0)
    with (
        serve(dataset, readings) as api,
        client_of(api) as client,
        pytest.raises(IncompleteWalkError),
    ):
        list(walk_window(client, REQUEST, Window(), Proof()))


def test_a_list_that_began_within_this_second_is_closed_in_the_middle_of_it() -> None:
    """At the second's beginning it would hold nothing, and stay open at its end for ever."""
    began = datetime(2025, 1, 31, 12, 0, 0, 100_000, tzinfo=UTC)
    newest = began.replace(microsecond=900_000)
    first, last = (
        {"id": each.isoformat(), "updatedAt": each.isoformat()} for each in (began, newest)
    )
    answers = [
        answer({"data": data, "page": {"totalResults": 2}}, Date="Fri, 31 Jan 2025 12:00:00 GMT")
        for data in ([first], [last], [first, last])
    ]
    with (
        Scripted(*answers) as api,
        Client(base_url=api.base_url, api_key="k", retries=0) as client,
    ):
        seen = [
            each.id
            for page in walk_window(client, REQUEST, Window(after=began), Proof())
            for each in page
        ]
    assert set(seen) == {first["id"], last["id"]}
    queries = [parse_qs(request.split()[1].partition("?")[2]) for request in api.requests]
    after = {"2025-01-31T12:00:00.099Z"}
    assert ["updatedAt[before]" in each for each in queries[:3]] == [False, False, True]
    assert {*queries[1]["updatedAt[after]"]} == after, "of its own changes, not of the whole list's"
    assert queries[2]["updatedAt[before]"] == ["2025-01-31T12:00:00.901Z"]
