"""A sync without Dagster, for tests that need hundreds of them, and what its result is held against.

The order is that of `ldt_pipeline.runner.sync`, and each step is the same call into the core that
the Dagster assets make. What is published is compared with the truth of the other API, or with
another published file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from ldt_pipeline.api.client import Client
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.erasing.erase import Erased, erase
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.feeds.changes import fetch_changes
from ldt_pipeline.feeds.snapshots import fetch_snapshots
from ldt_pipeline.raw import RawStore
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.compare import compare_with_api
from ldt_pipeline.sync.plan import due_events, plan_feeds
from ldt_pipeline.sync.reconcile import reconcile_by_roster, reconcile_whole
from ldt_pipeline.sync.state import read_state
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.tidy import Questions, load_questions
from ldt_pipeline.warehouse.books import note_comparison
from ldt_pipeline.warehouse.checking import require_structure
from ldt_pipeline.warehouse.connection import connect, open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import BUILDERS, Sources, build_mart
from ldt_pipeline.warehouse.publish import publish
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline_tests.other_api import (
    Dataset,
    OtherApi,
    expected_allocations,
    expected_entries,
    expected_partners,
)

Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What one sync did."""

    requests: int
    published: bool
    reconciled: bool


class Account:
    """One organiser's data folder, synced from a server."""

    def __init__(
        self,
        folder: Path,
        *,
        base_url: str,
        api_key: str,
        **settings: Any,
    ) -> None:
        self.settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            api_base_url=base_url,
            api_key=api_key,
            data_dir=folder,
            **settings,
        )
        self.retries = 2
        self.store = RawStore(str(self.settings.raw_dir))

    @classmethod
    def of(cls, folder: Path, api: OtherApi, **settings: Any) -> Account:
        return cls(folder, base_url=api.base_url, api_key=api.api_key, **settings)

    def client(self) -> Client:
        return Client(
            base_url=self.settings.api_base_url,
            api_key=self.settings.require_api_key(),
            max_in_flight=self.settings.max_concurrency,
            retries=self.retries,
            backoff_factor=0,
        )

    def sync(self, *, publish: bool = True) -> Synced:
        """Bring everything up to date and publish, as `ldt sync` does."""
        state = read_state(self.settings)
        if state.erasures.unfinished:
            self.erase()
            state = read_state(self.settings)
        with self.client() as client:
            plans = plan_feeds(client, self.store, state)
            fetched = [plan.feed for plan in plans if plan.months is not None]
            for feed in fetched:
                fetch_changes(client, self.store, feed)
            if fetched or state.pending_extracts:
                self.load()
            uneven = [plan.feed for plan in plans if plan.is_short_or_long]
            uneven += self._uneven(client, fetched)
            is_reconciled = bool(uneven)
            for reconcile in (reconcile_by_roster, reconcile_whole):
                for feed in uneven:
                    reconcile(client, self.store, self.settings, feed)
                if uneven:
                    self.load()
                    uneven = self._uneven(client, uneven)
            if fetched or is_reconciled or state.pending_extracts:
                state = read_state(self.settings)
            if state.erasures:
                self.erase()
                state = read_state(self.settings)
            due = due_events(state.events, refresh_minutes=self.settings.event_refresh_minutes)
            for feed in SNAPSHOT_FEEDS if due else ():
                fetch_snapshots(
                    client,
                    self.store,
                    feed,
                    due,
                    left_out=self.settings.events_without_groups,
                )
            is_published = False
            if publish and (due or state.pending_extracts or not state.is_published):
                is_published = self.publish(client)
            elif due:
                self.load()
            return Synced(
                requests=client.requests_sent, published=is_published, reconciled=is_reconciled
            )

    def erase(self, *asked: Subject) -> Erased:
        """Erase what is due: the warehouse is a new file then."""
        return erase(self.settings, self.store, asked)

    def load(self) -> None:
        with open_warehouse(self.settings.warehouse_path) as connection:
            load_pending(connection, self.store)

    def reconcile_whole(self) -> None:
        """Do what happens every night."""
        with self.client() as client:
            for feed in CHANGE_FEEDS:
                reconcile_whole(client, self.store, self.settings, feed)
            self.publish(client)

    def publish(self, client: Client | None) -> bool:
        """Load, compare, build, check and publish; without a client the last comparison holds."""
        with open_warehouse(self.settings.warehouse_path) as connection:
            load_pending(connection, self.store)
            for feed in CHANGE_FEEDS if client else ():
                note_comparison(connection, compare_with_api(client, self.store, connection, feed))
            self.build_marts(connection)
            require_structure(connection)
            return publish(
                connection,
                self.settings.published_path,
                personal_data=self.settings.publish_personal_data,
            )

    def build_marts(self, connection: duckdb.DuckDBPyConnection) -> None:
        sources = Sources(
            connection=connection,
            questions=_questions(),
            configured_event_ids=self.settings.event_ids,
            events_without_groups=self.settings.events_without_groups,
            allocations_dir=self.settings.allocations_dir,
        )
        for name in BUILDERS:
            build_mart(sources, name)

    def stamp(self) -> tuple[int, int, int]:
        """Tell whether the published file is still the same one."""
        status = self.settings.published_path.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def rows(self, query: str) -> Rows:
        """Query the published file."""
        return published_rows(self.settings.published_path, query)

    @contextmanager
    def asking(self, *, is_published: bool = True) -> Generator[Ask]:
        """Give a way to query the published file, or the warehouse as if it was published."""
        if is_published:
            with connect(self.settings.published_path, read_only=True) as connection:
                yield lambda query: connection.execute(query).fetchall()
            return
        with open_warehouse(self.settings.warehouse_path) as connection:
            for table in TABLES.values():
                if table.layer is Layer.TIDY:
                    connection.execute(f"CREATE TEMP VIEW {table.name} AS {relation(table)}")
            yield lambda query: connection.execute(query).fetchall()

    def _uneven(self, client: Client, feeds: list[Any]) -> list[Any]:
        if not feeds:
            return []
        with open_warehouse(self.settings.warehouse_path) as connection:
            return [
                feed
                for feed in feeds
                if not compare_with_api(client, self.store, connection, feed).agrees
            ]


def published_rows(path: Path, query: str) -> Rows:
    with connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


@cache
def _questions() -> Questions:
    return load_questions(None)


_OUR_OWN = {
    *("extract_id", "extracted_at", "last_extracted_at", "extracts", "record_number"),
    *("first_seen_at", "last_seen_at", "read_at", "deleted_at", "records_seen"),
}
"""Columns that tell of our own reading: they differ between two accounts with the same data."""


def tables(path: Path, *, without_our_own: bool = False) -> dict[str, Rows]:
    """Give the rows of every published table, sorted.

    `without_our_own` leaves out when and in which extracts we read them; of `deleted_at` it keeps
    whether there is one.
    """
    found: dict[str, Rows] = {}
    with connect(path, read_only=True) as connection:
        for table in TABLES.values():
            if without_our_own and table.name in {"loaded_extracts", "schema_drift"}:
                continue
            names = [_wanted(name) if without_our_own else f'"{name}"' for name in table.schema]
            wanted = ", ".join(name for name in names if name)
            rows = connection.execute(f"SELECT {wanted} FROM {table.name}").fetchall()
            found[table.name] = sorted(rows, key=repr)
    return found


def _wanted(name: str) -> str:
    if name == "deleted_at":
        return "deleted_at IS NOT NULL AS is_deleted"
    return "" if name in _OUR_OWN else f'"{name}"'


def assert_equals_truth(account: Account, dataset: Dataset, *, is_published: bool = True) -> None:
    """See that every row is what the other API's owner expects, and no row is missing.

    Before anything is published, only what is loaded can be compared.
    """
    with account.asking(is_published=is_published) as ask:
        pairs = [*_tidy_pairs(ask, dataset)]
        if is_published:
            pairs += _mart_pairs(ask, dataset, account.settings.event_ids)
    for what, found, expected in pairs:
        missing = [row for row in expected if row not in set(found)]
        surplus = [row for row in found if row not in set(expected)]
        assert not missing, f"{what}: {len(missing)} missing, such as {missing[:2]}; {surplus[:2]}"
        assert not surplus, f"{what}: {len(surplus)} too many, such as {surplus[:2]}"
        assert len(found) == len(expected), f"{what}: rows are double"


Pair = tuple[str, Rows, Rows]


def _tidy_pairs(ask: Ask, dataset: Dataset) -> Iterator[Pair]:
    for entity, key in (("participants", "participant_id"), ("applications", "application_id")):
        found = ask(
            f"SELECT {key}, event_id, race_id, bib_number, wave, gdpr_redacted, "
            f"deleted_at IS NOT NULL FROM {entity}"
        )
        known = {row[0] for row in found}
        names = ("id", "event_id", "race_id", "bib_number", "wave", "is_redacted", "is_deleted")
        yield (
            entity,
            found,
            [
                tuple(row[name] for name in names)
                for row in expected_entries(dataset, entity)
                if not row["is_deleted"] or row["id"] in known
            ],
        )
    yield (
        "partners",
        ask("SELECT partner_id, name, type FROM partners WHERE deleted_at IS NULL"),
        [(row["id"], row["name"], row["type"]) for row in expected_partners(dataset)],
    )


def _mart_pairs(ask: Ask, dataset: Dataset, configured: tuple[str, ...]) -> Iterator[Pair]:
    names = ("id", "race_name", "bib_number", "first_name", "last_name", "email", "date_of_birth")
    yield (
        "start_list",
        ask(
            "SELECT participant_id, race_name, bib_number, first_name, last_name, email, "
            "date_of_birth::VARCHAR, is_redacted FROM start_list"
        ),
        [
            (*(row[name] for name in names), row["is_redacted"])
            for row in expected_entries(dataset)
            if not row["is_deleted"]
        ],
    )
    # An event that nobody has entered is known only where it is configured.
    entries = [*expected_entries(dataset), *expected_entries(dataset, "applications")]
    events = {*(row["event_id"] for row in entries), *configured}
    yield (
        "partner_allocations",
        ask(
            "SELECT reserved_entry_group_id, reserved_entry_group_name, event_id, partner_id, "
            "max_capacity, used_capacity, participants_matched FROM partner_allocations"
        ),
        [tuple(row.values()) for row in expected_allocations(dataset) if row["event_id"] in events],
    )
    yield (
        "tickets",
        ask("SELECT ticket_id FROM tickets WHERE deleted_at IS NULL"),
        [(str(row["id"]),) for row in dataset.live("tickets") if row["eventId"] in events],
    )
