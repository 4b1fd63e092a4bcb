"""How old what we show of each event is, and whether that is too old for how near its race is.

What belongs here: the note of when lists were last known to be as published, and the age of each
event's data in the published file. What doesn't: how old it may be (`race_calendar.py`).

An event's data is as old as the oldest of its parts. Entries come from lists that are followed for
all events at once: each is as fresh as its last reading that is published, or as the last time that
it was asked and had nothing new. Groups and tickets are as fresh as their last reading, or as the
last time that the API answered 404 for their event, which changes nothing of what is published.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
from upath import UPath

from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.feeds.snapshots import not_found
from ldt_pipeline.instants import format_instant, parse_instant
from ldt_pipeline.race_calendar import AFTER_START, stale_after
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.files import write_durably
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.starts import list_of_starts

_NOTE = msgspec.json.Decoder(dict[str, str])
_FAR = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class EventFreshness:
    """How old an event's published data is.

    `next_start_at` is None where no start is known, or all are over; `age` is None where a part was
    never read; `limit` is None where any age will do.
    """

    event_id: str
    event_name: str | None
    next_start_at: dt.datetime | None
    age: dt.timedelta | None
    limit: dt.timedelta | None

    @property
    def is_stale(self) -> bool:
        """Whether the data is older than it may be."""
        return self.limit is not None and (self.age is None or self.age > self.limit)


def confirm(path: Path, feeds: Iterable[str], moment: dt.datetime) -> None:
    """Note that these lists had nothing new at an instant: what is published of them stood then."""
    confirmed = {**_confirmed(path), **dict.fromkeys(feeds, moment)}
    texts = {feed: format_instant(each) for feed, each in sorted(confirmed.items())}
    write_durably(UPath(path), msgspec.json.encode(texts) + b"\n")


def freshness_of_events(settings: Settings, moment: dt.datetime) -> list[EventFreshness]:
    """Give how fresh each published event is at an instant, the nearest race first.

    Nothing, where nothing was published yet.

    Raises:
        duckdb.Error: The published file can't be read, or another version made it.
    """
    if not settings.published_path.exists():
        return []
    confirmed = _confirmed(settings.confirmed_path)
    with connect(settings.published_path, read_only=True) as connection:
        lists_at = _lists_read_at(connection, confirmed)
        rows = _events(connection, moment, not_found(RawStore(str(settings.raw_dir))))
    found = [
        EventFreshness(
            event_id=event_id,
            event_name=name,
            next_start_at=next_start_at,
            age=_age(moment, [*lists_at, read_at]),
            # Starts that are all over leave nothing that could be too old.
            limit=None if is_over else stale_after(next_start_at, moment),
        )
        for event_id, name, next_start_at, is_over, read_at in rows
    ]
    return sorted(found, key=lambda each: (each.next_start_at or _FAR, each.event_id))


def _age(moment: dt.datetime, read_at: list[dt.datetime | None]) -> dt.timedelta | None:
    instants = [each for each in read_at if each is not None]
    if len(instants) < len(read_at):
        return None
    # The API's clock may be ahead of ours.
    return max(moment - min(instants), dt.timedelta())


def _lists_read_at(
    connection: duckdb.DuckDBPyConnection, confirmed: Mapping[str, dt.datetime]
) -> list[dt.datetime | None]:
    """Give how fresh each list is. One without any record leaves nothing behind to be dated by."""
    rows = connection.execute(
        "SELECT feed, last_extracted_at FROM sync_status WHERE feed IN (SELECT unnest(?))",
        [[feed.name for feed in CHANGE_FEEDS]],
    ).fetchall()
    found = [
        max(each for each in (extracted_at, confirmed.get(feed)) if each is not None)
        for feed, extracted_at in rows
        if extracted_at is not None or feed in confirmed
    ]
    return [*found] or [None]


def _events(
    connection: duckdb.DuckDBPyConnection,
    moment: dt.datetime,
    not_found: Sequence[tuple[str, str, dt.datetime]],
) -> list[tuple[str, str | None, dt.datetime | None, bool, dt.datetime | None]]:
    """Give each event with its name, next start, whether all are over, and when it was read."""
    feeds = [feed.name for feed in SNAPSHOT_FEEDS]
    return connection.execute(
        """
        WITH starts AS (
            SELECT event_id, race_start_at FROM query_table($list)
            UNION SELECT event_id, first_race_start_at FROM events
            UNION SELECT event_id, last_race_start_at FROM events
        ), calendar AS (
            SELECT event_id, min(race_start_at) FILTER (race_start_at >= $since) AS next_start_at,
                max(race_start_at) < $since AS is_over
            FROM starts WHERE race_start_at IS NOT NULL GROUP BY event_id
        ), snapshots AS (
            SELECT partition AS event_id, min(read_at) AS read_at, count(*) AS lists
            FROM (
                SELECT partition, feed, max(asked_at) AS read_at
                FROM (
                    SELECT partition, feed, extracted_at AS asked_at FROM loaded_extracts
                    UNION ALL SELECT unnest($unknown::VARCHAR[]), unnest($in::VARCHAR[]),
                        unnest($at::TIMESTAMPTZ[])
                )
                WHERE feed IN (SELECT unnest($feeds)) GROUP BY ALL
            ) GROUP BY partition
        )
        SELECT events.event_id, event_name, next_start_at, coalesce(is_over, false),
            CASE WHEN lists = len($feeds) THEN read_at END
        FROM events LEFT JOIN calendar USING (event_id) LEFT JOIN snapshots USING (event_id)
        """,
        {
            "list": list_of_starts(connection),
            "since": moment - AFTER_START,
            "feeds": feeds,
            "unknown": [event_id for event_id, _, _ in not_found],
            "in": [feed for _, feed, _ in not_found],
            "at": [at for _, _, at in not_found],
        },
    ).fetchall()


def _confirmed(path: Path) -> dict[str, dt.datetime]:
    """Read the note. One that can't be read counts for nothing: the next poll writes it again."""
    try:
        texts = _NOTE.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}
    instants = ((feed, parse_instant(text)) for feed, text in texts.items())
    return {feed: instant for feed, instant in instants if instant is not None}
