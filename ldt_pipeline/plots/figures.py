"""What each plot shows: small frames of counts, from published tables. Pure polars, bounded in size.

What belongs here: which events, partners and days are drawn, and their labels. What doesn't: how
they look (`drawing.py`). No column is personal data: names are those of events and partners.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from ldt_pipeline.plain_text import clean
from ldt_pipeline.race_calendar import AFTER_START
from ldt_pipeline.sync.freshness import EventFreshness

MOST_EVENTS = 6
MOST_PARTNERS = 20
MOST_FRESHNESS_ROWS = 30
_MOST_WEEKS = 60
_MOST_STAGES = 8
_LABEL_CHARACTERS_MOST = 40

THIS_EDITION = "this edition"
LAST_EDITION = "the one before"

_LABEL = pl.String()


def label(name: str | None, record_id: str | None, *, otherwise: str = "") -> str:
    """Name something by what it is called and its id: ids tell apart what has one name."""
    texts = [clean(text).strip() for text in (name, record_id) if text and text.strip()]
    short = [
        text if len(text) <= _LABEL_CHARACTERS_MOST else f"{text[: _LABEL_CHARACTERS_MOST - 1]}…"
        for text in texts
    ]
    return " · ".join(short) or otherwise


def events_to_draw(events: pl.DataFrame, moment: dt.datetime) -> pl.DataFrame:
    """Give the events with their labels: those ahead, the nearest first, then those that are over.

    Returns:
        `event_id`, `event`, `is_ahead`, in that order.
    """
    ahead = (pl.col("last_race_start_at") >= moment - AFTER_START).fill_null(value=True)
    return (
        events.with_columns(ahead.alias("is_ahead"))
        .sort(
            pl.col("is_ahead").not_(),
            (pl.col("last_race_start_at") - moment).abs(),
            "event_id",
            nulls_last=True,
        )
        .select("event_id", _labelled("event_name", "event_id", "event"), "is_ahead")
    )


def registrations_against_last_year(
    *, registrations_by_day: pl.DataFrame, events: pl.DataFrame, moment: dt.datetime
) -> pl.DataFrame:
    """Give the entries so far by weeks to the race, of an event's edition and the one before.

    Args:
        registrations_by_day: The mart.
        events: The mart.
        moment: Which edition is this one: the next to start, or the last.

    Returns:
        `event`, `edition`, `weeks_to_race`, `registrations`: at most `MOST_EVENTS` events.
    """
    by_edition = registrations_by_day.with_columns(pl.col("race_day").dt.year().alias("year"))
    is_ahead = pl.col("race_day") >= moment.date()
    current = by_edition.group_by("event_id").agg(
        pl.coalesce(pl.col("year").filter(is_ahead).min(), pl.col("year").max()).alias("current")
    )
    drawn = events_to_draw(events, moment).join(
        current, on="event_id", how="inner", maintain_order="left"
    )
    drawn = drawn.head(MOST_EVENTS).with_row_index("rank")
    before = (
        by_edition.join(current, on="event_id", how="inner")
        .filter(pl.col("year") < pl.col("current"))
        .group_by("event_id")
        .agg(pl.col("year").max().alias("before"))
    )
    weeks = (
        by_edition.join(drawn, on="event_id", how="inner")
        .join(before, on="event_id", how="left")
        .with_columns(
            pl.when(pl.col("year") == pl.col("current"))
            .then(pl.lit(THIS_EDITION))
            .when(pl.col("year") == pl.col("before"))
            .then(pl.lit(LAST_EDITION))
            .alias("edition"),
            # What came in after the start counts for the week of the race, as it does for the list.
            (pl.col("days_to_race").clip(lower_bound=0) // 7).alias("weeks_to_race"),
        )
        .filter(pl.col("edition").is_not_null())
        .group_by("rank", "event", "edition", "weeks_to_race")
        .agg(pl.col("registrations").sum())
        .sort("rank", "edition", "weeks_to_race", descending=[False, True, True])
        .with_columns(pl.col("registrations").cum_sum().over("rank", "edition"))
    )
    return weeks.filter(pl.col("weeks_to_race") <= _MOST_WEEKS).select(
        "event", "edition", "weeks_to_race", "registrations"
    )


def allocation_use(
    *, partner_allocations: pl.DataFrame, events: pl.DataFrame, moment: dt.datetime
) -> pl.DataFrame:
    """Give the places of each partner that are claimed and left, at events ahead.

    Where no event is ahead, it is those of all events.

    Args:
        partner_allocations: The mart.
        events: The mart.
        moment: Now.

    Returns:
        `partner`, `claimed`, `left`: the `MOST_PARTNERS` with the most places, those first.
    """
    ahead = events_to_draw(events, moment).filter("is_ahead").select("event_id")
    rows = partner_allocations.join(ahead, on="event_id", how="semi")
    if rows.is_empty():
        rows = partner_allocations
    return (
        rows.group_by("partner_id")
        .agg(
            pl.col("partner_name").drop_nulls().min(),
            pl.col("used_capacity").sum().alias("claimed"),
            pl.col("remaining_capacity").sum().alias("left"),
        )
        .filter(pl.col("claimed") + pl.col("left") > 0)
        .sort(pl.col("claimed") + pl.col("left"), "partner_id", descending=[True, False])
        .head(MOST_PARTNERS)
        .select(
            _labelled("partner_name", "partner_id", "partner", otherwise="the organiser's own"),
            "claimed",
            "left",
        )
    )


def ballot_funnel(
    *, application_funnel: pl.DataFrame, events: pl.DataFrame, moment: dt.datetime
) -> pl.DataFrame:
    """Give what became of the applications for each event.

    Args:
        application_funnel: The mart.
        events: The mart.
        moment: Now.

    Returns:
        `event`, `stage`, `applications`: all of them, by status, and those that led to an entry.
    """
    drawn = (
        events_to_draw(events, moment)
        .join(application_funnel.select("event_id").unique(), on="event_id", how="semi")
        .head(MOST_EVENTS)
        .with_row_index("rank")
    )
    rows = application_funnel.join(drawn, on="event_id", how="inner")
    status = pl.col("approval_status").str.to_lowercase().replace("", "no status")
    stages = pl.concat(
        [
            _stage(rows, pl.lit("applied"), "applications", 0),
            _stage(rows, status.map_elements(label_of_stage, pl.String()), "applications", 1),
            _stage(rows, pl.lit("entered"), "converted", 2),
        ]
    )
    return (
        stages.sort(
            "rank", "order", "applications", "stage", descending=[False, False, True, False]
        )
        .group_by("rank", maintain_order=True)
        .head(_MOST_STAGES)
        .select("event", "stage", "applications")
    )


def freshness(events: Sequence[EventFreshness]) -> pl.DataFrame:
    """Give the age of each event's data as a share of what it may be, the nearest race first.

    Returns:
        `event`, `share` (1 is the limit; more than 2 counts as 2), `state`: `fresh` or `stale`.
    """
    rows = [
        (
            label(each.event_name, each.event_id),
            2.0 if each.age is None else min(round(each.age / each.limit, 2), 2.0),
            "stale" if each.is_stale else "fresh",
        )
        for each in events
        if each.limit is not None
    ]
    schema = {"event": _LABEL, "share": pl.Float64(), "state": _LABEL}
    return pl.DataFrame(rows[:MOST_FRESHNESS_ROWS], schema=schema, orient="row")


def label_of_stage(text: str) -> str:
    """Give a status as a label: the API's own words, made harmless."""
    return label(text.replace("_", " "), None, otherwise="no status")


def _stage(rows: pl.DataFrame, stage: pl.Expr, counted: str, order: int) -> pl.DataFrame:
    return (
        rows.with_columns(stage.alias("stage"))
        .group_by("rank", "event", "stage")
        .agg(pl.col(counted).sum().alias("applications"))
        .with_columns(pl.lit(order).alias("order"))
    )


def _labelled(name: str, record_id: str, alias: str, *, otherwise: str = "") -> pl.Expr:
    return (
        pl.struct(name, record_id)
        .map_elements(
            lambda row: label(row[name], row[record_id], otherwise=otherwise), return_dtype=_LABEL
        )
        .alias(alias)
    )
