"""How people come in: applications by what became of them, and registrations by day.

What belongs here: counting entries and applications. What doesn't: anything about single people.
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.marts.common import live, newest_values, trimmed
from ldt_pipeline.tables import table

_FUNNEL_KEY = table("application_funnel").key


def application_funnel(*, applications: pl.DataFrame, participants: pl.DataFrame) -> pl.DataFrame:
    """Count live applications by event, ticket, draw, resolution and status.

    Args:
        applications: The tidy table.
        participants: The tidy table: a live one names the application that it came from.

    Returns:
        The `application_funnel` table, by its key; what an application doesn't say is ''.
    """
    became = (
        live(participants)
        .select(trimmed("application_id"))
        .drop_nulls()
        .unique()
        .with_columns(pl.lit(1, pl.Int64).alias("became"))
    )
    counted = (
        live(applications)
        .select(
            "application_id",
            "created_at",
            trimmed("ticket_title"),
            "updated_at",
            *(trimmed(name).fill_null("") for name in _FUNNEL_KEY),
        )
        .join(became, on="application_id", how="left", validate="m:1")
        .sort("updated_at", "application_id", nulls_last=False)
        .group_by(_FUNNEL_KEY)
        .agg(
            pl.col("ticket_title").drop_nulls().last(),
            pl.len().cast(pl.Int64).alias("applications"),
            pl.col("became").fill_null(0).sum().alias("converted"),
            pl.col("created_at").min().alias("first_applied_at"),
            pl.col("created_at").max().alias("last_applied_at"),
        )
        .with_columns((pl.col("converted") / pl.col("applications")).alias("conversion"))
        .sort(_FUNNEL_KEY)
    )
    funnel = table("application_funnel")
    return funnel.conform(counted.select(list(funnel.schema)))


def registrations_by_day(participants: pl.DataFrame) -> pl.DataFrame:
    """Count the entries of each start of a race by the day on which they were made.

    Entries that don't say when they were made, or when they start, are in no row.

    Args:
        participants: The tidy table: deleted entries were registrations, too.

    Returns:
        The `registrations_by_day` table, by its key; days without any have no row.
    """
    key = ["race_id", "race_day"]
    entries = participants.select(
        trimmed("event_id"),
        trimmed("race_id"),
        trimmed("race_name"),
        pl.col("race_start_at").dt.date().alias("race_day"),
        pl.col("created_at").dt.date().alias("day"),
        pl.col("deleted_at").is_null().alias("stands"),
        pl.col("participant_id").alias("entry_id"),
        pl.col("updated_at").fill_null(pl.col("created_at")),
    ).filter(pl.all_horizontal(pl.col("race_id", "race_day", "day").is_not_null()))
    names = newest_values(
        sources=[entries], subject="race_id", attributes=["event_id", "race_name"]
    )
    counted = (
        entries.group_by(*key, "day")
        .agg(
            pl.len().cast(pl.Int64).alias("registrations"),
            pl.col("stands").sum().cast(pl.Int64).alias("registrations_that_stand"),
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
