"""Partner allocations: who got how many places, and how many of them are claimed.

What belongs here: a group's numbers, the API's beside ours. What doesn't: which group an entry
belongs to (`attribution.py`), and what to do about numbers that don't agree (`issues.py`).
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.marts.attribution import GROUP_CLAIM, claims, with_group
from ldt_pipeline.marts.common import live, one_per_key, trimmed
from ldt_pipeline.tables import table


def partner_allocations(
    *,
    reserved_entry_groups: pl.DataFrame,
    partners: pl.DataFrame,
    claimed: pl.DataFrame,
    events: pl.DataFrame,
) -> pl.DataFrame:
    """Give one row per live reserved entry group.

    Args:
        reserved_entry_groups: The tidy table.
        partners: The tidy table; a deleted partner still has its name.
        claimed: Live participants counted by `GROUP_CLAIM`, with `entries`, `first_created_at` and
            `last_created_at`.
        events: The mart.

    Returns:
        The `partner_allocations` table, by group.
    """
    groups = live(one_per_key(reserved_entry_groups, "reserved_entry_group_id")).select(
        "reserved_entry_group_id",
        trimmed("name").alias("reserved_entry_group_name"),
        trimmed("event_id"),
        trimmed("partner_id"),
        trimmed("type").alias("group_type"),
        "max_capacity",
        "used_capacity",
    )
    partner_details = one_per_key(partners, "partner_id").select(
        "partner_id",
        trimmed("name").alias("partner_name"),
        trimmed("type").alias("partner_type"),
    )
    matched = _matched(claimed, reserved_entry_groups=reserved_entry_groups)
    places, used = pl.col("max_capacity"), pl.col("used_capacity")
    frame = (
        groups.sort("reserved_entry_group_id")
        .join(
            events.select("event_id", "event_name"),
            on="event_id",
            how="left",
            validate="m:1",
            maintain_order="left",
        )
        .join(partner_details, on="partner_id", how="left", validate="m:1", maintain_order="left")
        .join(
            matched,
            on="reserved_entry_group_id",
            how="left",
            validate="1:1",
            maintain_order="left",
        )
        .with_columns(pl.col("participants_matched").fill_null(0))
        .with_columns(
            pl.max_horizontal(places - used, pl.lit(0)).alias("remaining_capacity"),
            pl.when(places > 0).then(used / places).alias("utilisation"),
            (used == pl.col("participants_matched")).alias("capacity_agrees"),
        )
        # max_horizontal passes over nulls: 0 places left would be claimed where nothing is known.
        .with_columns(
            pl.when(places.is_not_null() & used.is_not_null()).then(pl.col("remaining_capacity"))
        )
    )
    return table("partner_allocations").conform(frame)


def _matched(claimed: pl.DataFrame, *, reserved_entry_groups: pl.DataFrame) -> pl.DataFrame:
    """Add up the live participants by the group that they are attributed to."""
    entries = claimed.with_columns(trimmed(name) for name in GROUP_CLAIM)
    # A claim without a code or name can't be matched.
    entries = entries.filter(
        pl.col("reserved_entry_group_code").is_not_null()
        | pl.col("reserved_entry_group_name").is_not_null()
    )
    attributed = with_group(
        claims(entries, GROUP_CLAIM), reserved_entry_groups=reserved_entry_groups
    ).filter(pl.col("group_id").is_not_null())
    return (
        entries.join(
            attributed, on=list(GROUP_CLAIM), how="inner", nulls_equal=True, validate="m:1"
        )
        .group_by(pl.col("group_id").alias("reserved_entry_group_id"))
        .agg(
            pl.col("entries").sum().alias("participants_matched"),
            pl.col("first_created_at").min().alias("first_claimed_at"),
            pl.col("last_created_at").max().alias("last_claimed_at"),
        )
    )
