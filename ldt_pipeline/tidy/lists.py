"""List columns: what is flat in `items.py`, put back into one list for each record.

What belongs here: the way back from flat columns to lists, and positions in them. What doesn't:
flattening (`items.py`), and what the lists hold (the modules named after feeds).
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tidy.items import Items
from ldt_pipeline.tidy.json_columns import nulls


def struct_lists(items: Items, parts: dict[str, pl.Series], type_: pl.List) -> pl.Series:
    """Make a list of structs for each record.

    Args:
        items: Objects in lists.
        parts: The structs' fields, a value for each object. Objects of which no field is known
            (nulls in the list, and what could not be read) are left out.
        type_: The list's type.

    Returns:
        Lists, null where the record has none.
    """
    frame = pl.DataFrame(parts)
    known = pl.any_horizontal(pl.all().is_not_null())
    flat = frame.select(pl.struct(pl.all()).alias("item"), known.alias("known"))
    return _lists(items, flat, type_)


def text_lists(items: Items, texts: pl.Series) -> pl.Series:
    """Make a list of texts for each record, null where it has none; texts that are null go."""
    flat = pl.DataFrame({"item": texts, "known": texts.is_not_null()})
    return _lists(items, flat, pl.List(pl.String()))


def joined_texts(items: Items, texts: pl.Series) -> pl.Series:
    """Join the different texts of each record with ", "; null where there are none."""
    if texts.null_count() == texts.len():
        return nulls(items.lengths.len(), pl.String())
    flat = pl.DataFrame({"record": items.parents, "item": texts}).drop_nulls()
    if flat["record"].is_duplicated().any():
        flat = flat.unique(maintain_order=True)
        grouped = flat.group_by("record", maintain_order=True)
        flat = grouped.agg(pl.col("item").str.join(", "))
    return _spread(flat, items.lengths.len())


def _lists(items: Items, flat: pl.DataFrame, type_: pl.List) -> pl.Series:
    count = items.lengths.len()
    if items.lengths.null_count() == count:
        return nulls(count, type_)
    grouped = (
        flat.with_columns(record=items.parents)
        .filter("known")
        .group_by("record", maintain_order=True)
        .agg("item")
    )
    column = _spread(grouped, count)
    if column.null_count() > items.lengths.null_count():
        empty = items.lengths.is_not_null() & column.is_null()
        column = pl.select(
            pl.when(empty).then(pl.lit([], dtype=type_)).otherwise(column)
        ).to_series()
    return column


def _spread(grouped: pl.DataFrame, count: int) -> pl.Series:
    """Give `item` for each record, null for the records that are not in `grouped`."""
    if grouped.height == count:
        return grouped["item"]
    records = pl.DataFrame({"record": pl.int_range(count, dtype=pl.UInt32, eager=True)})
    return records.join(grouped, on="record", how="left", maintain_order="left")["item"]
