"""Texts of a record that tell nobody who it was: the race's name, a question, what others say too.

What belongs here: taking them out of what other copies are searched for. Without that, an erasure
would delete every export of the race, and blank the race's name in Dagster's records.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import duckdb
import polars as pl

from ldt_pipeline.erasing.traces import is_contact, telling
from ldt_pipeline.tables import TABLES, Layer, Table
from ldt_pipeline.warehouse.connection import registered

_KEYS = ("participant_id", "application_id")


def only_theirs(
    connection: duckdb.DuckDBPyConnection,
    texts: Collection[str],
    ids: Mapping[str, Collection[str]],
) -> set[str]:
    """Give those of `texts` that tell of the people in `ids` (by entity) and of nobody else.

    Not what stands in a column without personal data, whoever's row it is. Not what is said of
    others as well, such as a club, but for telephone numbers and addresses: those of a family lead
    to each of them.
    """
    candidates = telling(texts)
    if not candidates:
        return set()
    theirs = sorted({each for of_entity in ids.values() for each in of_entity})
    public, others = set[str](), set[str]()
    with (
        registered(connection, "candidates", pl.DataFrame({"text": candidates})),
        registered(connection, "theirs", pl.DataFrame({"id": theirs}, schema={"id": pl.String()})),
    ):
        for table in TABLES.values():
            if table.layer is Layer.TIDY:
                public |= _said(connection, table, is_personal=False)
                others |= _said(connection, table, is_personal=True)
    return {
        text
        for text in candidates
        if text not in public and (text not in others or is_contact(text))
    }


def _said(connection: duckdb.DuckDBPyConnection, table: Table, *, is_personal: bool) -> set[str]:
    """Give the candidates that stand in a table's columns; personal ones, of others alone."""
    names = [
        f'"{column.name}"'
        for column in table.columns
        if isinstance(column.type, pl.String) and bool(column.personal) is is_personal
    ]
    if not names:
        return set()
    keys = [name for name in _KEYS if name in table.schema] if is_personal else []
    of_others = "".join(
        f" AND coalesce(\"{key}\", '') NOT IN (SELECT id FROM theirs)" for key in keys
    )
    rows = connection.execute(
        f"""
        SELECT DISTINCT trim(text)
        FROM (SELECT unnest([{", ".join(names)}]) AS text FROM tidy.{table.name}
              WHERE true{of_others})
        WHERE trim(text) IN (SELECT text FROM candidates)
        """
    ).fetchall()
    return {row[0] for row in rows}
