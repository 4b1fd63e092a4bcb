"""How far a feed was read, what is left of a window, and which versions are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from ldt_pipeline.api import paging
from ldt_pipeline.api.errors import ServerError
from ldt_pipeline.api.paging import record_of
from ldt_pipeline.api.windows import Window
from ldt_pipeline.feeds import changes, reader
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes, fetch_everything, fetch_months, has_unseen
from ldt_pipeline.feeds.positions import (
    OVERLAP,
    Position,
    known_since,
    position,
    record_position,
    without_covered,
)
from ldt_pipeline.instants import format_instant
from ldt_pipeline.raw import DELETIONS, RawStore, Walk
from ldt_pipeline_tests.feeds.movement import (
    assert_holds,
    client_of,
    newest_stored,
    record,
    records,
    serve,
)
from ldt_pipeline_tests.other_api import Readings
from ldt_pipeline_tests.warehouse.histories import START

MILLISECOND = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)
LEAST = timedelta(microseconds=1)
numbers = count()


def a_walk(**values: Any) -> Walk:
    given: dict[str, Any] = {
        **{"walk_id": f"walk{next(numbers)}", "feed": PARTICIPANTS.name, "after": None},
        **{"before": None, "started_at": START, "newest_updated_at": None, "total": 0},
        **{"distinct": 0, "proved_by": "total", "walks": 1, "extracts": ()},
    }
    return Walk(**{**given, **values})


@pytest.mark.parametrize(
    ("watermark", "read", "is_settled", "next_after"),
    [
        (None, timedelta(0), True, None),
        (-MINUTE, timedelta(0), False, -MINUTE - OVERLAP),
        (-MINUTE, OVERLAP - LEAST, False, -MINUTE - OVERLAP),
        (-MINUTE, OVERLAP, True, -MINUTE + 2 * MILLISECOND),
        (OVERLAP, OVERLAP, True, OVERLAP + 2 * MILLISECOND),
        (OVERLAP + LEAST, OVERLAP, False, timedelta(0)),
        (timedelta(days=400), 9 * OVERLAP, False, 8 * OVERLAP),
    ],
)
def test_what_may_still_appear_is_read_again(
    watermark: timedelta | None, read: timedelta, is_settled: bool, next_after: timedelta | None
) -> None:
    at = Position(
        watermark=None if watermark is None else START + watermark,
        seen_at=START,
        read_at=START + read,
    )
    assert at.is_settled == is_settled
    assert at.next_after == (None if next_after is None else START + next_after)


def test_a_watermark_was_first_seen_when_it_was_first_seen(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))
    assert position(store, PARTICIPANTS) is None
    seen_at: list[datetime] = []
    for minute, watermark in enumerate([START, START, START + MINUTE, START + MINUTE]):
        store.write_walk(a_walk(before=START))
        walk = a_walk(newest_updated_at=watermark, started_at=START + minute * MINUTE)
        record_position(store, walk, position(store, PARTICIPANTS))
        at = position(store, PARTICIPANTS)
        assert at is not None
        assert (at.watermark, at.read_at) == (watermark, START + minute * MINUTE)
        assert [each.before for each in store.walks(PARTICIPANTS.name)] == [None]
        seen_at.append(at.seen_at)
    assert seen_at == [START, START, START + 2 * MINUTE, START + 2 * MINUTE]


spans = st.tuples(st.integers(-1, 11), st.integers(1, 12)).map(
    lambda each: (None if each[0] < 0 else each[0], None if sum(each) > 12 else sum(each))
)
"""From one minute, or the beginning, to a later one, or the end."""


@settings(max_examples=40, deadline=None, derandomize=True)
@given(window=spans, covered=st.lists(spans, max_size=5))
def test_what_is_left_is_the_window_without_what_was_covered(
    window: tuple[int | None, int | None], covered: list[tuple[int | None, int | None]]
) -> None:
    def instant(number: int | None) -> datetime | None:
        return None if number is None else START + number * MINUTE

    def instants(after: datetime | None, before: datetime | None) -> set[int]:
        return {
            number
            for number in range(-1, 14)
            if (after is None or START + number * MINUTE >= after)
            and (before is None or START + number * MINUTE < before)
        }

    store = RawStore(UPath(f"memory://positions{next(numbers)}/raw"))
    expected = instants(*map(instant, window))
    for after, before in covered:
        store.write_walk(a_walk(after=instant(after), before=instant(before)))
        if before is not None:  # else it is the tail, which covers nothing for good
            expected -= instants(instant(after), instant(before))
    whole = Window(after=instant(window[0]), before=instant(window[1]))
    left = [
        instants(each.after, each.before) for each in without_covered(whole, store, PARTICIPANTS)
    ]
    assert set().union(*left) == expected
    assert sum(map(len, left)) == len(expected), "nothing is read twice"


def version(record_id: str, bib: int, minute: int | None, *, redacted: bool = False) -> bytes:
    changed = {} if minute is None else {"updatedAt": (START + minute * MINUTE).isoformat()}
    record = {"id": record_id, "bibNumber": bib, "gdprRedacted": redacted, **changed}
    return json.dumps(record).encode()


def test_known_is_the_version_that_the_warehouse_takes(tmp_path: Path) -> None:
    """Of whom nothing is known, or another version, is stored again each time that it is read."""
    store = RawStore(str(tmp_path))
    far = 60 * 24 * 400
    extracts: list[list[bytes]] = [
        [
            *(version("later", 0, 1), version("earlier", 0, 5), version("same", 0, 1)),
            *(version("undated", 0, 1), version("future", 0, far)),
            *(version("redacted", 0, 1, redacted=True), version("gone", 0, 1)),
            *(version("back", 0, 1), version("twice", 0, 1), version("twice", 1, 1)),
        ],
        [version("gone", 0, None), version("back", 0, None)],
        [
            *(version("later", 1, 5), version("earlier", 1, 1), version("same", 1, 1)),
            *(version("undated", 1, None), version("future", 1, 11)),
            *(version("redacted", 1, 5), version("back", 0, 1)),
        ],
    ]
    for number, bodies in enumerate(extracts):
        is_deletions = number == 1
        writer = store.writer(
            feed=DELETIONS if is_deletions else PARTICIPANTS.name,
            partition_key="of" if is_deletions else PARTICIPANTS.partition_key,
            partition=PARTICIPANTS.name if is_deletions else "2025-01",
            extracted_at=START + (10 + number) * MINUTE,
            source={},
        )
        for body in bodies:
            writer.append(body, record_of(body).updated_at)
        writer.commit()
    winners = {
        "later": version("later", 1, 5),
        "earlier": version("earlier", 0, 5),
        "same": version("same", 1, 1),
        "undated": version("undated", 0, 1),
        "future": version("future", 1, 11),
        "redacted": version("redacted", 0, 1, redacted=True),
        "back": version("back", 0, 1),
        "twice": version("twice", 1, 1),
    }
    found = known_since(store, PARTICIPANTS, START)
    assert found == {record_id: record_of(body).hash for record_id, body in winners.items()}
    assert known_since(store, PARTICIPANTS, None) == {}


@pytest.mark.parametrize(
    ("after", "is_known"),
    [(timedelta(0), True), (MILLISECOND, True), (MILLISECOND + LEAST, False)],
)
def test_what_windows_are_wider_by_is_known(
    after: timedelta, is_known: bool, tmp_path: Path
) -> None:
    store = RawStore(str(tmp_path))
    writer = store.writer(
        feed=PARTICIPANTS.name,
        partition_key=PARTICIPANTS.partition_key,
        partition="2025-01",
        extracted_at=START,
        source={},
    )
    writer.append(version("a", 0, 0), START)
    writer.commit()
    assert ("a" in known_since(store, PARTICIPANTS, START + after)) == is_known


@pytest.mark.usefixtures("short_windows")
def test_a_load_that_goes_on_sees_what_was_committed_late(tmp_path: Path) -> None:
    """It lies before the end of what was read, and could not be seen when that was read."""
    newest = datetime(2025, 6, 1, tzinfo=UTC)
    dataset = records(200, newest=newest)

    def fail_in_tail(method: str, path: str, query: Mapping[str, str]) -> None:
        if "updatedAt[after]" in query and "updatedAt[before]" not in query:
            raise RuntimeError("down")

    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        api.before_request = fail_in_tail
        with pytest.raises(ServerError):
            fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        api.before_request = None
        dataset.put("participants", record("late", newest - timedelta(minutes=4)))
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert fetched.seen < 20


@pytest.mark.usefixtures("short_windows")
@pytest.mark.parametrize("is_whole", [False, True])
def test_what_is_committed_late_beside_a_long_reading_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_whole: bool
) -> None:
    """The end of a list was read at the beginning of the reading that ended there; and the newest change
    is as old as its end."""
    clock, step = START, timedelta(seconds=1)
    newest = START + timedelta(hours=1)
    dataset = records(60, newest=START)

    def move(method: str, path: str, query: Mapping[str, str]) -> None:
        nonlocal clock
        clock += step
        if query.get("updatedAt[after]", "").startswith("1969") and clock < newest:
            # Closed windows were read; the tail wasn't.
            dataset.touch("participants", "p00007", at=START - 2 * MINUTE)
            clock = newest
            dataset.touch("participants", "p00003", at=newest)

    for module in (paging, reader, changes):
        monkeypatch.setattr(module, "now", lambda: clock)
    store = RawStore(str(tmp_path))
    readings = Readings(max_page_size=10, date_header=False)
    with serve(dataset, readings) as api, client_of(api) as client:
        if is_whole:
            fetch_changes(client, store, PARTICIPANTS)
            api.before_request = move
            known = known_since(store, PARTICIPANTS, START - timedelta(days=1))
            fetch_everything(client, store, PARTICIPANTS, known=known)
        else:
            api.before_request = move
            fetch_changes(client, store, PARTICIPANTS)
        assert newest_stored(store)["p00003"] == format_instant(newest)
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        at = position(store, PARTICIPANTS)
        assert at is not None
        assert (at.watermark, at.read_at > newest) == (newest, True)
        dataset.touch("participants", "p00011", at=newest - timedelta(seconds=10))
        assert has_unseen(client, store, PARTICIPANTS, at)
        dataset.touch("participants", "p00003", at=newest + timedelta(seconds=1))
        fetch_changes(client, store, PARTICIPANTS)
    assert_holds(store, dataset)
    assert clock < newest + OVERLAP


@pytest.mark.usefixtures("short_windows")
def test_a_whole_list_is_that_whatever_was_read_before(tmp_path: Path) -> None:
    """Months that somebody had read again, and a whole reading that was interrupted, leave nothing out."""
    dataset = records(100)
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        fetch_months(client, store, PARTICIPANTS, first="2025-05", last="2025-05")
        assert [each.before for each in store.walks("participants") if each.before]
        silent = dataset.live("participants")[50]
        dataset.put("participants", {**silent, "bibNumber": "7"})
        known = known_since(store, PARTICIPANTS, datetime(2000, 1, 1, tzinfo=UTC))
        fetched, identities = fetch_everything(client, store, PARTICIPANTS, known=known)
    assert identities == {each["id"] for each in dataset.live("participants")}
    assert fetched.records == 1
