"""Compacting the raw store: many extracts of a partition in one, proved before anything is deleted.

What belongs here: which extracts are put together, which lines may go, and the proof. What doesn't:
files (`raw/packing.py`).

The proof makes both warehouses, from the raw store as it is and as it would be, and compares every
table with the lineage of each row. Only then do the old extracts go.

Superseded versions of records stay unless they are dropped on purpose: the tables don't need them,
but the history of participants is made from them (`participant_versions`, `start_list_changes`): where
they are dropped, it goes from the warehouse too, and is what a rebuild would make of what is left.
Snapshots and tombstones are never dropped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import polars as pl

from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, FEEDS
from ldt_pipeline.private_files import PRIVATE_FILE
from ldt_pipeline.raw import ERASURES, Manifest, Part, RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.files import TEMPORARY_PREFIX
from ldt_pipeline.raw.packing import Pack, discard, finish, parts_of, put_in_place, write_pack
from ldt_pipeline.settings import Settings
from ldt_pipeline.tables import TABLES, Layer, table
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.connection import connect, registered, transaction, warehouse_lock
from ldt_pipeline.warehouse.load import adopt, load_pending, loaded_ids
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.schema import create_or_check, has_record, note_version
from ldt_pipeline.warehouse.swap import remove_database

Progress = Callable[[str, int], None]
History = dict[str, pl.DataFrame]

_HISTORY = ("sightings", "past_versions")
"""The history of participants: what superseded versions are needed for."""

_CHANGING = frozenset(feed.entity for feed in CHANGE_FEEDS)


class NotCompactedError(Exception):
    """Nothing was compacted; the text says why. Everything is as it was."""


@dataclass(kw_only=True)
class Compacted:
    """What a compaction did, or would do."""

    extracts_before: int = 0
    extracts_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    records: int = 0
    dropped: int = 0
    partitions: list[str] = field(default_factory=list[str])


def compact(
    settings: Settings,
    store: RawStore,
    *,
    drop_superseded: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Compacted:
    """Put the extracts of each partition together, prove that no table changes, delete the old ones.

    Args:
        settings: Where the warehouse lies.
        store: The raw store.
        drop_superseded: Drop the versions of records of which a newer one is stored.
        dry_run: Do and prove everything, and then leave all as it was.
        progress: Told of each number of records, with the stage.

    Raises:
        NotCompactedError: Not everything is loaded, the proof failed, or an extract can't be read: that
            is set aside, and the next sync fetches it again.
        DamagedExtractError: The book of erasures can't be read. Everything is as it was.
        WarehouseBusyError: Another process kept the warehouse for too long.
    """
    tell = progress or _ignore
    if not settings.warehouse_path.exists():
        raise NotCompactedError(
            f"There is no warehouse in {settings.data_dir} yet. Run `ldt sync` or `ldt rebuild` "
            "first."
        )
    with warehouse_lock(settings.warehouse_path):
        finish(store)
        for leftover in settings.data_dir.glob(f"{TEMPORARY_PREFIX}compact-*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        manifests = store.manifests()
        groups = _groups(settings, manifests, also_single=drop_superseded)
        with _rebuilt(settings, _View(store, manifests), "before", tell) as before:
            packs: list[Pack] = []
            result = Compacted()
            history: History = {}
            try:
                for extracts in groups:
                    pack, dropped = _pack(
                        store, extracts, before if drop_superseded else None, tell
                    )
                    if dropped == 0 and len(extracts) == 1:
                        discard(store, [pack])
                        continue
                    packs.append(pack)
                    _count(result, pack, dropped)
                if packs:
                    after = _View(store, manifests, packs)
                    history = _prove(settings, after, before, dropped=result.dropped, tell=tell)
            except BaseException:
                discard(store, packs)
                raise
        if dry_run or not packs:
            discard(store, packs)
        else:
            _put_in_place(settings, store, packs, history)
    return result


def _put_in_place(settings: Settings, store: RawStore, packs: list[Pack], history: History) -> None:
    """Let the packs take the place of their extracts, in the raw store and in the warehouse's books."""
    if history:
        # Killed from here on, the warehouse would keep what the raw store tells no longer: it
        # is one of another version until it has forgotten, and made anew by the next sync.
        with connect(settings.warehouse_path) as connection:
            note_version(connection, is_ours=False)
    put_in_place(store, packs)
    with connect(settings.warehouse_path) as connection:
        for pack in packs:
            adopt(connection, pack.manifest)
        _forget_history(connection, history)


def _ignore(stage: str, records: int) -> None:
    del stage, records


def _groups(
    settings: Settings, manifests: list[Manifest], *, also_single: bool
) -> list[list[Manifest]]:
    with connect(settings.warehouse_path) as connection:
        create_or_check(connection)
        loaded = loaded_ids(connection)
        due = connection.execute("SELECT count(*) FROM ops.erasures_due").fetchall()[0][0]
    if due or any(each.extract_id not in loaded for each in manifests):
        raise NotCompactedError(
            "Not everything in the raw store is loaded yet, or somebody is still to be erased. Run "
            "`ldt sync` first."
        )
    groups: dict[tuple[str, str], list[Manifest]] = {}
    for each in manifests:
        groups.setdefault((each.feed, each.partition), []).append(each)
    return [
        group
        for (feed, _), group in groups.items()
        if len(group) > 1 or (also_single and _may_drop(feed))
    ]


def _may_drop(feed: str) -> bool:
    return feed in FEEDS and FEEDS[feed].entity in _CHANGING


def _pack(
    store: RawStore,
    extracts: list[Manifest],
    winners: duckdb.DuckDBPyConnection | None,
    tell: Progress,
) -> tuple[Pack, int]:
    """Write one compacted extract; gives how many lines it dropped, of those that weren't blank."""
    feed = extracts[0].feed
    dropping = _Dropping(winners, FEEDS[feed].entity) if winners and _may_drop(feed) else None
    dropped = 0

    def kept(part: Part, lines: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
        nonlocal dropped
        needed = dropping.needed(part) if dropping else None
        for number, line in lines:
            if needed is not None and line and number not in needed:
                dropped += 1
                yield b""
            else:
                yield line
        tell("compact", part.records)

    pack = write_pack(
        store,
        extracts,
        (
            (part, kept(part, lines))
            for manifest in extracts
            for part, lines in parts_of(store, manifest)
        ),
    )
    return pack, dropped


class _Dropping:
    """Which lines of an extract the tables need."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, entity: str) -> None:
        self._connection = connection
        self._entity = entity
        # Of a record whose newest version isn't what was read last, both tell something. No line
        # says which read that was, so every line of such an extract stays: there are few.
        rows = connection.execute(
            f"SELECT DISTINCT _seen_at FROM tidy.{entity} WHERE _seen_at <> _extracted_at"
        ).fetchall()
        self._seen_at = {row[0] for row in rows}

    def needed(self, part: Part) -> set[int] | None:
        """Give the numbers of the lines that the tables need; None for all of them."""
        if part.extracted_at in self._seen_at:
            return None
        rows = self._connection.execute(
            f"""
            SELECT _record_number FROM tidy.{self._entity} WHERE _extract_id = $id
            UNION ALL SELECT record_number FROM ops.rejections WHERE extract_id = $id
            """,
            {"id": part.extract_id},
        ).fetchall()
        return {row[0] for row in rows}


def _count(result: Compacted, pack: Pack, dropped: int) -> None:
    result.extracts_before += len(pack.replaces)
    result.extracts_after += 1
    result.bytes_before += pack.bytes_before
    result.bytes_after += pack.manifest.bytes
    result.records += pack.manifest.records
    result.dropped += dropped
    manifest = pack.manifest
    result.partitions.append(f"{manifest.feed} {manifest.partition_key}={manifest.partition}")


class _View(RawStore):
    """The raw store as it was when compacting began, or as it would be: not with what arrives since."""

    def __init__(
        self, store: RawStore, manifests: list[Manifest], packs: Sequence[Pack] = ()
    ) -> None:
        super().__init__(store.root)
        replaced = {each.extract_id for pack in packs for each in pack.replaces}
        counting = [each for each in manifests if each.extract_id not in replaced]
        counting += [pack.manifest for pack in packs]
        self._counting = sorted(counting, key=lambda each: (each.extracted_at, each.extract_id))

    def manifests(
        self, feed: str | None = None, *, without: set[str] | None = None
    ) -> list[Manifest]:
        """Give the manifests that count in it."""
        return [
            each
            for each in self._counting
            if feed in (None, each.feed) and each.extract_id not in (without or ())
        ]


@contextmanager
def _rebuilt(
    settings: Settings, store: RawStore, name: str, tell: Progress
) -> Generator[duckdb.DuckDBPyConnection]:
    """Make a warehouse from a raw store, for the length of the block."""
    path = settings.data_dir / f"{TEMPORARY_PREFIX}compact-{name}-{os.getpid()}.duckdb"
    # What is there was left by another process, and has loaded what is to be loaded now.
    remove_database(path)
    try:
        with connect(path) as connection:
            path.chmod(PRIVATE_FILE)
            create_or_check(connection)
            try:
                load_pending(connection, store, progress=lambda records: tell("prove", records))
            except DamagedExtractError as error:
                if error.feed == ERASURES:
                    raise
                raise NotCompactedError(
                    f"Nothing was compacted. {error} It is set aside: run `ldt sync`, which fetches it "
                    "again, and then compact."
                ) from None
            yield connection
    finally:
        remove_database(path)


def _prove(
    settings: Settings,
    store: RawStore,
    before: duckdb.DuckDBPyConnection,
    *,
    dropped: int,
    tell: Progress,
) -> History:
    """Prove that no table changes; gives the history that is left, where some of it is dropped."""
    with _rebuilt(settings, store, "after", tell) as after:
        for what, query in _comparisons():
            expected = before.execute(query).fetchall()
            found = after.execute(query).fetchall()
            if expected != found:
                raise NotCompactedError(
                    f"Nothing was compacted: {what} would not be the same afterwards. That is a "
                    "defect of the pipeline: please tell its maintainers."
                )
        if dropped:
            return {name: after.sql(f"SELECT * FROM ops.{name}").pl() for name in _HISTORY}
        for name in _HISTORY:
            query = _digest(f"SELECT * FROM ops.{name}")
            if before.execute(query).fetchall() != after.execute(query).fetchall():
                raise NotCompactedError(f"Nothing was compacted: {name} would not be the same.")
        if books.schema_drift(before).rows() != books.schema_drift(after).rows():
            raise NotCompactedError("Nothing was compacted: schema_drift would not be the same.")
    return {}


def _forget_history(connection: duckdb.DuckDBPyConnection, history: History) -> None:
    """Bring the warehouse's history to what the raw store still tells, and have it published."""
    if not history:
        return
    with transaction(connection):
        for name, frame in history.items():
            connection.execute(f"DELETE FROM ops.{name}")
            with registered(connection, "left_history", frame):
                connection.execute(f"INSERT INTO ops.{name} BY NAME SELECT * FROM left_history")
        connection.execute("DELETE FROM ops.publications")
        note_version(connection, is_ours=True)


def _comparisons() -> Iterator[tuple[str, str]]:
    """Give what is compared, as queries of which each gives a number of rows and their digest."""
    for each in TABLES.values():
        if each.layer is not Layer.TIDY:
            continue
        yield each.name, _digest(relation(each))
        if has_record(each):
            yield f"the lineage of {each.name}", _digest(f"SELECT * FROM tidy.{each.name}")
    for name in ("tombstones", "rejections", "erasures"):
        yield name, _digest(f"SELECT DISTINCT * FROM ops.{name}")
    columns = ", ".join(table("loaded_extracts").schema)
    yield "the log of extracts", _digest(f"SELECT {columns} FROM ops.load_log")


def _digest(query: str) -> str:
    return (
        "SELECT count(*), sum(hash(hash(compared))::HUGEINT), bit_xor(hash(hash(compared))) "
        f"FROM ({query}) AS compared"
    )
