"""What every mart means by live and by blank, and how it finds the newest word on something.

What belongs here: expressions and small frame functions that more than one mart uses. What
doesn't: anything that knows a mart's columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

WHITE_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680" + "".join(
    map(chr, [*range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
)
"""What `trimmed` takes away, for SQL that has to do the same."""


def live(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the rows that the API still has."""
    return frame.filter(pl.col("deleted_at").is_null())


def trimmed(name: str) -> pl.Expr:
    """Give a text column without the white space around it, with null in place of blank text.

    Every mart reads text through this, so that what counts as equal is the same in all of them.
    """
    text = pl.col(name).str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def one_per_key(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """Give one row per key, a live one where there is one: no join may ever multiply rows.

    The tidy tables promise unique keys. A start list that lists somebody twice because that
    promise was broken elsewhere would be the worst way to find out.
    """
    keyed = frame.filter(pl.col(key).is_not_null())
    if keyed.get_column(key).is_unique().all():
        return keyed
    others = sorted(name for name in frame.columns if name not in {key, "deleted_at"})
    return keyed.sort(
        key, pl.col("deleted_at").is_not_null(), "deleted_at", *others, nulls_last=True
    ).unique(subset=key, keep="first", maintain_order=True)


def unambiguous(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Give the rows whose keys are all there and stand in no other row."""
    complete = frame.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in keys))
    return complete.filter(pl.struct(keys).is_unique())


def newest_values(
    *, sources: Iterable[pl.DataFrame], subject: str, attributes: Sequence[str]
) -> pl.DataFrame:
    """Give each subject's attributes, each from the newest entry that has it.

    Args:
        sources: Entries with the subject, the attributes, `entry_id` and `updated_at`, neither of
            them null. An earlier source wins over a later one, whatever their dates.
        subject: The column that names what is described, such as `race_id`.
        attributes: The columns that describe it.

    Returns:
        One row per subject that any source names, with the subject and the attributes.
    """
    parts = list(sources)
    subjects = (
        pl.concat([part.select(subject) for part in parts]).unique().drop_nulls().sort(subject)
    )
    for attribute in attributes:
        found = [_newest_value(part, subject=subject, attribute=attribute) for part in parts]
        first_source_first = pl.concat(
            [each.with_columns(pl.lit(rank).alias("rank")) for rank, each in enumerate(found)]
        )
        winners = first_source_first.filter(
            pl.col("rank") == pl.col("rank").min().over(subject)
        ).drop("rank")
        subjects = subjects.join(
            winners, on=subject, how="left", validate="1:1", maintain_order="left"
        )
    return subjects


def _newest_value(frame: pl.DataFrame, *, subject: str, attribute: str) -> pl.DataFrame:
    """Give one value per subject: that of the entry with the largest (updated_at, entry_id)."""
    stated = frame.filter(pl.col(subject).is_not_null() & pl.col(attribute).is_not_null())
    return stated.group_by(subject).agg(
        pl.col(attribute).sort_by("updated_at", "entry_id", descending=True).first()
    )
