"""Issues of whole races: what no single row of a start list shows.

What belongs here: starts that few entries of a race state, and dates of birth that can't be read of
anybody. What doesn't: what is wrong with one starter (`starter_issues.py`), and groups, codes and
questions (`issues.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from ldt_pipeline.marts.common import trimmed
from ldt_pipeline.race_calendar import AFTER_START

START: Final = ("event_id", "race_id", "event_occurrence_id", "start_day")
"""The day, in UTC, of a start of one edition of a race."""

_FEW: Final = 20
"""An edition with several days has a good part of its entries on each: one in so many is no such day."""

_IDS_SHOWN: Final = 5


def odd_starts(starts: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Days that few entries of one edition of a race state, where most start on another day, to come.

    A race that comes every year under one id has editions of its own; where entries name none, nobody can
    tell these apart. Those few are on no list of the day on which the others start.

    Args:
        starts: Live entries counted by `START`, with `entries`, `last_start_at` and `ids`, of a few.
        now: The instant, with its zone, that a start is over by.
    """
    edition = ["race_id", "event_occurrence_id"]
    days = (
        starts.with_columns(trimmed(name) for name in START[:3])
        .drop_nulls(["race_id", "event_occurrence_id", "start_day"])
        .group_by(*edition, "start_day")
        .agg(
            pl.col("event_id").min(),
            pl.col("entries").sum(),
            pl.col("last_start_at").max(),
            pl.col("ids").list.explode().sort().head(_IDS_SHOWN),
        )
    )
    most = (
        days.sort("entries", "start_day")
        .group_by(edition)
        .agg(
            pl.col("start_day").last().alias("main_day"),
            pl.col("entries").last().alias("most"),
            pl.col("last_start_at").last().alias("main_start_at"),
        )
        .filter(pl.col("main_start_at") >= pl.lit(now.astimezone(UTC) - AFTER_START))
    )
    few = days.join(most, on=edition, how="inner", validate="m:1").filter(
        pl.col("start_day") != pl.col("main_day"),
        pl.col("entries") * _FEW <= pl.col("most"),
    )
    more = (
        pl.when(pl.col("entries") > _IDS_SHOWN)
        .then(pl.format(" and {} more", pl.col("entries") - _IDS_SHOWN))
        .otherwise(pl.lit(""))
    )
    return few.sort(edition).select(
        pl.lit("warning").alias("severity"),
        pl.lit("odd_race_start").alias("kind"),
        "event_id",
        "race_id",
        pl.col("start_day").cast(pl.String()).alias("subject_id"),
        pl.format(
            "Of one edition of race {}, {} entries start on {} and {} on {} ({}{}), who are not on the"
            " former's list: find out whether that is meant, and have their start put right if not.",
            "race_id",
            "most",
            "main_day",
            "entries",
            "start_day",
            pl.col("ids").list.join(", "),
            more,
        ).alias("sentence"),
    )


def of_unknown_age(starters: pl.DataFrame) -> pl.DataFrame:
    """Give the starters of races of which nobody's date of birth is known, but for those redacted.

    Args:
        starters: `STARTER_COLUMNS` of the start list.
    """
    nobody = pl.col("date_of_birth").is_null().all().over("race_id")
    return starters.filter(
        pl.col("race_id").is_not_null() & ~pl.col("is_redacted") & nobody
    ).select("participant_id", "event_id", "race_id")


def unread_birth_dates(starters: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Races of which people gave dates of birth, and none of them could be read.

    Where others of the race have one, each who lacks it is told of (`missing_details`).

    Args:
        starters: `STARTER_COLUMNS` of the start list.
        given: By `race_id` how many answered the question, in `answered`.
    """
    races = (
        of_unknown_age(starters)
        .group_by("race_id")
        .agg(pl.col("event_id").min(), pl.len().alias("starters"))
    )
    return races.join(given, on="race_id", how="inner", validate="1:1").select(
        pl.lit("warning").alias("severity"),
        pl.lit("unread_dates_of_birth").alias("kind"),
        "event_id",
        "race_id",
        pl.lit("").alias("subject_id"),
        pl.format(
            "{} of the {} starters of race {} gave a date of birth, and none of these could be read,"
            " so that nobody has an age: see the answers in participant_answers. A year has to have"
            " four digits, and a day comes before its month.",
            "answered",
            "starters",
            "race_id",
        ).alias("sentence"),
    )
