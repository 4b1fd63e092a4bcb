"""What the warehouse holds, in the few numbers that a plan needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import duckdb

from ldt_pipeline.allocations.journal import applied_at
from ldt_pipeline.erasing.due import Due, what_is_due
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.feeds.snapshots import not_found, to_be_asked_for_again
from ldt_pipeline.instants import now
from ldt_pipeline.race_calendar import AFTER_START
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.extract_files import partition_folder
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.unlisted import doubted
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.checking import wait_is_over
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import pending
from ldt_pipeline.warehouse.publish import is_published
from ldt_pipeline.warehouse.read import live_count


@dataclass(frozen=True, kw_only=True)
class EventState:
    """How current an event's groups and tickets are.

    `changed_at` is when an entry of the event last arrived or went, or when we last wrote to its
    groups; `read_at` when both of its lists were last read (as if never, where what was read is
    damaged, or was left out and no longer is); `next_start_at` when its next race starts (or
    started, at most `AFTER_START` ago); `race_ends_at` the start of its last race; each None if
    never or unknown.
    """

    event_id: str
    changed_at: dt.datetime | None
    read_at: dt.datetime | None
    race_ends_at: dt.datetime | None
    next_start_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What we hold. `held` and `rejected` count records by feed, but for those that are doubted.

    `uneven` are the feeds that didn't agree with the API when they were last compared, with when
    they last did; not those that were never read to their end. `wait_is_over` where one of them was
    waited for then, and no longer is.
    """

    held: dict[str, int] = field(default_factory=dict[str, int])
    rejected: dict[str, int] = field(default_factory=dict[str, int])
    uneven: dict[str, dt.datetime | None] = field(default_factory=dict[str, dt.datetime | None])
    events: list[EventState] = field(default_factory=list[EventState])
    wait_is_over: bool = False
    races: list[str] = field(default_factory=list[str])
    pending_extracts: int = 0
    is_published: bool = False
    erasures: Due = field(default_factory=Due)

    @property
    def is_settled(self) -> bool:
        """Whether all that we hold is loaded and published, and nobody is to be erased."""
        return self.is_published and not self.pending_extracts and not self.erasures


def read_state(settings: Settings, *, wait_seconds: float = 3600.0) -> State:
    """Look into the warehouse.

    Raises:
        WarehouseBusyError: Another process has it.
        OutdatedWarehouseError: Another version made it.
        DamagedWarehouseError: Its file is damaged.
    """
    with open_warehouse(settings.warehouse_path, wait_seconds=wait_seconds) as connection:
        store = RawStore(str(settings.raw_dir))
        not_loaded = pending(connection, store)
        return State(
            held={
                feed.name: live_count(connection, feed.entity, without=doubted(store, feed.name))
                for feed in CHANGE_FEEDS
            },
            rejected={
                feed.name: books.rejected_count(connection, feed.entity) for feed in CHANGE_FEEDS
            },
            uneven=_uneven(connection, store),
            events=_events(
                connection,
                settings.event_ids,
                unread=_damaged_events(store)
                | {
                    partition_folder("event_id", each)
                    for each in to_be_asked_for_again(store, settings.events_without_groups)
                },
                applied_at=applied_at(settings.allocations_dir),
                # An answer that waits to be loaded is one: nobody has to be asked again meanwhile.
                answered=[*not_found(store), *_read_since(not_loaded)],
            ),
            wait_is_over=wait_is_over(connection),
            races=_races(connection),
            pending_extracts=len(not_loaded),
            erasures=what_is_due(connection, store, settings),
            is_published=settings.published_path.exists()
            and is_published(connection, personal_data=settings.publish_personal_data),
        )


def _uneven(
    connection: duckdb.DuckDBPyConnection, store: RawStore
) -> dict[str, dt.datetime | None]:
    found: dict[str, dt.datetime | None] = {}
    for name, is_moving in books.uneven_feeds(connection).items():
        total = store.total(name)
        # A first load has never agreed, and isn't compared as a list that moves.
        if total is not None or is_moving:
            found[name] = total.asked_at if total else None
    return found


def _read_since(not_loaded: list[Manifest]) -> list[tuple[str, str, dt.datetime]]:
    """Give which lists of which events were read, and when, by extracts that are not loaded yet."""
    feeds = {feed.name for feed in SNAPSHOT_FEEDS}
    return [
        (each.partition, each.feed, each.extracted_at) for each in not_loaded if each.feed in feeds
    ]


def _damaged_events(store: RawStore) -> set[str]:
    """Give the partition folders of events of which an extract was damaged."""
    feeds = {feed.name for feed in SNAPSHOT_FEEDS}
    return {each.folder for each in waiting(store) if each.feed in feeds}


def _events(
    connection: duckdb.DuckDBPyConnection,
    configured: tuple[str, ...],
    *,
    unread: set[str],
    applied_at: dict[str, dt.datetime],
    answered: list[tuple[str, str, dt.datetime]],
) -> list[EventState]:
    feeds = [feed.name for feed in SNAPSHOT_FEEDS]
    rows = connection.execute(
        """
        WITH entries AS (
            SELECT event_id, _extracted_at, race_start_at FROM tidy.participants
            UNION ALL SELECT event_id, _extracted_at, race_start_at FROM tidy.applications
            UNION ALL SELECT event_id, deleted_at, NULL
                FROM ops.tombstones JOIN tidy.participants ON participant_id = id
                WHERE entity = 'participants'
            UNION ALL SELECT event_id, deleted_at, NULL
                FROM ops.tombstones JOIN tidy.applications ON application_id = id
                WHERE entity = 'applications'
            UNION ALL SELECT unnest(?::VARCHAR[]), NULL, NULL
        ), snapshots AS (
            SELECT event_id, min(read_at) AS read_at, count(*) AS lists
            FROM (
                SELECT event_id, feed, max(read_at) AS read_at
                FROM (
                    SELECT partition AS event_id, feed, extracted_at AS read_at FROM ops.load_log
                    UNION ALL
                    SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::TIMESTAMPTZ[])
                )
                WHERE feed IN (SELECT unnest(?::VARCHAR[])) GROUP BY ALL
            ) GROUP BY event_id
        )
        SELECT event_id, max(_extracted_at), any_value(read_at) FILTER (lists = ?),
            max(race_start_at), min(race_start_at) FILTER (race_start_at >= ?)
        FROM entries LEFT JOIN snapshots USING (event_id)
        WHERE event_id <> '' GROUP BY event_id ORDER BY event_id
        """,
        [
            [*configured, *applied_at],
            *([each[column] for each in answered] for column in range(3)),
            *(feeds, len(feeds), now() - AFTER_START),
        ],
    ).fetchall()
    return [
        EventState(
            event_id=row[0],
            changed_at=max(filter(None, (row[1], applied_at.get(row[0]))), default=None),
            read_at=None if partition_folder("event_id", row[0]) in unread else row[2],
            race_ends_at=row[3],
            next_start_at=row[4],
        )
        for row in rows
    ]


def _races(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT race_id FROM tidy.participants WHERE race_id <> '' ORDER BY race_id"
    ).fetchall()
    return [row[0] for row in rows]
