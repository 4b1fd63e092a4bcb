"""What we hold, as a sync is planned by it: told from a warehouse that a few extracts were loaded into."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from ldt_pipeline.allocations.journal import JOURNAL, Entry
from ldt_pipeline.instants import now
from ldt_pipeline.raw import DELETIONS, ListTotal, RawStore
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.state import EventState, State, read_state
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.books import Comparison
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.warehouse.histories import START, Extract, write

MINUTE = timedelta(minutes=1)


@pytest.fixture
def organiser(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, event_ids=("configured",))  # type: ignore[call-arg]


def entries(
    *ids: str,
    event: str = "e1",
    starts_in: timedelta | None = None,
    feed: str = "participants",
) -> Extract:
    starts = {} if starts_in is None else {"raceStartDate": (now() + starts_in).isoformat()}
    lines = (json.dumps({"id": each, "eventId": event, "raceId": "r1", **starts}) for each in ids)
    return Extract(feed, "2025-01", tuple(lines))


def gone(entity: str, *ids: str) -> Extract:
    return Extract(DELETIONS, entity, tuple(json.dumps({"id": each}) for each in ids))


def groups(event: str = "e1") -> Extract:
    return Extract("reserved_entries", event, ())


def tickets(event: str = "e1") -> Extract:
    return Extract("tickets", event, ())


def state_of(organiser: Settings, *loaded: Extract) -> State:
    """Load extracts, of which each was read a minute after the one before it."""
    store = RawStore(str(organiser.raw_dir))
    write(store, list(loaded))
    with open_warehouse(organiser.warehouse_path) as connection:
        load_pending(connection, store)
    return read_state(organiser)


def event_of(state: State, event_id: str = "e1") -> EventState:
    (found,) = (each for each in state.events if each.event_id == event_id)
    return found


def test_an_event_was_read_when_the_older_of_its_lists_was(organiser: Settings) -> None:
    cases: dict[str, tuple[list[str], int | None]] = {
        "nothing": ([], None),
        "groups alone": (["reserved_entries"], None),
        "groups twice": (["reserved_entries", "reserved_entries"], None),
        "both": (["reserved_entries", "tickets"], 0),
        "tickets twice": (["reserved_entries", "tickets", "tickets"], 0),
        "groups again": (["reserved_entries", "tickets", "reserved_entries"], 1),
        "both twice": (["tickets", "reserved_entries"] * 2, 2),
    }
    history = [entries(event, event=event) for event in cases]
    expected = {}
    for event, (feeds, oldest) in cases.items():
        expected[event] = None if oldest is None else START + (len(history) + oldest) * MINUTE
        history += [Extract(feed, event, ()) for feed in feeds]
    state = state_of(organiser, *history)
    assert {event: event_of(state, event).read_at for event in cases} == expected


def test_what_waits_to_be_loaded_was_read(organiser: Settings) -> None:
    state_of(organiser, entries("a"), groups(), tickets())
    write(RawStore(str(organiser.raw_dir)), [entries("b", event="e2"), groups("e2"), tickets("e2")])
    state = read_state(organiser)
    assert state.pending_extracts == 3
    assert event_of(state).read_at == START + MINUTE
    assert event_of(state, "configured") == EventState(
        event_id="configured", changed_at=None, read_at=None, race_ends_at=None
    )


def test_an_event_changed_when_an_entry_of_it_last_came_or_went(organiser: Settings) -> None:
    state = state_of(
        organiser,
        *(entries(event, event=event) for event in ("stays", "grows", "shrinks", "other")),
        entries("b", event="grows"),
        gone("participants", "shrinks"),
        gone("applications", "other"),
        gone("participants", "of no event"),
        entries("c", event="applied for", feed="applications"),
        gone("applications", "c"),
        gone("participants", "c"),
    )
    found = {each.event_id: each.changed_at for each in state.events}
    assert found == {
        "configured": None,
        "stays": START,
        "grows": START + 4 * MINUTE,
        "shrinks": START + 5 * MINUTE,
        "other": START + 3 * MINUTE,
        "applied for": START + 9 * MINUTE,
    }


def test_what_we_wrote_to_an_event_is_read_again(organiser: Settings) -> None:
    """Also where no entry ever named it."""
    written = {"e1": 1, "e2": 5}
    lines = [
        msgspec.json.encode(
            Entry(
                at=START + minute * MINUTE,
                plan="p",
                step=1,
                action="create",
                state="done",
                event_id=each,
            )
        )
        for each, minute in written.items()
    ]
    organiser.allocations_dir.mkdir(parents=True)
    (organiser.allocations_dir / JOURNAL).write_bytes(b"\n".join([*lines, b""]))
    state = state_of(organiser, entries("a"), groups(), tickets(), entries("b"))
    assert event_of(state).changed_at == START + 3 * MINUTE, "its entry came later"
    assert event_of(state, "e2").changed_at == START + 5 * MINUTE


def test_the_next_start_is_the_nearest_to_come_or_under_way(organiser: Settings) -> None:
    hours = [-900, -2, 5, 9]
    starts = [
        entries(f"a{number}", starts_in=timedelta(hours=each)) for number, each in enumerate(hours)
    ]
    under_way = entries("b", event="e2", starts_in=timedelta(minutes=-50))
    over = entries("c", event="e3", starts_in=timedelta(minutes=-70))
    state = state_of(organiser, *starts, under_way, over)

    def ahead(event_id: str) -> list[float | None]:
        found = event_of(state, event_id)
        return [
            None if each is None else round((each - now()).total_seconds() / 600)
            for each in (found.next_start_at, found.race_ends_at)
        ]

    assert ahead("e1") == [30, 54]
    assert ahead("e2") == [-5, -5]
    assert ahead("e3") == [None, -7]


def test_held_are_the_live_ones_and_rejected_those_that_could_not_be_read(
    organiser: Settings,
) -> None:
    state = state_of(
        organiser, entries("a", "b", "c"), Extract("participants", "2025-01", ("{}",)), groups()
    )
    assert (state.held["participants"], state.rejected["participants"]) == (3, 1)
    assert state.races == ["r1"]
    write(RawStore(str(organiser.raw_dir)), [gone("participants", "b")])
    with open_warehouse(organiser.warehouse_path) as connection:
        connection.execute("UPDATE ops.load_log SET extracted_at = extracted_at - INTERVAL 1 HOUR")
        connection.execute("UPDATE tidy.participants SET _seen_at = _seen_at - INTERVAL 1 HOUR")
        load_pending(connection, RawStore(str(organiser.raw_dir)))
    state = read_state(organiser)
    assert (state.held["participants"], state.rejected["participants"]) == (2, 1)
    assert not state.is_settled


def test_uneven_is_what_did_not_agree_but_for_a_first_load(organiser: Settings) -> None:
    state_of(organiser, entries("a", "b", "c"))
    store = RawStore(str(organiser.raw_dir))
    for api_total, is_moving, stated, is_uneven in [
        (4, False, False, False),
        (4, True, False, True),
        (3, False, True, False),
        (4, False, True, True),
        (2, True, True, True),
    ]:
        if stated:
            store.write_total(
                ListTotal(feed="participants", total=3, created_before=None, asked_at=START)
            )
        with open_warehouse(organiser.warehouse_path) as connection:
            comparison = Comparison(
                feed="participants",
                api_total=api_total,
                held=3,
                rejected=0,
                created_before=START if is_moving else None,
                compared_at=START + MINUTE,
            )
            books.note_comparison(connection, comparison)
        expected = {"participants": START if stated else None} if is_uneven else {}
        assert read_state(organiser).uneven == expected
