"""Events and races: the API lists neither, so they are gathered from whatever names them.

What belongs here: which events and races there are, what they are called, when they start, and
how much hangs off each. What doesn't: the people in them (`starters.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import polars as pl

from ldt_pipeline.marts.common import live, newest_values, trimmed
from ldt_pipeline.tables import table

_ENTRY_TEXTS = ("event_id", "event_name", "race_id", "race_name", "discipline_label")

DESCRIPTION: Final = (*_ENTRY_TEXTS, "race_start_at")
"""What an entry says of its event and race. Entries come here counted by it, with `is_deleted` and
`entries`, and of the newest of them `updated_at` and `entry_id`: a million of them describe a few
hundred races."""


def events(
    *,
    described: Sequence[pl.DataFrame],
    participants: pl.DataFrame,
    applications: pl.DataFrame,
    reserved_entry_groups: pl.DataFrame,
    tickets: pl.DataFrame,
    configured_event_ids: Collection[str],
) -> pl.DataFrame:
    """Give every event that anything names, be it a deleted entry or the settings.

    Args:
        described: `descriptions` of both tables.
        participants: Counted by `DESCRIPTION`.
        applications: Counted by `DESCRIPTION`, and whatever else.
        reserved_entry_groups: The tidy table.
        tickets: The tidy table.
        configured_event_ids: Events to follow before their first entry.

    Returns:
        The `events` table, by event.
    """
    configured = sorted({each.strip() for each in configured_event_ids} - {""})
    named = pl.concat(
        [
            *(source.select("event_id") for source in described),
            reserved_entry_groups.select(trimmed("event_id")),
            tickets.select(trimmed("event_id")),
            pl.DataFrame({"event_id": configured}, schema={"event_id": pl.String()}),
        ]
    )
    known_races = _named_races(described)
    race_days = known_races.group_by("event_id").agg(
        pl.col("race_start_at").min().alias("first_race_start_at"),
        pl.col("race_start_at").max().alias("last_race_start_at"),
        pl.len().alias("races"),
    )
    frame = named.unique().drop_nulls().sort("event_id")
    for part in (
        newest_values(sources=described, subject="event_id", attributes=["event_name"]),
        race_days,
        _entries(participants, by="event_id", name="participants"),
        _entries(applications, by="event_id", name="applications"),
        _rows(reserved_entry_groups, name="reserved_entry_groups"),
        _rows(tickets, name="tickets"),
    ):
        frame = frame.join(part, on="event_id", how="left", validate="1:1", maintain_order="left")
    counts = ["races", "participants", "applications", "reserved_entry_groups", "tickets"]
    return table("events").conform(frame.with_columns(pl.col(counts).fill_null(0)))


def races(
    *,
    described: Sequence[pl.DataFrame],
    participants: pl.DataFrame,
    applications: pl.DataFrame,
) -> pl.DataFrame:
    """Give every race that an entry or an application names.

    Args:
        described: `descriptions` of both tables.
        participants: Counted by `DESCRIPTION`, with `with_bib`.
        applications: Counted by `DESCRIPTION`, and whatever else.

    Returns:
        The `races` table, by race.
    """
    event_names = newest_values(sources=described, subject="event_id", attributes=["event_name"])
    frame = _named_races(described).join(
        event_names, on="event_id", how="left", validate="m:1", maintain_order="left"
    )
    for part in (
        _entries(participants, by="race_id", name="participants"),
        _entries(participants, by="race_id", name="participants_with_bib", count="with_bib"),
        _entries(applications, by="race_id", name="applications"),
    ):
        frame = frame.join(part, on="race_id", how="left", validate="1:1", maintain_order="left")
    counts = ["participants", "participants_with_bib", "applications"]
    return table("races").conform(frame.with_columns(pl.col(counts).fill_null(0)))


def _named_races(described: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return newest_values(
        sources=described,
        subject="race_id",
        attributes=["race_name", "event_id", "race_start_at", "discipline_label"],
    )


def descriptions(*, participants: pl.DataFrame, applications: pl.DataFrame) -> list[pl.DataFrame]:
    """Give the ways in which entries describe events and races, the most trusted entries first.

    Args:
        participants: Counted by `DESCRIPTION`.
        applications: Counted by `DESCRIPTION`, and whatever else.

    Returns:
        Frames of which each has `DESCRIPTION` without white space around it, and of the newest entry
        that describes it so `updated_at` and `entry_id`.
    """
    return [
        source.filter(pl.col("is_deleted") == is_deleted).select(
            *(trimmed(name) for name in _ENTRY_TEXTS), "race_start_at", "updated_at", "entry_id"
        )
        for is_deleted in (False, True)
        for source in (participants, applications)
    ]


def _entries(frame: pl.DataFrame, *, by: str, name: str, count: str = "entries") -> pl.DataFrame:
    """Add up the counts of live entries by a column, without those that leave it blank."""
    return (
        frame.filter(~pl.col("is_deleted"))
        .select(trimmed(by), count)
        .drop_nulls()
        .group_by(by)
        .agg(pl.col(count).sum().alias(name))
    )


def _rows(frame: pl.DataFrame, *, name: str) -> pl.DataFrame:
    """Count the live rows of a tidy table by event, without those that leave it blank."""
    return (
        live(frame)
        .select(trimmed("event_id"))
        .drop_nulls()
        .group_by("event_id")
        .agg(pl.len().cast(pl.Int64).alias(name))
    )
