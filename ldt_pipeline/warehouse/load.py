"""From extracts to tidy rows: each extract exactly once, whatever is killed.

What belongs here: which extracts are pending, batches, and the load log, which commits together
with the rows. What doesn't: what a record means (`tidy/`) and which version wins (`upsert.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import duckdb
import polars as pl

from ldt_pipeline.erasing.book import Book, read_erasures
from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.raw import DELETIONS, ERASURES, Manifest, Part, RawStore
from ldt_pipeline.raw.quarantine import past_damage
from ldt_pipeline.record_hash import record_hash
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
from ldt_pipeline.warehouse.allocation_days import GROUPS, note_days
from ldt_pipeline.warehouse.connection import registered, transaction, writing_much
from ldt_pipeline.warehouse.outcomes import forget_outcomes
from ldt_pipeline.warehouse.unclean import note_unclean, without_erased
from ldt_pipeline.warehouse.upsert import upsert

_TIDY: Mapping[str, Callable[[pl.DataFrame], Tidied]] = {
    "participants": tidy_participants,
    "applications": tidy_applications,
    "partners": tidy_partners,
    "reserved_entry_groups": tidy_reserved_entries,
    "tickets": tidy_tickets,
}

_BATCH_RECORDS = 16_000
"""Records that are turned into frames at once: about 50 MB of JSON."""

_TRANSACTION_RECORDS = 20_000
"""A first load commits now and then: DuckDB keeps in memory what is not committed (120,000 records
take 350 MB more than 20,000, and are no faster), and a kill costs little."""


@dataclass(kw_only=True)
class Loaded:
    """What a load did."""

    extracts: int = 0
    records: int = 0
    rejected: int = 0


def pending(connection: duckdb.DuckDBPyConnection, store: RawStore) -> list[Manifest]:
    """Give the extracts that are not loaded, in the order in which to load them.

    Erasures are not among them: they are for rows that are there already, too (`erasing/erase.py`).
    """
    loaded = loaded_ids(connection)
    found = past_damage(store, lambda: store.manifests(without=loaded))
    return [each for each in found if each.feed != ERASURES]


def loaded_ids(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Give the ids of all extracts that are loaded, and of those they were compacted into."""
    rows = connection.execute(
        "SELECT extract_id FROM ops.load_log UNION SELECT pack FROM ops.load_log"
    ).fetchall()
    return {row[0] for row in rows if row[0] is not None}


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
    if not loaded_ids(connection):
        load_erasures(connection, store)  # there are no rows yet that they would be late for
    book = Book.read(store)
    known = loaded_ids(connection)
    chunks = list(_chunks(_not_adopted(connection, pending(connection, store), known)))
    batches = _one_ahead(batch for chunk in chunks for batch in _batches(store, chunk, book, known))
    with writing_much(connection) if len(chunks) > 1 else nullcontext():
        for chunk in chunks:
            records = rejected = 0
            with transaction(connection):
                for batch in batches:
                    if batch.is_end:
                        break
                    _load_batch(connection, batch)
                    records += batch.records
                    rejected += batch.tidied.rejected.height if batch.tidied else 0
                    if progress:
                        progress(batch.records)
                _log(connection, chunk)
            loaded.extracts += len(chunk)
            loaded.records += records
            loaded.rejected += rejected


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Records of one entity, read and tidied; or tombstones, with `id` and `deleted_at`."""

    entity: str
    records: int
    manifests: Mapping[str, Manifest]
    tidied: Tidied | None
    tombstones: pl.DataFrame | None
    unclean: bool = False
    """Whether the raw store holds more of somebody than it may; the batch doesn't."""
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


def load_erasures(connection: duckdb.DuckDBPyConnection, store: RawStore) -> None:
    """Take the erasures that aren't in the books into them; rows that are there stay."""
    manifests = [
        each
        for each in store.manifests(ERASURES, without=loaded_ids(connection))
        if each.feed == ERASURES
    ]
    if not manifests:
        return
    rows = [
        {
            "entity": each.entity or manifest.partition,
            "id": each.id or None,
            "event_id": each.event_id,
            "race_id": each.race_id,
            "before": each.before,
            "reason": each.reason.value,
            "erased_at": each.erased_at,
            "recipients": "; ".join(each.recipients) or None,
        }
        for manifest in manifests
        for each in read_erasures(store, manifest)
    ]
    with transaction(connection):
        if rows:
            _insert(connection, "ops.erasures", pl.DataFrame(rows, schema=_ERASURE_ROWS))
        _log(connection, manifests)


_ERASURE_ROWS = {
    **dict.fromkeys(("entity", "id", "event_id", "race_id", "reason", "recipients"), pl.String()),
    **dict.fromkeys(("before", "erased_at"), pl.Datetime("us", "UTC")),
}


def _not_adopted(
    connection: duckdb.DuckDBPyConnection, manifests: list[Manifest], known: Collection[str]
) -> list[Manifest]:
    """Leave out compacted extracts whose every part is loaded, and note where the parts are now."""
    left: list[Manifest] = []
    for manifest in manifests:
        if manifest.parts and all(part.extract_id in known for part in manifest.parts):
            adopt(connection, manifest)
        else:
            left.append(manifest)
    return left


def adopt(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    """Note that extracts which are loaded lie in a compacted one now."""
    connection.execute(
        "UPDATE ops.load_log SET pack = ? WHERE list_contains(?::VARCHAR[], extract_id)",
        [manifest.extract_id, [part.extract_id for part in manifest.parts]],
    )


def _batches(
    store: RawStore, manifests: list[Manifest], book: Book, known: Collection[str]
) -> Iterator[_Batch]:
    """Give the records of many extracts in batches of one entity each, and an end.

    `known` are the ids of extracts that are loaded: of a compacted one, only the other parts are read.
    """
    entities: dict[tuple[str, bool], list[Manifest]] = {}
    for manifest in manifests:
        is_deletions = manifest.feed == DELETIONS
        entity = manifest.partition if is_deletions else FEEDS[manifest.feed].entity
        entities.setdefault((entity, is_deletions), []).append(manifest)
    for (entity, is_deletions), group in entities.items():
        by_id = {part.extract_id: each for each in group for part in each.origins}
        make = partial(_batch, entity, is_deletions, by_id, book)
        frames: list[pl.DataFrame] = []
        height = 0
        for frame in _frames(store, group, known):
            if height + frame.height > _BATCH_RECORDS and frames:
                yield make(frames)
                frames, height = [], 0
            frames.append(frame)
            height += frame.height
        if frames:
            yield make(frames)
    yield _Batch(entity="", records=0, manifests={}, tidied=None, tombstones=None, is_end=True)


def _batch(
    entity: str,
    is_deletions: bool,
    manifests: Mapping[str, Manifest],
    book: Book,
    frames: list[pl.DataFrame],
) -> _Batch:
    raw = pl.concat(frames)
    tidied = None if is_deletions else _TIDY[entity](raw)
    cleaned = None if tidied is None else without_erased(raw, tidied, entity, book)
    return _Batch(
        entity=entity,
        records=raw.height,
        manifests=manifests,
        tidied=tidied if cleaned is None else _TIDY[entity](cleaned),
        tombstones=_tombstones(entity, raw) if is_deletions else None,
        unclean=cleaned is not None,
    )


def _one_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Give batches while a thread makes the next one: DuckDB and Python each have a core then."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tidy") as thread:
        upcoming = thread.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = thread.submit(next, batches, None)
            yield batch


def _frames(
    store: RawStore, manifests: Iterable[Manifest], known: Collection[str]
) -> Iterator[pl.DataFrame]:
    for manifest in manifests:
        for origin, before, lines in store.read_parts(manifest, batch_records=_BATCH_RECORDS):
            if origin.extract_id not in known:
                yield _raw_frame(manifest, origin, lines, before)


def _raw_frame(manifest: Manifest, origin: Part, records: list[bytes], before: int) -> pl.DataFrame:
    hashes = [record_hash(record) for record in records]
    event_id = manifest.partition if manifest.partition_key == "event_id" else None
    return (
        pl.DataFrame(
            {"record": records, "record_hash": hashes},
            schema={name: RAW_SCHEMA[name] for name in ("record", "record_hash")},
        )
        .select(
            "record",
            pl.lit(origin.extract_id, pl.String).alias("extract_id"),
            (pl.int_range(pl.len(), dtype=pl.Int64) + before + 1).alias("record_number"),
            pl.lit(origin.extracted_at).cast(RAW_SCHEMA["extracted_at"]).alias("extracted_at"),
            "record_hash",
            pl.lit(event_id, pl.String).alias("event_id"),
        )
        .filter(pl.col("record").bin.size() > 0)
    )  # a blank line in a compacted extract was dropped


def _load_batch(connection: duckdb.DuckDBPyConnection, batch: _Batch) -> None:
    if batch.tombstones is not None:
        _insert(connection, "ops.tombstones", batch.tombstones)
    tidied = batch.tidied
    if tidied is None:
        return
    note_unclean(connection, table(batch.entity), tidied.tables[batch.entity], batch.unclean)
    partitions = {name: each.partition for name, each in batch.manifests.items()}
    upsert(connection, table(batch.entity), tidied.tables, partitions)
    if batch.entity == GROUPS:
        note_days(connection, tidied.tables[GROUPS])
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
    forget_outcomes(connection)
    origins = [(each, part) for each in manifests for part in each.origins]
    rows = pl.DataFrame(
        {
            "extract_id": [part.extract_id for _, part in origins],
            "feed": [each.feed for each, _ in origins],
            "partition_key": [each.partition_key for each, _ in origins],
            "partition": [each.partition for each, _ in origins],
            "extracted_at": [part.extracted_at for _, part in origins],
            "records": [part.records for _, part in origins],
            "pack": [each.extract_id if each.parts else None for each, _ in origins],
        },
        schema_overrides={"extracted_at": pl.Datetime("us", "UTC"), "pack": pl.String()},
    )
    connection.execute(
        "DELETE FROM ops.load_log WHERE list_contains(?::VARCHAR[], extract_id)",
        [[part.extract_id for _, part in origins]],
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
