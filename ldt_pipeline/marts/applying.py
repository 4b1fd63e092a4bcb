"""How people come in: applications by what became of them, and registrations by day.

What belongs here: adding up entries and applications. What doesn't: anything about single people.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ldt_pipeline.marts.common import newest_values, trimmed
from ldt_pipeline.tables import table

_FUNNEL_KEY = table("application_funnel").key

FUNNEL_COLUMNS: Final = (*_FUNNEL_KEY, "ticket_title")
"""What applications are counted by for the funnel."""


def application_funnel(applications: pl.DataFrame) -> pl.DataFrame:
    """Add up live applications by event, ticket, draw, resolution and status.

    Args:
        applications: Counted by `FUNNEL_COLUMNS` and whatever else, with `is_deleted`, `entries`,
            `converted` (of how many a live participant came), `first_created_at`, `last_created_at`;
            and of the newest of them `updated_at` and `entry_id`.

    Returns:
        The `application_funnel` table, by its key; what an application doesn't say is ''.
    """
    counted = (
        applications.filter(~pl.col("is_deleted"))
        .with_columns(
            trimmed("ticket_title"), *(trimmed(name).fill_null("") for name in _FUNNEL_KEY)
        )
        .sort("updated_at", "entry_id")
        .group_by(_FUNNEL_KEY, maintain_order=True)
        .agg(
            pl.col("ticket_title").drop_nulls().last(),
            pl.col("entries").sum().alias("applications"),
            pl.col("converted").sum(),
            pl.col("first_created_at").min().alias("first_applied_at"),
            pl.col("last_created_at").max().alias("last_applied_at"),
        )
        .with_columns((pl.col("converted") / pl.col("applications")).alias("conversion"))
        .sort(_FUNNEL_KEY)
    )
    funnel = table("application_funnel")
    return funnel.conform(counted.select(list(funnel.schema)))


def registrations_by_day(registrations: pl.DataFrame) -> pl.DataFrame:
    """Add up the entries of each start of a race by the day on which they were made.

    Args:
        registrations: Participants counted by `event_id`, `race_id`, `race_name`, `race_day` and
            `day`, the last two never null, with `entries` and `standing` (deleted entries were
            registrations, too); and of the newest of them `updated_at` and `entry_id`.

    Returns:
        The `registrations_by_day` table, by its key; days without any have no row.
    """
    key = ["race_id", "race_day"]
    entries = registrations.with_columns(
        trimmed(name) for name in ("event_id", "race_id", "race_name")
    ).filter(pl.col("race_id").is_not_null())
    names = newest_values(
        sources=[entries], subject="race_id", attributes=["event_id", "race_name"]
    )
    counted = (
        entries.group_by(*key, "day")
        .agg(
            pl.col("entries").sum().alias("registrations"),
            pl.col("standing").sum().alias("registrations_that_stand"),
        )
        .sort(*key, "day")
        .with_columns(
            pl.col("registrations").cum_sum().over(key).alias("registrations_so_far"),
            (pl.col("race_day") - pl.col("day")).dt.total_days().alias("days_to_race"),
        )
        .join(names, on="race_id", how="left", validate="m:1", maintain_order="left")
    )
    days = table("registrations_by_day")
    return days.conform(counted.select(list(days.schema)))
