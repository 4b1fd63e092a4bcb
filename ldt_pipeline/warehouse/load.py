"""From extracts to tidy rows: each extract exactly once, whatever is killed.

What belongs here: which extracts are pending, batches, and the load log, which commits together
with the rows. What doesn't: what a record means (`tidy/`) and which version wins (`upsert.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

import duckdb
import polars as pl

from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.raw.quarantine import past_damage
from ldt_pipeline.tables import table
from ldt_pipeline.tidy import (
    RAW_SCHEMA,
    Tidied,
    tidy_applications,
    tidy_participants,
    tidy_partners,
    tidy_reserved_entries,
    tidy_tickets,
)
from ldt_pipeline.warehouse.connection import registered, transaction
from ldt_pipeline.warehouse.upsert import upsert

_TIDY: Mapping[str, Callable[[pl.DataFrame], Tidied]] = {
    "participants": tidy_participants,
    "applications": tidy_applications,
    "partners": tidy_partners,
    "reserved_entry_groups": tidy_reserved_entries,
    "tickets": tidy_tickets,
}

_BATCH_RECORDS = 8_000
"""Records that are turned into frames at once: about 25 MB of JSON."""

_TRANSACTION_RECORDS = 120_000
"""A first load commits now and then: DuckDB keeps in memory what is not committed, and a kill costs
little."""


@dataclass(kw_only=True)
class Loaded:
    """What a load did."""

    extracts: int = 0
    records: int = 0
    rejected: int = 0


def pending(connection: duckdb.DuckDBPyConnection, store: RawStore) -> list[Manifest]:
    """Give the extracts that are not loaded, in the order in which to load them."""
    rows = connection.execute("SELECT extract_id FROM ops.load_log").fetchall()
    return past_damage(store, lambda: store.manifests(without={row[0] for row in rows}))


def load_pending(
    connection: duckdb.DuckDBPyConnection,
    store: RawStore,
    *,
    progress: Callable[[int], None] | None = None,
) -> Loaded:
    """Load every extract that is not loaded yet. One that is damaged is set aside, and noted there.

    Raises:
        OSError: An extract could not be read, or a damaged one not be moved. What was committed
            before stays, and the others are loaded next time.
    """
    loaded = Loaded()
    past_damage(store, lambda: _load(connection, store, loaded, progress))
    return loaded


def _load(
    connection: duckdb.DuckDBPyConnection,
    store: RawStore,
    loaded: Loaded,
    progress: Callable[[int], None] | None,
) -> None:
    chunks = list(_chunks(pending(connection, store)))
    batches = _one_ahead(batch for chunk in chunks for batch in _batches(store, chunk))
    for chunk in chunks:
        with transaction(connection):
            for batch in batches:
                if batch.is_end:
                    break
                _load_batch(connection, batch)
                loaded.records += batch.records
                loaded.rejected += batch.tidied.rejected.height if batch.tidied else 0
                if progress:
                    progress(batch.records)
            _log(connection, chunk)
        loaded.extracts += len(chunk)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Records of one entity, read and tidied; or tombstones, with `id` and `deleted_at`."""

    entity: str
    records: int
    manifests: Mapping[str, Manifest]
    tidied: Tidied | None
    tombstones: pl.DataFrame | None
    is_end: bool = False
    """It holds nothing, and stands after the last one of a transaction."""


def _chunks(manifests: list[Manifest]) -> Iterator[list[Manifest]]:
    chunk: list[Manifest] = []
    records = 0
    for manifest in manifests:
        chunk.append(manifest)
        records += manifest.records
        if records >= _TRANSACTION_RECORDS:
            yield chunk
            chunk, records = [], 0
    if chunk:
        yield chunk


def _batches(store: RawStore, manifests: list[Manifest]) -> Iterator[_Batch]:
    """Give the records of many extracts in batches of one entity each, and an end."""
    entities: dict[tuple[str, bool], list[Manifest]] = {}
    for manifest in manifests:
        is_deletions = manifest.feed == DELETIONS
        entity = manifest.partition if is_deletions else FEEDS[manifest.feed].entity
        entities.setdefault((entity, is_deletions), []).append(manifest)
    for (entity, is_deletions), group in entities.items():
        by_id = {each.extract_id: each for each in group}
        frames: list[pl.DataFrame] = []
        height = 0
        for frame in _frames(store, group):
            frames.append(frame)
            height += frame.height
            if height >= _BATCH_RECORDS:
                yield _batch(entity, is_deletions, frames, by_id)
                frames, height = [], 0
        if frames:
            yield _batch(entity, is_deletions, frames, by_id)
    yield _Batch(entity="", records=0, manifests={}, tidied=None, tombstones=None, is_end=True)


def _batch(
    entity: str, is_deletions: bool, frames: list[pl.DataFrame], manifests: Mapping[str, Manifest]
) -> _Batch:
    raw = pl.concat(frames)
    return _Batch(
        entity=entity,
        records=raw.height,
        manifests=manifests,
        tidied=None if is_deletions else _TIDY[entity](raw),
        tombstones=_tombstones(entity, raw) if is_deletions else None,
    )


def _one_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Give batches while a thread makes the next one: DuckDB and Python each have a core then."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tidy") as thread:
        upcoming = thread.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = thread.submit(next, batches, None)
            yield batch


def _frames(store: RawStore, manifests: Iterable[Manifest]) -> Iterator[pl.DataFrame]:
    for manifest in manifests:
        number = 0
        for records in store.read(manifest, batch_records=_BATCH_RECORDS):
            yield _raw_frame(manifest, records, number)
            number += len(records)


def _raw_frame(manifest: Manifest, records: list[bytes], before: int) -> pl.DataFrame:
    hashes = [
        int.from_bytes(blake2b(record, digest_size=8).digest(), "big", signed=True)
        for record in records
    ]
    event_id = manifest.partition if manifest.partition_key == "event_id" else None
    return pl.DataFrame(
        {"record": records, "record_hash": hashes},
        schema={name: RAW_SCHEMA[name] for name in ("record", "record_hash")},
    ).select(
        "record",
        pl.lit(manifest.extract_id, pl.String).alias("extract_id"),
        (pl.int_range(pl.len(), dtype=pl.Int64) + before + 1).alias("record_number"),
        pl.lit(manifest.extracted_at).cast(RAW_SCHEMA["extracted_at"]).alias("extracted_at"),
        "record_hash",
        pl.lit(event_id, pl.String).alias("event_id"),
    )


def _load_batch(connection: duckdb.DuckDBPyConnection, batch: _Batch) -> None:
    if batch.tombstones is not None:
        _insert(connection, "ops.tombstones", batch.tombstones)
    tidied = batch.tidied
    if tidied is None:
        return
    partitions = {name: each.partition for name, each in batch.manifests.items()}
    upsert(connection, table(batch.entity), tidied.tables, partitions)
    feeds = {name: each.feed for name, each in batch.manifests.items()}
    if not tidied.rejected.is_empty():
        rejected = tidied.rejected.with_columns(
            feed=pl.col("extract_id").replace_strict(feeds, return_dtype=pl.String),
            entity=pl.lit(batch.entity),
        )
        _insert(connection, "ops.rejections", rejected)
    if not tidied.drift.is_empty():
        drift = tidied.drift.with_columns(feed=pl.lit(_feed_of(batch.entity)))
        _insert(connection, "ops.drift", drift)


def _feed_of(entity: str) -> str:
    return next(name for name, feed in FEEDS.items() if feed.entity == entity)


def _insert(connection: duckdb.DuckDBPyConnection, target: str, frame: pl.DataFrame) -> None:
    with registered(connection, "rows_to_insert", frame):
        connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM rows_to_insert")


def _tombstones(entity: str, raw: pl.DataFrame) -> pl.DataFrame:
    return raw.select(
        entity=pl.lit(entity),
        id=pl.col("record").cast(pl.String).str.json_path_match("$.id"),
        deleted_at=pl.col("extracted_at"),
    )


def _log(connection: duckdb.DuckDBPyConnection, manifests: list[Manifest]) -> None:
    rows = pl.DataFrame(
        {
            "extract_id": [each.extract_id for each in manifests],
            "feed": [each.feed for each in manifests],
            "partition_key": [each.partition_key for each in manifests],
            "partition": [each.partition for each in manifests],
            "extracted_at": [each.extracted_at for each in manifests],
            "records": [each.records for each in manifests],
        },
        schema_overrides={"extracted_at": pl.Datetime("us", "UTC")},
    )
    _insert(connection, "ops.load_log", rows)
    connection.execute(
        """
        UPDATE ops.load_log SET rejected = (
            SELECT count(*) FROM ops.rejections
            WHERE rejections.extract_id = load_log.extract_id
        ) WHERE rejected IS NULL
        """
    )
