"""Ways to make columns that several feeds share.

What belongs here: columns that are simply one top-level key, full names, the first of several
columns. What doesn't: which keys a feed's other columns are made from.
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables.types import Table
from ldt_pipeline.tidy.items import Items


def simple_columns(items: Items, table: Table) -> dict[str, pl.Series]:
    """Make the columns that are one top-level key's value, read by the column's type."""
    shape = items.shape
    return {
        column.name: (
            items.column(column.source).texts
            if column.source in shape.whole
            else items.by_type(column.type, column.source)
        )
        for column in table.columns
        if column.source in shape.known and column.source not in shape.nested_by_key
    }


def full_name(people: Items) -> pl.Series:
    """Give each one's full name: as it stands, else put together; null where there is none."""
    whole = people.named("name", "fullName")
    first = people.text("firstName", "givenName")
    last = people.text("lastName", "familyName", "surname")
    joined = pl.concat_str(
        [pl.lit(first).str.strip_chars(), pl.lit(last).str.strip_chars()],
        separator=" ",
        ignore_nulls=True,
    ).str.strip_chars()
    name = pl.coalesce(pl.lit(whole), joined)
    return pl.select(pl.when(name != "").then(name)).to_series()


def first_of(*columns: pl.Series) -> pl.Series:
    """Give the first of the columns' values that isn't null."""
    first, *others = columns
    for other in others:
        if first.null_count():
            first = first.fill_null(other) if other.null_count() < other.len() else first
    return first
