"""Bringing a batch of versions into a tidy table: the newest one of each record wins.

What belongs here: which version wins, and the statements that put it in. What doesn't: reading
extracts (`load.py`).

A version is ordered by (whether it is redacted, `updated_at`, extract time, extract, line), where an
`updated_at` in the future counts as the extract time. All of it is a maximum, so loading in another
order or in other batches gives the same rows. A redaction wins over whatever was changed later:
nothing says that it moves `updatedAt`.

Deleting by a join and inserting is, of all ways that DuckDB has, the one that stays fast whatever
the order of the incoming rows; `MERGE INTO` and `UPDATE … FROM` of all columns can take minutes.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

from ldt_pipeline.instants import AHEAD_MOST
from ldt_pipeline.tables import Table
from ldt_pipeline.warehouse.connection import registered
from ldt_pipeline.warehouse.history import is_versioned, keep_older, keep_stored, note_sightings
from ldt_pipeline.warehouse.schema import LINEAGE_COLUMNS, children, listed, stored_columns

_VERSION = ("updated_at", "_extracted_at", "_extract_id", "_record_number")
_REDACTED = "gdpr_redacted"
_BELIEVED = f"""
    CASE WHEN {{alias}}.updated_at > {{alias}}._extracted_at + INTERVAL {AHEAD_MOST.days} DAY
    THEN {{alias}}._extracted_at
    ELSE coalesce({{alias}}.updated_at, '-infinity'::TIMESTAMPTZ) END
"""
"""See `instants.believed`."""


def upsert(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    frames: Mapping[str, pl.DataFrame],
    partitions: Mapping[str, str],
) -> None:
    """Bring in versions of records with their nested lists, inside the caller's transaction.

    Args:
        connection: The warehouse.
        table: The table of the records.
        frames: By table name: the records' columns with their lineage, and each nested list with
            the columns `extract_id` and `record_number`.
        partitions: The partition of each extract.
    """
    incoming = _newest_of_batch(table, frames[table.name], partitions)
    if incoming.is_empty():
        return
    with registered(connection, "incoming", incoming):
        is_merge = incoming.height < frames[table.name].height or _meets_stored(connection, table)
        if is_merge:
            _merge(connection, table, frames)
        else:
            _append(connection, table, frames)
    if is_versioned(table):
        frame = frames[table.name]
        note_sightings(connection, frame, are_new=not is_merge)
        if is_merge:
            keep_older(connection, frame, frames["participant_answers"])


def _meets_stored(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether any record that comes in is stored already, in whatever version."""
    key = table.key[0]
    rows = connection.execute(
        f"""
        SELECT 1 FROM tidy.{table.name} AS stored
        SEMI JOIN incoming ON incoming."{key}" = stored."{key}" LIMIT 1
        """
    ).fetchall()
    return bool(rows)


def _append(
    connection: duckdb.DuckDBPyConnection, table: Table, frames: Mapping[str, pl.DataFrame]
) -> None:
    """Bring in records that are all new, each once: half the work of a merge, on a first load."""
    names = listed([*stored_columns(table), *LINEAGE_COLUMNS])
    connection.execute(f"INSERT INTO tidy.{table.name} ({names}) SELECT {names} FROM incoming")
    for child in children(table):
        names = listed(child.schema)
        with registered(connection, "incoming_children", frames[child.name]):
            connection.execute(
                f"INSERT INTO tidy.{child.name} ({names}) SELECT {names} FROM incoming_children"
            )


def _merge(
    connection: duckdb.DuckDBPyConnection, table: Table, frames: Mapping[str, pl.DataFrame]
) -> None:
    """Bring in records of which some may be stored already, or come in several versions."""
    key = table.key[0]
    target = f"tidy.{table.name}"
    incoming = _version(table, "incoming")
    stored = _version(table, "stored")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE newer AS
        SELECT incoming."{key}" AS id, incoming._extract_id, incoming._record_number,
            stored._record_hash IS NOT DISTINCT FROM incoming._record_hash AS is_same,
            greatest(stored._seen_at, incoming._seen_at) AS seen_at,
            stored."{key}" IS NULL OR {incoming} > {stored} AS wins
        FROM incoming LEFT JOIN {target} AS stored ON stored."{key}" = incoming."{key}"
        WHERE stored."{key}" IS NULL OR {incoming} > {stored} OR incoming._seen_at > stored._seen_at
        """
    )
    # The same bytes again, or an older version that was seen later: only the books change.
    # A snapshot's rows say when they were read, so there the same bytes are news.
    same = "FALSE" if "read_at" in table.schema else "newer.is_same"
    connection.execute(
        f"""
        UPDATE {target} AS stored
        SET _seen_at = newer.seen_at,
            _extract_id = CASE WHEN newer.wins THEN newer._extract_id ELSE stored._extract_id END,
            _record_number =
                CASE WHEN newer.wins THEN newer._record_number ELSE stored._record_number END,
            _extracted_at =
                CASE WHEN newer.wins THEN incoming._extracted_at ELSE stored._extracted_at END,
            _partition = CASE WHEN newer.wins THEN incoming._partition ELSE stored._partition END
        FROM newer JOIN incoming ON incoming."{key}" = newer.id
        WHERE stored."{key}" = newer.id AND ({same} OR NOT newer.wins)
        """
    )
    connection.execute(f"DELETE FROM newer WHERE {same} OR NOT newer.wins")
    if is_versioned(table):
        keep_stored(connection)
    connection.execute(
        f'DELETE FROM {target} AS stored USING newer WHERE stored."{key}" = newer.id'
    )
    names = [*stored_columns(table), *LINEAGE_COLUMNS]
    values = ", ".join(
        "newer.seen_at" if name == "_seen_at" else f'incoming."{name}"' for name in names
    )
    connection.execute(
        f"""
        INSERT INTO {target} ({listed(names)})
        SELECT {values} FROM incoming JOIN newer ON newer.id = incoming."{key}"
        """
    )
    for child in children(table):
        _replace_children(connection, child, frames[child.name])
    connection.execute("DROP TABLE newer")


def _replace_children(
    connection: duckdb.DuckDBPyConnection, child: Table, frame: pl.DataFrame
) -> None:
    key = child.key[0]
    names = listed(child.schema)
    connection.execute(
        f'DELETE FROM tidy.{child.name} AS stored USING newer WHERE stored."{key}" = newer.id'
    )
    if frame.is_empty():
        return
    with registered(connection, "incoming_children", frame):
        connection.execute(
            f"""
            INSERT INTO tidy.{child.name} ({names})
            SELECT {names} FROM incoming_children
            SEMI JOIN newer ON newer._extract_id = incoming_children.extract_id
                AND newer._record_number = incoming_children.record_number
            """
        )


def _newest_of_batch(
    table: Table, frame: pl.DataFrame, partitions: Mapping[str, str]
) -> pl.DataFrame:
    """Give one row per record: its newest version, and when it was last seen."""
    key = table.key[0]
    named = frame.rename(
        {
            name: f"_{name}"
            for name in ("extract_id", "record_number", "extracted_at", "record_hash")
        }
    ).with_columns(
        _partition=pl.col("_extract_id").replace_strict(partitions, return_dtype=pl.String),
        _seen_at=pl.col("_extracted_at"),
    )
    # DuckDB stores NULL for a column that is missing, without a word.
    columns = [*stored_columns(table), *LINEAGE_COLUMNS]
    named = named.select(columns)
    if named[key].n_unique() == named.height:
        return named
    order: list[str | pl.Expr] = [name for name in _VERSION if name in named.columns]
    if "updated_at" in named.columns:
        updated_at, extracted_at = pl.col("updated_at"), pl.col("_extracted_at")
        is_ahead = updated_at > extracted_at + AHEAD_MOST
        order[0] = pl.when(is_ahead).then(extracted_at).otherwise(updated_at)
    if _REDACTED in named.columns:
        order.insert(0, pl.col(_REDACTED).fill_null(value=False))
    return (
        named.with_columns(_seen_at=pl.col("_extracted_at").max().over(key))
        .sort(order, nulls_last=False)
        .unique(subset=key, keep="last", maintain_order=True)
    )


def _version(table: Table, alias: str) -> str:
    """Write the value that orders versions; a record that doesn't say when it changed is oldest."""
    parts = [f"{alias}.{name}" for name in _VERSION[1:]]
    if "updated_at" in table.schema:
        parts.insert(0, _BELIEVED.format(alias=alias))
    if _REDACTED in table.schema:
        parts.insert(0, f"coalesce({alias}.{_REDACTED}, FALSE)")
    return f"row({', '.join(parts)})"
