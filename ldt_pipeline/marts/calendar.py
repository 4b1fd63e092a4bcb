"""Events and races: the API lists neither, so they are gathered from whatever names them.

What belongs here: which events and races there are, what they are called, when they start, and
how much hangs off each. What doesn't: the people in them (`starters.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from ldt_pipeline.marts.common import deleted, live, newest_values, trimmed
from ldt_pipeline.tables import table
from ldt_pipeline.tables.types import UTC_TIMESTAMP

_ENTRY_TEXTS = ("event_id", "event_name", "race_id", "race_name", "discipline_label")


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
        participants: The tidy table.
        applications: The tidy table.
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
        _count(participants, by="event_id", name="participants"),
        _count(applications, by="event_id", name="applications"),
        _count(reserved_entry_groups, by="event_id", name="reserved_entry_groups"),
        _count(tickets, by="event_id", name="tickets"),
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
        participants: The tidy table.
        applications: The tidy table.

    Returns:
        The `races` table, by race.
    """
    event_names = newest_values(sources=described, subject="event_id", attributes=["event_name"])
    frame = _named_races(described).join(
        event_names, on="event_id", how="left", validate="m:1", maintain_order="left"
    )
    bibs = live(participants).filter(trimmed("bib_number").is_not_null())
    for part in (
        _count(participants, by="race_id", name="participants"),
        _count(bibs, by="race_id", name="participants_with_bib"),
        _count(applications, by="race_id", name="applications"),
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
        participants: The tidy table.
        applications: The tidy table.

    Returns:
        Frames of which each has `event_id, event_name, race_id, race_name, discipline_label,
        race_start_at`, one row per distinct way, and of the newest entry that describes it so
        `updated_at` and `entry_id`.
    """
    parts = [
        (live(participants), "participant_id"),
        (live(applications), "application_id"),
        (deleted(participants), "participant_id"),
        (deleted(applications), "application_id"),
    ]
    return [_descriptions(frame, key=key) for frame, key in parts]


def _descriptions(entries: pl.DataFrame, *, key: str) -> pl.DataFrame:
    """Give each distinct way in which entries describe a race, with the newest entry that does.

    A million entries describe a few hundred races: everything after this is small.
    """
    updated_at = pl.col("updated_at").fill_null(pl.lit(0).cast(UTC_TIMESTAMP))
    return (
        entries.select(*_ENTRY_TEXTS, "race_start_at", updated_at, pl.col(key).alias("entry_id"))
        .group_by(*_ENTRY_TEXTS, "race_start_at")
        .agg(
            pl.col("updated_at").max(),
            pl.col("entry_id").filter(pl.col("updated_at") == pl.col("updated_at").max()).max(),
        )
        .with_columns(trimmed(name) for name in _ENTRY_TEXTS)
    )


def _count(frame: pl.DataFrame, *, by: str, name: str) -> pl.DataFrame:
    """Count the live rows by a column, without those that leave it blank."""
    return (
        live(frame)
        .select(trimmed(by))
        .drop_nulls()
        .group_by(by)
        .agg(pl.len().cast(pl.Int64).alias(name))
    )
