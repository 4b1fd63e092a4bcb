"""Records that hold more of somebody than they may: none of it reaches a table.

What belongs here: finding them in a batch that is about to be loaded, and noting that the raw store
has to be rewritten. What doesn't: rewriting it (`erasing/erase.py`).

Readers of the API store the right form in the first place. What is found here was restored from an
old backup, was written while somebody was being erased, or was the person's last plain version
before the API redacted it.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl

from ldt_pipeline.erasing.book import ENTITIES, Book
from ldt_pipeline.record_hash import record_hash
from ldt_pipeline.tables import Table
from ldt_pipeline.tidy import RAW_SCHEMA, Tidied
from ldt_pipeline.warehouse.connection import registered

_LINE = ("extract_id", "record_number")


def without_erased(
    raw: pl.DataFrame, tidied: Tidied, entity: str, book: Book
) -> pl.DataFrame | None:
    """Give the raw frame in the form in which it may be loaded; None where it is in it already.

    Args:
        raw: The records, as they lie in the raw store.
        tidied: What they were read as: it says who they are of.
        entity: What they are records of.
        book: Whose records have to be in another form.
    """
    if entity not in ENTITIES:
        return None
    candidates = pl.concat(_candidates(tidied, entity, book))
    if candidates.is_empty():
        return None
    found = raw.with_row_index("row").join(candidates.unique(subset=_LINE), on=_LINE, how="inner")
    changed: dict[int, bytes] = {}
    columns = ("row", "record", "known_id", "extracted_at")
    for row, record, record_id, extracted_at in found.select(columns).iter_rows():
        form = book.form(entity, record_id, record, extracted_at)
        if form != record:
            changed[row] = form
    if not changed:
        return None
    records = raw["record"].to_list()
    hashes = raw["record_hash"].to_list()
    for row, form in changed.items():
        records[row] = form
        hashes[row] = record_hash(form)
    return raw.with_columns(
        pl.Series("record", records, dtype=RAW_SCHEMA["record"]),
        pl.Series("record_hash", hashes, dtype=RAW_SCHEMA["record_hash"]),
    )


def _candidates(tidied: Tidied, entity: str, book: Book) -> Iterator[pl.DataFrame]:
    ids = book.ids(entity)
    parent = tidied.tables[entity]
    key = parent.columns[0]
    is_named = pl.col(key).is_in(ids)
    is_old = pl.lit(False) if book.before is None else pl.col("race_start_at") < book.before
    wanted = is_named | pl.col("gdpr_redacted") | is_old
    yield parent.filter(wanted).select(*_LINE, pl.col(key).alias("known_id"))
    rejected = pl.col("record_id")
    yield tidied.rejected.filter(rejected.is_in(ids)).select(*_LINE, rejected.alias("known_id"))


def note_unclean(
    connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame, is_unclean: bool
) -> None:
    """Note what of a batch the raw store may not hold any longer, in the batch's transaction.

    That is: of somebody whom the API has redacted, the plain versions, be they in the batch or
    loaded before.
    """
    if table.name not in ENTITIES:
        return
    if is_unclean:
        connection.execute("INSERT INTO ops.erasures_due VALUES (?, NULL)", [table.name])
    key = table.key[0]
    versions = frame.select(
        pl.col(key).alias("id"), pl.col("gdpr_redacted").fill_null(value=False).alias("redacted")
    ).unique()
    with registered(connection, "versions", versions):
        connection.execute(
            f"""
            INSERT INTO ops.erasures_due
            SELECT '{table.name}', id FROM (
                SELECT id, redacted FROM versions
                UNION ALL
                SELECT stored."{key}", coalesce(stored.gdpr_redacted, FALSE)
                FROM tidy.{table.name} AS stored
                SEMI JOIN versions ON versions.id = stored."{key}"
            ) GROUP BY id HAVING bool_or(redacted) AND NOT bool_and(redacted)
            """
        )
