"""Data issues: problems that a person can fix, a sentence each.

What belongs here: finding a problem in tidy tables and marts, and saying what to do about it, in
ids and counts only: these sentences go to logs, the UI and chats, where nobody's name may stand.
What doesn't: records that could not be read (`rejected_records`) and keys that nothing reads
(`schema_drift`), which have tables of their own. Issues of single starters are in `starter_issues.py`,
of whole races in `race_issues.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import polars as pl

from ldt_pipeline.marts.attribution import GROUP_CLAIM, claims, with_group
from ldt_pipeline.marts.common import trimmed
from ldt_pipeline.marts.race_issues import odd_starts, unread_birth_dates
from ldt_pipeline.marts.starter_issues import (
    ages,
    duplicate_bibs,
    entered_twice,
    missing_details,
    missing_names,
    missing_races,
    not_over,
    statuses_that_end,
)
from ldt_pipeline.tables import table


def data_issues(
    *,
    start_list: pl.DataFrame,
    partner_allocations: pl.DataFrame,
    claimed: pl.DataFrame,
    ended: pl.DataFrame,
    starts: pl.DataFrame,
    reserved_entry_groups: pl.DataFrame,
    unmapped_questions: pl.DataFrame,
    birth_dates_given: pl.DataFrame,
    now: datetime,
    minimum_ages: Mapping[str, int] | None = None,
    events_without_groups: Collection[str] = (),
) -> pl.DataFrame:
    """Give every problem that can be seen in these tables.

    Whoever asked to be forgotten is exempt: nobody can ask them for what is missing. So is whose race
    is over: it comes again under the same id, and what was wrong last year is not wrong with this one.

    Args:
        start_list: The mart, or `STARTER_COLUMNS` of it.
        partner_allocations: The mart.
        claimed: Live participants counted by `GROUP_CLAIM` and `is_redacted`, with `entries`.
        ended: `participant_id` and `status_details` of live participants with a status that `ENDED` finds.
        starts: Live participants counted by `START`, but for those redacted (see `odd_starts`).
        reserved_entry_groups: The tidy table.
        unmapped_questions: `question` and, if known, `answers`: how often it was answered.
        birth_dates_given: Of races of which nobody's date of birth is known, by `race_id`: how many of
            those `of_unknown_age` gives answered the question, in `answered`.
        now: The instant, with its zone, that a race is near to or not, or over by.
        minimum_ages: By race, in whole years on race day; the API doesn't tell.
        events_without_groups: Events whose groups and tickets aren't asked for.

    Returns:
        The `data_issues` table, by its key. Ids that don't apply are '' rather than null, as they
        are part of the key.

    Raises:
        ValueError: `now` has no zone, so that nobody knows which instant it is.
    """
    if now.tzinfo is None:
        raise ValueError("`now` must name its zone, for example datetime.now(UTC).")
    starters = start_list.filter(~pl.col("is_redacted") & not_over(now=now))
    parts = [
        duplicate_bibs(starters),
        missing_races(starters),
        missing_names(starters),
        statuses_that_end(starters, ended),
        *ages(starters, minimum_ages or {}),
        entered_twice(starters),
        *missing_details(starters, now=now),
        odd_starts(starts, now=now),
        unread_birth_dates(starters, birth_dates_given),
        _groups_over_capacity(partner_allocations),
        _capacities_that_disagree(partner_allocations),
        _unmatched_group_codes(claimed, reserved_entry_groups=reserved_entry_groups),
        _unmapped_questions(unmapped_questions),
        _groups_left_out(events_without_groups),
    ]
    issues = table("data_issues")
    columns = list(issues.schema)
    # A bib can be given twice in two starts of one race to come: the next start is told first.
    frame = pl.concat([part.select(columns).cast(pl.String()) for part in parts])
    filled = frame.with_columns(pl.col("event_id", "race_id", "subject_id").fill_null(""))
    return issues.conform(filled.unique(subset=issues.key, keep="first").sort(issues.key))


def _group_issue(*, severity: str, kind: str, sentence: pl.Expr) -> list[pl.Expr]:
    return [
        pl.lit(severity).alias("severity"),
        pl.lit(kind).alias("kind"),
        pl.col("event_id"),
        pl.lit("").alias("race_id"),
        pl.col("reserved_entry_group_id").alias("subject_id"),
        sentence.alias("sentence"),
    ]


def _groups_over_capacity(allocations: pl.DataFrame) -> pl.DataFrame:
    """Groups with more claimed places than places: by the API's count or, without it, by ours."""
    claimed = pl.coalesce("used_capacity", "participants_matched")
    sentence = pl.format(
        "Reserved entry group {} has {} places and {} are claimed: raise its capacity or move {}.",
        "reserved_entry_group_id",
        "max_capacity",
        claimed,
        claimed - pl.col("max_capacity"),
    )
    return allocations.filter(claimed > pl.col("max_capacity")).select(
        _group_issue(severity="error", kind="group_over_capacity", sentence=sentence)
    )


def _capacities_that_disagree(allocations: pl.DataFrame) -> pl.DataFrame:
    """Groups of which the API counts other claims than we find entries."""
    sentence = pl.format(
        "Let's Do This counts {} claimed places in reserved entry group {} and we find {} entries:"
        " look for entries that were moved, cancelled or claimed under another group's code.",
        "used_capacity",
        "reserved_entry_group_id",
        "participants_matched",
    )
    return allocations.filter(~pl.col("capacity_agrees")).select(
        _group_issue(severity="warning", kind="capacity_disagrees", sentence=sentence)
    )


def _unmatched_group_codes(
    claimed: pl.DataFrame, *, reserved_entry_groups: pl.DataFrame
) -> pl.DataFrame:
    """Codes in entries that are no live group's id, one row per event and code."""
    entries = (
        claimed.filter(~pl.col("is_redacted"))
        .select(*(trimmed(name) for name in GROUP_CLAIM), "entries")
        .filter(pl.col("reserved_entry_group_code").is_not_null())
    )
    matched = with_group(claims(entries, GROUP_CLAIM), reserved_entry_groups=reserved_entry_groups)
    by_code = (pl.col("matched_by") == "code").fill_null(value=False)
    unmatched = matched.filter(~by_code | pl.col("group_deleted"))
    codes = (
        entries.join(unmatched, on=list(GROUP_CLAIM), how="inner", nulls_equal=True)
        .group_by("event_id", "reserved_entry_group_code")
        .agg(
            pl.col("entries").sum(),
            (pl.col("matched_by") == "code").any().alias("is_deleted"),
            pl.col("entries").filter(pl.col("matched_by") == "name").sum().alias("by_name"),
        )
    )
    advice = (
        pl.when("is_deleted")
        .then(pl.lit("which was deleted: move these entries or restore the group."))
        .when(pl.col("by_name") > 0)
        .then(
            pl.format(
                "which is not among the event's groups: {} of them are counted under the group of"
                " the same name; check that this is right.",
                "by_name",
            )
        )
        .otherwise(
            pl.lit(
                "which is not among the event's groups: check whether it was deleted, renamed or"
                " belongs to another event."
            )
        )
    )
    return codes.select(
        pl.lit("warning").alias("severity"),
        pl.lit("unmatched_group_code").alias("kind"),
        "event_id",
        pl.lit("").alias("race_id"),
        pl.col("reserved_entry_group_code").alias("subject_id"),
        pl.format(
            "Reserved entry group {} is named by {} live entries of event {}, {}",
            "reserved_entry_group_code",
            "entries",
            pl.col("event_id").fill_null("(none)"),
            advice,
        ).alias("sentence"),
    )


def _unmapped_questions(questions: pl.DataFrame) -> pl.DataFrame:
    """Questions whose answers fill no column of the start list."""
    answers = pl.col("answers") if "answers" in questions.columns else pl.lit(None, pl.Int64)
    counted = (
        questions.select(trimmed("question"), answers.alias("answers"))
        .filter(pl.col("question").is_not_null())
        .group_by("question")
        .agg(pl.col("answers").sum(), pl.col("answers").count().alias("counts"))
    )
    asked = (
        pl.when(pl.col("counts") > 0)
        .then(pl.format(" ({} answers)", "answers"))
        .otherwise(pl.lit(""))
    )
    return counted.select(
        pl.lit("info").alias("severity"),
        pl.lit("unmapped_question").alias("kind"),
        pl.lit("").alias("event_id"),
        pl.lit("").alias("race_id"),
        pl.col("question").alias("subject_id"),
        pl.format(
            "No column of the start list is filled from this question{}: add it to the questions"
            " file if one should be.",
            asked,
        ).alias("sentence"),
    )


def _groups_left_out(event_ids: Collection[str]) -> pl.DataFrame:
    """Events whose groups and tickets aren't asked for, be there such an event or not."""
    return pl.DataFrame({"event_id": sorted(event_ids)}, {"event_id": pl.String()}).select(
        pl.lit("warning").alias("severity"),
        pl.lit("groups_left_out").alias("kind"),
        "event_id",
        pl.lit("").alias("race_id"),
        pl.lit("").alias("subject_id"),
        pl.format(
            "Reserved entry groups and tickets of event {} are not read, as LDT_EVENTS_WITHOUT_GROUPS"
            " names it: there are none, or those that were read before. Take it out once the API"
            " gives them.",
            "event_id",
        ).alias("sentence"),
    )
