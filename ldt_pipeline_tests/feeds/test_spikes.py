"""Many records of one instant are read side by side, cut by when they were made; and nothing of that
is believed that isn't counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ldt_pipeline.api.errors import ServerError
from ldt_pipeline.api.windows import Window
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes, fetch_everything
from ldt_pipeline.feeds.positions import TAIL
from ldt_pipeline.feeds.spikes import Spike
from ldt_pipeline.raw import RawStore, Walk
from ldt_pipeline_tests.feeds.movement import (
    assert_holds,
    client_of,
    newest_stored,
    record,
    records,
    serve,
)
from ldt_pipeline_tests.other_api import Dataset, OtherApi, Readings
from ldt_pipeline_tests.other_api.paging import BadRequestError

DRAWN_AT = datetime(2025, 6, 1, 10, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("short_windows")


def drawn(count: int = 300, *, at: datetime = DRAWN_AT, made_apart: float = 600) -> Dataset:
    """Give a ballot: applications made one after the other, and all drawn at one instant."""
    dataset = records(40, newest=DRAWN_AT - timedelta(days=9))
    for number in range(count):
        made_at = DRAWN_AT - timedelta(days=5) + timedelta(seconds=made_apart * number)
        dataset.put("participants", record(f"d{number:04d}", at, createdAt=made_at))
    return dataset


def by_creation(api: OtherApi) -> list[Mapping[str, str]]:
    """Give the pages that were asked for by when their records were made."""
    return [
        query
        for _, _, query, _ in api.requests
        if any(name.startswith("createdAt[") for name in query) and query["page[size]"] != "1"
    ]


@pytest.mark.parametrize("readings", [
    Readings(max_page_size=10),
    Readings(max_page_size=10, after_inclusive=True, before_inclusive=True, cursors="record_id"),
    Readings(max_page_size=10, timestamps="seconds", total_results="remaining"),
    Readings(max_page_size=10, timestamps="microseconds", end_of_list="wraps_around"),
])  # fmt: skip
@pytest.mark.parametrize("later", [0, 30])
def test_it_is_cut_by_when_its_records_were_made(
    readings: Readings, later: int, tmp_path: Path
) -> None:
    """Also where some of them were made in a rush, and where the spike is the end of the list."""
    dataset = drawn(300)
    for number in range(60):
        made_at = DRAWN_AT - timedelta(days=3, milliseconds=number * 50)
        dataset.put("participants", record(f"r{number:04d}", DRAWN_AT, createdAt=made_at))
    for number in range(later):
        dataset.put("participants", record(f"l{number}", DRAWN_AT + timedelta(minutes=1 + number)))
    store = RawStore(str(tmp_path))
    with serve(dataset, readings) as api, client_of(api) as client:
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert fetched.walks > 20
        assert len(by_creation(api)) > 30
        # Each record once, but for those on bounds: neither the cuts nor the tail read it all again.
        assert fetched.seen < 1.3 * (400 + later)
        identities = fetch_everything(client, store, PARTICIPANTS, known={})[1]
        assert identities == {each["id"] for each in dataset.live("participants")}


@pytest.mark.parametrize("made", [{"made_apart": 0}, {"made_apart": 0.001}])
def test_it_is_read_as_one_where_its_records_were_made_at_once(
    made: dict[str, float], tmp_path: Path
) -> None:
    dataset = drawn(100, **made)
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert not by_creation(api)


def test_it_is_read_as_one_where_some_dont_say_when_they_were_made(tmp_path: Path) -> None:
    dataset = drawn(100)
    for number in range(5):
        dataset.put("participants", record(f"n{number}", DRAWN_AT, createdAt=None))
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert not by_creation(api)


def test_those_that_no_question_by_creation_gives_are_not_made_up_for_by_others(
    tmp_path: Path,
) -> None:
    """Some don't say when they were made, and as many of the same instant arrive while it is read."""
    dataset = drawn(200)
    for number in range(5):
        dataset.put("participants", record(f"n{number}", DRAWN_AT, createdAt=None))
        dataset.put("participants", record(f"l{number}", DRAWN_AT + timedelta(hours=1 + number)))
    store = RawStore(str(tmp_path))

    def arrive(method: str, path: str, query: Mapping[str, str]) -> None:
        if len(by_creation(api)) == 3:
            api.before_request = None
            for number in range(9):
                made_at = DRAWN_AT - timedelta(days=5) + timedelta(minutes=number)
                dataset.put("participants", record(f"x{number}", DRAWN_AT, createdAt=made_at))

    readings = Readings(max_page_size=10, unmade="nowhere")
    with serve(dataset, readings) as api, client_of(api) as client:
        api.before_request = arrive
        fetch_changes(client, store, PARTICIPANTS)
    assert {f"n{number}" for number in range(5)} <= newest_stored(store).keys()


@pytest.mark.parametrize("number", [1, 5])
def test_what_arrives_in_a_piece_that_was_read_is_noticed(number: int, tmp_path: Path) -> None:
    dataset = drawn(200)
    store = RawStore(str(tmp_path))

    def arrive(method: str, path: str, query: Mapping[str, str]) -> None:
        if len(by_creation(api)) >= 15:
            api.before_request = None
            for made in range(number):
                made_at = DRAWN_AT - timedelta(days=5) + timedelta(minutes=made)
                dataset.put("participants", record(f"x{made}", DRAWN_AT, createdAt=made_at))

    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        api.before_request = arrive
        fetch_changes(client, store, PARTICIPANTS)
        assert api.before_request is None
    assert_holds(store, dataset)


def test_what_arrives_after_all_pieces_were_read_is_noticed(tmp_path: Path) -> None:
    """Right before the spike is counted once more."""
    dataset = drawn(200)
    store = RawStore(str(tmp_path))

    def arrive(method: str, path: str, query: Mapping[str, str]) -> None:
        bounds = {"updatedAt[after]", "updatedAt[before]"}
        if query["page[size]"] == "1" and bounds <= query.keys() and by_creation(api):
            api.before_request = None
            dataset.put("participants", record("x", DRAWN_AT))

    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        api.before_request = arrive
        fetch_changes(client, store, PARTICIPANTS)
        assert api.before_request is None
    assert_holds(store, dataset)


class _Slow(list[Window]):
    """Pieces that take their time to be counted, so that other threads count theirs meanwhile."""

    def __len__(self) -> int:
        time.sleep(0.01)
        return super().__len__()


def test_pieces_that_are_cut_at_once_are_all_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces_by_creation = Window.pieces_by_creation
    monkeypatch.setattr(
        Window,
        "pieces_by_creation",
        lambda self, *args, **bounds: _Slow(pieces_by_creation(self, *args, **bounds)),
    )
    seen = list[int]()
    walk = Spike.walk

    def noting(self: Spike, *args: int) -> Walk | None:
        seen.append(len(self.identities))
        return walk(self, *args)

    monkeypatch.setattr(Spike, "walk", noting)
    dataset = drawn(600)
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
    assert seen == [600]


NEVER = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
)


@pytest.mark.parametrize("made_at", NEVER)
def test_instants_at_the_ends_of_time_are_instants(made_at: datetime, tmp_path: Path) -> None:
    """Programs write them where they have none."""
    dataset = drawn(100)
    dataset.put("participants", record("odd", DRAWN_AT, createdAt=made_at))
    dataset.put("participants", record("far", NEVER[1]))
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)


def test_it_is_read_as_one_where_the_api_does_not_narrow_by_creation(tmp_path: Path) -> None:
    dataset = drawn(100)
    store = RawStore(str(tmp_path))
    readings = Readings(max_page_size=10, narrows_by_creation=False)
    with serve(dataset, readings) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert not by_creation(api)


@pytest.mark.parametrize("timestamps", ["z_milliseconds", "microseconds", "seconds"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_it_is_not_read_again_for_what_comes_after_it(
    timestamps: Any, inclusive: bool, tmp_path: Path
) -> None:
    """Once nothing can appear at that instant any more."""
    dataset = drawn(200)
    store = RawStore(str(tmp_path))
    readings = Readings(max_page_size=10, timestamps=timestamps, after_inclusive=inclusive)
    with serve(dataset, readings) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        tail = store.walk("participants", TAIL)
        assert tail is not None
        earlier = tail.started_at - timedelta(hours=1)
        store.write_walk(msgspec.structs.replace(tail, newest_seen_at=earlier), name=TAIL)
        dataset.put("participants", record("later", DRAWN_AT + timedelta(seconds=9)))
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert (fetched.seen, fetched.records) == (1, 1)
        assert_holds(store, dataset)


def test_what_leaves_it_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    """A record that nobody saw may have gone, or been passed over: the whole is read again."""
    dataset = drawn(100)
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:

        def leave(method: str, path: str, query: Mapping[str, str]) -> None:
            if query.get("createdAt[after]") and query["page[size]"] != "1":
                api.before_request = None
                dataset.touch("participants", "d0099")

        api.before_request = leave
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert api.before_request is None
        assert_holds(store, dataset)
        assert fetched.seen >= 2 * 99


def test_pieces_of_a_spike_do_not_count_as_the_whole_where_one_fails(tmp_path: Path) -> None:
    dataset = drawn(200)
    store = RawStore(str(tmp_path))

    def fail_at_last(method: str, path: str, query: Mapping[str, str]) -> None:
        if len(by_creation(api)) > 12:
            raise RuntimeError("down")

    # One request at a time: some pieces are read when it fails, and some are not.
    one = {"max_in_flight": 1}
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api, **one) as client:
        api.before_request = fail_at_last
        with pytest.raises(ServerError):
            fetch_changes(client, store, PARTICIPANTS)
        held = newest_stored(store)
        assert any(each.startswith("d") for each in held)
        assert len(held) < 200
        api.before_request = None
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)


@pytest.mark.parametrize("refused", ["sort[createdAt]", "createdAt[after]"])
@pytest.mark.parametrize("error", [BadRequestError("no"), RuntimeError("down")])
def test_it_is_read_as_one_where_the_api_refuses_such_questions(
    refused: str, error: Exception, tmp_path: Path
) -> None:
    """Nothing says that bounds and orders of both times may be asked for together."""
    dataset = drawn(100)
    store = RawStore(str(tmp_path))

    def refuse(method: str, path: str, query: Mapping[str, str]) -> None:
        if refused in query:
            raise error

    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        api.before_request = refuse
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
