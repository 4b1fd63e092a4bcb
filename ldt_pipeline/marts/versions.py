"""Versions of participants, and what changed from one to the next.

What belongs here: an earlier version as the start list showed it, and the differences between two.
What doesn't: which versions there are and when each stood (`warehouse/versions.py`).
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.marts.starters import start_list
from ldt_pipeline.tables import table

_WHEN = ("version", "valid_from", "valid_to")

_KINDS: dict[str, pl.Expr] = {
    "race": pl.col("race_id"),
    "bib": pl.col("bib_number"),
    "wave": pl.col("wave"),
    "ticket": pl.coalesce("ticket_id", "ticket_title"),
    "name": pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True),
    "emergency_contact": pl.concat_str(
        "emergency_contact_name", "emergency_contact_phone", separator=", ", ignore_nulls=True
    ),
}
"""What is compared of two versions, by the kind of change."""


def compared_columns() -> list[str]:
    """Give the columns of `participant_versions` that changes are made from."""
    values = sorted({name for each in _KINDS.values() for name in each.meta.root_names()})
    return ["participant_id", *_WHEN, "event_id", *values]


def versions_as_listed(
    *,
    versions: pl.DataFrame,
    answers_by_column: pl.DataFrame,
    partners: pl.DataFrame,
    reserved_entry_groups: pl.DataFrame,
) -> pl.DataFrame:
    """Give versions as the start list shows, or would have shown, them.

    Args:
        versions: The columns of `participants` that the start list is made from, with `version`,
            `valid_from`, `valid_to`, and `forgotten`: whether the person asked to be, later on.
        answers_by_column: `participant_id`, `version` and the columns of `questions.COLUMNS`.
        partners: The tidy table.
        reserved_entry_groups: The tidy table.

    Returns:
        The `participant_versions` table, for these versions, in no particular order.
    """
    listed = table("participant_versions")
    if versions.is_empty():
        return listed.empty()
    key = pl.concat_str(pl.col("version").cast(pl.String), pl.lit(":"), "participant_id")
    keyed = versions.with_columns(key.alias("key"))
    frame = start_list(
        participants=keyed.with_columns(
            pl.col("key").alias("participant_id"),
            pl.lit(None, pl.Datetime("us", "UTC")).alias("deleted_at"),
            # Nothing of somebody who was forgotten since may stand in an earlier version either.
            (pl.col("gdpr_redacted").fill_null(value=False) | pl.col("forgotten")).alias(
                "gdpr_redacted"
            ),
        ),
        answers_by_column=answers_by_column.with_columns(key.alias("participant_id")).drop(
            "version"
        ),
        partners=partners,
        reserved_entry_groups=reserved_entry_groups,
    ).rename({"participant_id": "key"})
    named = frame.join(
        keyed.select("key", "participant_id", *_WHEN), on="key", how="left", validate="1:1"
    )
    return listed.conform(named.drop("key"))


def start_list_changes(participant_versions: pl.DataFrame) -> pl.DataFrame:
    """Give what changed on start lists: the differences of each two versions that follow.

    An entry is added when its first version begins, and withdrawn when its last one ends. A version
    that never stood (as another one did from the same instant) counts for nothing.

    Args:
        participant_versions: `compared_columns()` of the mart.

    Returns:
        The `start_list_changes` table, by instant, participant and kind.
    """
    is_open = pl.col("valid_to").is_null()
    stood = participant_versions.filter(is_open | (pl.col("valid_to") > pl.col("valid_from")))
    # Most participants have one version: sorting them by the hundred thousand would be for nothing.
    several = stood.filter(pl.col("participant_id").is_duplicated()).sort(
        "participant_id", "version"
    )
    single = stood.filter(pl.col("participant_id").is_unique())
    firsts = several.unique("participant_id", keep="first", maintain_order=True)
    lasts = several.unique("participant_id", keep="last", maintain_order=True)
    none = pl.lit(None, pl.String)
    parts = [
        pl.concat([single, firsts]).select(
            *_row("added", none, pl.col("race_id")), pl.col("valid_from").alias("changed_at")
        ),
        pl.concat([single, lasts])
        .filter(pl.col("valid_to").is_not_null())
        .select(
            *_row("withdrawn", pl.col("race_id"), none), pl.col("valid_to").alias("changed_at")
        ),
    ]
    pairs = several.with_columns(
        # An empty join is nobody's name: the start list has null there.
        *(_blank_is_null(value).alias(f"new_{kind}") for kind, value in _KINDS.items())
    ).with_columns(
        *(
            pl.col(f"new_{kind}").shift(1).over("participant_id").alias(f"old_{kind}")
            for kind in _KINDS
        ),
        pl.int_range(pl.len()).over("participant_id").alias("position"),
    )
    parts += [
        pairs.filter(
            (pl.col("position") > 0) & pl.col(f"new_{kind}").ne_missing(pl.col(f"old_{kind}"))
        ).select(
            *_row(kind, pl.col(f"old_{kind}"), pl.col(f"new_{kind}")),
            pl.col("valid_from").alias("changed_at"),
        )
        for kind in _KINDS
    ]
    changes = pl.concat(parts).sort("changed_at", "participant_id", "change")
    return table("start_list_changes").conform(changes)


def _blank_is_null(value: pl.Expr) -> pl.Expr:
    return pl.when(value != "").then(value)


def _row(change: str, before: pl.Expr, after: pl.Expr) -> list[pl.Expr]:
    return [
        *(pl.col(name) for name in ("participant_id", "event_id", "race_id")),
        pl.lit(change).alias("change"),
        before.alias("before"),
        after.alias("after"),
    ]
