"""Random histories of an account, written as extracts: what the raw store may ever come to hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import Sources, build_mart
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.schema import LINEAGE_COLUMNS, create_or_check, has_record

START = datetime(2025, 1, 31, 23, 59, tzinfo=UTC)
IDS = ["a", "b", "c", "d"]
EVENTS = ["e1", "e2"]
FED = [
    *("participants", "participants", "race_participants", "applications", "partners"),
    *("reserved_entries", "reserved_entries", DELETIONS),
]
Json = dict[str, Any]


@dataclass(frozen=True)
class Extract:
    """One extract: its feed, partition, and records as text."""

    feed: str
    partition: str
    lines: tuple[str, ...]


def _entry(draw: st.DrawFn, *, label: str) -> str:
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return draw(st.sampled_from(['{"eventId":"e1"}', "[1]", '{"id":', '{"id":""}', "17"]))
    record: Json = {
        "id": draw(st.sampled_from(IDS)),
        "eventId": draw(st.sampled_from(EVENTS)),
        "raceId": draw(st.sampled_from(["r1", "r2", None])),
        "updatedAt": (START + timedelta(seconds=draw(st.integers(0, 3)) * 40)).isoformat(),
        "createdAt": START.isoformat(),
        "bibNumber": draw(st.sampled_from([None, "1", 2])),
        "reservedEntryGroupCode": draw(st.sampled_from([None, " re_1", "re_2"])),
        "reservedEntryGroupName": draw(st.sampled_from([None, "Places"])),
        "reservedEntryPartnerName": draw(st.sampled_from([None, "hope"])),
        "fields": [
            {"label": label, "value": draw(st.sampled_from(["x", "y", ""]))}
            for label in draw(st.lists(st.sampled_from(["Club", "First name"]), max_size=2))
        ],
    }
    if label == "partners":
        record["name"] = draw(st.sampled_from(["Hope", "Care"]))
    if kind == 1:
        del record["updatedAt"]
    if kind == 2:
        record["gdprRedacted"] = True
        record["fields"] = []
    if kind == 3:
        record["news"] = label
    return json.dumps(record)


def _group(draw: st.DrawFn) -> str:
    record = {
        "id": draw(st.sampled_from(["re_1", "re_2", "re_3"])),
        "name": draw(st.sampled_from(["Places", "More places"])),
        "partnerId": draw(st.sampled_from([None, *IDS])),
        "usedCapacity": draw(st.integers(0, 2)),
        "tickets": [{"ticketId": draw(st.sampled_from(["t1", "t2"]))}],
    }
    return json.dumps(record)


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    feed = draw(st.sampled_from(FED))
    count = draw(st.integers(0, 4))
    if feed == DELETIONS:
        of = draw(st.sampled_from(["participants", "applications", "partners"]))
        lines = [json.dumps({"id": draw(st.sampled_from(IDS))}) for _ in range(count)]
        return Extract(feed, of, tuple(lines))
    if feed == "reserved_entries":
        return Extract(
            feed, draw(st.sampled_from(EVENTS)), tuple(_group(draw) for _ in range(count))
        )
    partition = {"race_participants": "r1"}.get(feed, "2025-01")
    return Extract(feed, partition, tuple(_entry(draw, label=feed) for _ in range(count)))


histories = st.lists(extracts(), min_size=1, max_size=10)


def write(store: RawStore, history: list[Extract]) -> list[Manifest]:
    """Write a history, a minute for each extract."""
    manifests: list[Manifest] = []
    for number, extract in enumerate(history):
        feed = FEEDS.get(extract.feed)
        writer = store.writer(
            feed=extract.feed,
            partition_key=feed.partition_key if feed else "of",
            partition=extract.partition,
            extracted_at=START + timedelta(minutes=number),
            source={},
        )
        for line in extract.lines:
            writer.append(line.encode())
        manifests.append(writer.commit())
    return manifests


class Hidden(RawStore):
    """A store in which only some of the extracts are there yet."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.shown: set[str] = set()

    def manifests(
        self, feed: str | None = None, *, without: set[str] | None = None
    ) -> list[Manifest]:
        found = super().manifests(feed, without=without)
        return [each for each in found if each.extract_id in self.shown]


@contextmanager
def warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(path) as connection:
        create_or_check(connection)
        yield connection


def load(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    steps: list[list[str]],
    *,
    after_each: Callable[[duckdb.DuckDBPyConnection], object] | None = None,
) -> None:
    """Load extracts, some at a time, in the order of the steps."""
    store = Hidden(root)
    for step in steps:
        store.shown.update(step)
        load_pending(connection, store)
        if after_each:
            after_each(connection)


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    """Give everything that is published, and the lineage behind it."""
    found: dict[str, list[Any]] = {}
    for table in TABLES.values():
        if table.layer is Layer.TIDY:
            found[table.name] = connection.execute(relation(table)).fetchall()
            if has_record(table):
                lineage = ", ".join((table.key[0], *LINEAGE_COLUMNS))
                query = f"SELECT {lineage} FROM tidy.{table.name}"
                found[f"{table.name} lineage"] = connection.execute(query).fetchall()
    for name in ("sightings", "past_versions"):
        found[name] = connection.execute(f"SELECT * FROM ops.{name}").fetchall()
    for read in (
        *(books.rejected_records, books.schema_drift),
        *(books.loaded_extracts, books.sync_status),
    ):
        found[read.__name__] = read(connection).rows()
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def history_marts(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    """Build what tells of versions; gives its rows."""
    sources = Sources(
        connection=connection, questions=load_questions(None), configured_event_ids=()
    )
    found: dict[str, list[Any]] = {}
    for name in ("start_list", "participant_versions", "start_list_changes"):
        build_mart(sources, name)
        found[name] = connection.execute(f"SELECT * FROM marts.{name}").fetchall()
    return {name: sorted(rows, key=repr) for name, rows in found.items()}
