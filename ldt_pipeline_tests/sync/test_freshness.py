"""How old what is published of an event is: told by the oldest of its parts, and by quiet polls."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from ldt_pipeline.raw import NotFound, RawStore
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.freshness import EventFreshness, confirm, freshness_of_events
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.schema import column_definitions

NOW = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)
FEEDS = ("participants", "applications", "partners")
STARTS = {"soon": 2, "far": 24 * 180, "over": -24 * 30}


def ago(minutes: float) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A file that was published an hour ago: three events, and one without a known start."""
    settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in ("events", "start_list", "sync_status", "loaded_extracts"):
            made = table(name)
            columns = column_definitions(made, list(made.schema))
            connection.execute(f"CREATE TABLE {name} ({columns})")
        for event_id in (*STARTS, "unknown"):
            connection.execute(
                "INSERT INTO events (event_id, event_name) VALUES (?, upper(?))", [event_id] * 2
            )
            for feed in ("reserved_entries", "tickets"):
                add_reading(connection, feed, event_id, 90)
                add_reading(connection, feed, event_id, 60 if feed == "tickets" else 61)
        for event_id, hours in STARTS.items():
            for start in (NOW + dt.timedelta(hours=hours), NOW - dt.timedelta(days=365)):
                connection.execute(
                    "INSERT INTO start_list (event_id, race_start_at) VALUES (?, ?)",
                    [event_id, start],
                )
        for feed in FEEDS:
            connection.execute(
                "INSERT INTO sync_status (feed, last_extracted_at) VALUES (?, ?)", [feed, ago(60)]
            )
    return settings


def add_reading(
    connection: duckdb.DuckDBPyConnection, feed: str, event_id: str, minutes: float
) -> None:
    connection.execute(
        "INSERT INTO loaded_extracts (feed, partition, extracted_at) VALUES (?, ?, ?)",
        [feed, event_id, ago(minutes)],
    )


def by_id(settings: Settings) -> dict[str, EventFreshness]:
    return {each.event_id: each for each in freshness_of_events(settings, NOW)}


def test_what_is_fresh_for_one_event_is_stale_for_another(settings: Settings) -> None:
    found = by_id(settings)
    assert list(found) == ["soon", "far", "over", "unknown"], "the nearest race first"
    assert {each.age for each in found.values()} == {dt.timedelta(minutes=61)}
    assert {name for name, each in found.items() if each.is_stale} == {"soon"}
    assert found["over"].limit is None
    assert found["unknown"].limit == dt.timedelta(days=1)
    assert found["soon"].event_name == "SOON"


def test_a_quiet_poll_makes_lists_fresh_and_a_reading_makes_groups_fresh(
    settings: Settings,
) -> None:
    confirm(settings.confirmed_path, ["participants"], ago(1))
    confirm(settings.confirmed_path, ["applications", "partners"], ago(2))
    assert by_id(settings)["soon"].is_stale, "groups were read too long ago"
    with duckdb.connect(str(settings.published_path)) as connection:
        for feed in ("reserved_entries", "tickets"):
            add_reading(connection, feed, "soon", 3)
    found = by_id(settings)
    assert found["soon"].age == dt.timedelta(minutes=3)
    assert not found["soon"].is_stale
    confirm(settings.confirmed_path, ["participants"], ago(20))
    assert by_id(settings)["soon"].is_stale, "of the lists, the oldest counts"


def test_an_event_that_the_api_knows_no_longer_is_as_fresh_as_its_404(settings: Settings) -> None:
    confirm(settings.confirmed_path, FEEDS, ago(1))
    store = RawStore(str(settings.raw_dir))
    for feed in ("reserved_entries", "tickets"):
        assert by_id(settings)["soon"].is_stale
        store.write_not_found(NotFound(feed=feed, asked_at={"soon": ago(4)}))
    assert by_id(settings)["soon"].age == dt.timedelta(minutes=4)
    assert by_id(settings)["far"].age == dt.timedelta(minutes=61)


def test_what_was_never_read_is_stale_unless_all_is_over(settings: Settings) -> None:
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("DELETE FROM loaded_extracts WHERE feed = 'tickets'")
    found = by_id(settings)
    assert {each.age for each in found.values()} == {None}
    assert {name for name, each in found.items() if each.is_stale} == {"soon", "far", "unknown"}


@pytest.mark.parametrize("note", [b"", b"[1]", b'{"participants": 3}', b'{"participants": "soon"}'])
def test_a_note_that_can_not_be_read_counts_for_nothing(settings: Settings, note: bytes) -> None:
    settings.confirmed_path.write_bytes(note)
    assert by_id(settings)["soon"].age == dt.timedelta(minutes=61)
    confirm(settings.confirmed_path, FEEDS, ago(0))
    assert b"participants" in settings.confirmed_path.read_bytes()


def test_without_personal_data_it_is_the_same(settings: Settings) -> None:
    before = freshness_of_events(settings, NOW)
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("ALTER TABLE start_list RENAME TO start_list_anonymous")
    assert freshness_of_events(settings, NOW) == before


def test_before_anything_is_published_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert freshness_of_events(Settings(_env_file=None, data_dir=tmp_path), NOW) == []  # type: ignore[call-arg]
