"""Issues of single starters: what would go wrong at the start line or in the timing import.

What belongs here: problems that can be seen in the start list, without its redacted rows and those
whose race is over, and in what the entries' statuses say.
What doesn't: groups, codes and questions (`issues.py`, which puts all of them together).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from ldt_pipeline.race_calendar import AFTER_START

NEAR = timedelta(days=14)
"""How long before a race a missing detail becomes urgent."""

STARTER_COLUMNS = (
    *("participant_id", "event_id", "race_id", "race_start_at", "bib_number", "wave"),
    *("first_name", "last_name", "date_of_birth", "age_on_race_day"),
    *("emergency_contact_name", "emergency_contact_phone", "is_redacted"),
)
"""The columns of the start list in which issues are looked for."""

ENDED = (
    r"(?i)(?:^|[^a-z])(?:cancel|refund|withdr|transfer|defer|declin|reject|revok|void|expir"
    r"|unconfirm|unpaid)"
)
"""What a status says of an entry that doesn't stand: the API names none, so these are guesses."""

_IDS_SHOWN = 5

_NO_AGE = (
    "there is no date of birth that could be read, or no start. Ask for it, or map the question that"
    " asks for it in the questions file."
)


def not_over(*, now: datetime) -> pl.Expr:
    """Whether a starter's race is still to come, or may be: what is over, nobody can mend."""
    over_before = pl.lit(now.astimezone(UTC) - AFTER_START)
    return pl.col("race_start_at").is_null() | (pl.col("race_start_at") >= over_before)


def _start_day() -> pl.Expr:
    """Name the day (UTC) whose list a starter is on, as exports do: the race's only one, where none is stated.

    Not the hour: of a start that was put off, entries that were read before state the old one.
    """
    day = pl.col("race_start_at").dt.date()
    first, last = day.min().over("race_id"), day.max().over("race_id")
    return pl.coalesce(day, pl.when(first == last).then(first)).alias("start_day")


def duplicate_bibs(starters: pl.DataFrame) -> pl.DataFrame:
    """Bibs that several starters of one race have, one row per start and bib, the next start first.

    A race may come again each year under the same id: a bib counts once for each day of a start.
    """
    shared = (
        starters.with_columns(_start_day())
        .filter(pl.col("race_id").is_not_null() & pl.col("bib_number").is_not_null())
        .filter(pl.struct("race_id", "start_day", "bib_number").is_duplicated())
        .group_by("race_id", "start_day", "bib_number")
        .agg(
            pl.col("event_id").min(),
            pl.len().alias("holders"),
            pl.col("participant_id").sort().head(_IDS_SHOWN).str.join(", ").alias("ids"),
        )
        .sort("start_day", nulls_last=True)
    )
    more = (
        pl.when(pl.col("holders") > _IDS_SHOWN)
        .then(pl.format(" and {} more", pl.col("holders").cast(pl.Int64) - _IDS_SHOWN))
        .otherwise(pl.lit(""))
    )
    return shared.select(
        pl.lit("error").alias("severity"),
        pl.lit("duplicate_bib_number").alias("kind"),
        "event_id",
        "race_id",
        pl.col("bib_number").alias("subject_id"),
        pl.format(
            "Bib {} of race {} belongs to {} participants ({}{}): give all but one another bib.",
            "bib_number",
            "race_id",
            "holders",
            "ids",
            more,
        ).alias("sentence"),
    )


def entered_twice(starters: pl.DataFrame) -> pl.DataFrame:
    """People who are on one start's list more than once: by name and date of birth together.

    A family shares an e-mail address, and strangers share a name.
    """
    folded = [
        # Devices differ in whether an accent is a character of its own.
        pl.col(name)
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .alias(f"folded_{name}")
        for name in ("first_name", "last_name")
    ]
    person = ["race_id", "start_day", "folded_first_name", "folded_last_name", "date_of_birth"]
    same = (
        starters.with_columns(_start_day(), *folded)
        .filter(pl.all_horizontal(pl.col(each).is_not_null() for each in person))
        .filter(pl.struct(person).is_duplicated())
        .group_by(person)
        .agg(
            pl.col("event_id").min(),
            pl.len().alias("entries"),
            pl.col("participant_id").min(),
            pl.col("participant_id").sort().head(_IDS_SHOWN).str.join(", ").alias("ids"),
        )
    )
    return same.select(
        _starter_issue(
            severity="warning",
            kind="entered_twice",
            sentence=pl.format(
                "{} entries of race {} have the same name and date of birth ({}{}): find out whether"
                " it is one person, and withdraw all but one.",
                "entries",
                "race_id",
                "ids",
                pl.when(pl.col("entries") > _IDS_SHOWN)
                .then(pl.lit(" and more"))
                .otherwise(pl.lit("")),
            ),
        )
    )


def ages(starters: pl.DataFrame, minimum_ages: Mapping[str, int]) -> list[pl.DataFrame]:
    """Starters of races with a minimum age who are too young on race day, or of whom nobody can tell."""
    minimums = pl.DataFrame(
        {"race_id": list(minimum_ages), "minimum_age": list(minimum_ages.values())},
        schema={"race_id": pl.String(), "minimum_age": pl.Int64()},
    )
    limited = starters.join(minimums, on="race_id", how="inner", validate="m:1")
    age = pl.col("age_on_race_day")
    are_unknown = age.is_null().all().over("race_id") & (pl.len().over("race_id") > 1)
    young = limited.filter(age < pl.col("minimum_age")).select(
        _starter_issue(
            severity="error",
            kind="under_age",
            sentence=pl.format(
                "Participant {} is under the minimum age of race {} ({}) on race day: check the date"
                " of birth, or move or withdraw the entry.",
                "participant_id",
                "race_id",
                "minimum_age",
            ),
        )
    )
    unknown = limited.filter(age.is_null() & ~are_unknown).select(
        _starter_issue(
            severity="warning",
            kind="age_unknown",
            sentence=pl.format(
                "Participant {} can't be held against the minimum age of race {} ({}): " + _NO_AGE,
                "participant_id",
                "race_id",
                "minimum_age",
            ),
        )
    )
    races = (
        limited.filter(are_unknown)
        .group_by("race_id", "minimum_age")
        .agg(
            pl.col("event_id").min(),
            pl.lit(None, pl.String()).alias("participant_id"),
            pl.len().alias("starters"),
        )
        .select(
            _starter_issue(
                severity="warning",
                kind="age_unknown",
                sentence=pl.format(
                    "None of the {} starters of race {} can be held against its minimum age ({}): "
                    + _NO_AGE,
                    "starters",
                    "race_id",
                    "minimum_age",
                ),
            )
        )
    )
    return [young, unknown, races]


def statuses_that_end(starters: pl.DataFrame, ended: pl.DataFrame) -> pl.DataFrame:
    """Starters whose newest status says that the entry is over: the last of those that came last.

    They stay on the start list: which statuses there are, and what they mean, the API doesn't say.
    """
    newest = (
        ended.select("participant_id", pl.col("status_details").alias("details"))
        .with_row_index("entry")
        .explode("details")
        .unnest("details")
        .with_row_index("position")
        .sort("at", "position", nulls_last=False)
        .unique("entry", keep="last", maintain_order=True)
        .filter(pl.col("status").str.contains(ENDED).fill_null(value=False))
    )
    return starters.join(newest.select("participant_id"), on="participant_id", how="semi").select(
        _starter_issue(
            severity="warning",
            kind="status_says_ended",
            sentence=pl.format(
                "Participant {} is on the start list of race {}, while Let's Do This gives the entry"
                " a status such as cancelled, refunded or transferred (status_details in"
                " participants): find out whether the person starts, and have the entry withdrawn"
                " if not.",
                "participant_id",
                pl.col("race_id").fill_null("(none)"),
            ),
        )
    )


def missing_races(starters: pl.DataFrame) -> pl.DataFrame:
    """Starters who name no race: every list is of one, so none has them."""
    return starters.filter(pl.col("race_id").is_null()).select(
        _starter_issue(
            severity="error",
            kind="missing_race",
            sentence=pl.format(
                "Participant {} names no race, and so is on no start list: find out which race it is.",
                "participant_id",
            ),
        )
    )


def missing_names(starters: pl.DataFrame) -> pl.DataFrame:
    """Starters without a first or without a last name."""
    first, last = pl.col("first_name").is_null(), pl.col("last_name").is_null()
    what = (
        pl.when(first & last)
        .then(pl.lit("name"))
        .when(first)
        .then(pl.lit("first name"))
        .otherwise(pl.lit("last name"))
    )
    return starters.filter(first | last).select(
        _starter_issue(
            severity="error",
            kind="missing_name",
            sentence=pl.format(
                "Participant {} has no {}: complete the entry, or map the question that asks for"
                " it in the questions file.",
                "participant_id",
                what,
            ),
        )
    )


def missing_details(starters: pl.DataFrame, *, now: datetime) -> list[pl.DataFrame]:
    """Starters of races about to start who lack what others of that race have."""
    ahead = pl.col("race_start_at") - pl.lit(now.astimezone(UTC))
    near = starters.filter((ahead >= timedelta()) & (ahead <= NEAR))
    phone, name = pl.col("emergency_contact_phone"), pl.col("emergency_contact_name")
    # Where a race asks for a contact's number, a name alone helps nobody on race day.
    lacks_contact = pl.when(_some_in_race(phone)).then(phone.is_null()).otherwise(name.is_null())
    contacts = near.filter(_some_in_race(pl.coalesce(phone, name)) & lacks_contact).select(
        _starter_issue(
            severity="warning",
            kind="missing_emergency_contact",
            sentence=_near_sentence("emergency contact", "ask the participant for one"),
        )
    )
    return [
        contacts,
        _lacking(near, "wave", what="wave", advice="put the participant into one"),
        _lacking(near, "bib_number", what="bib", advice="give the participant one", kind="bib"),
        _lacking(
            near,
            "date_of_birth",
            what="date of birth that could be read",
            advice="ask the participant for it",
        ),
    ]


def _lacking(
    near: pl.DataFrame, column: str, *, what: str, advice: str, kind: str | None = None
) -> pl.DataFrame:
    value = pl.col(column)
    return near.filter(value.is_null() & _some_in_race(value)).select(
        _starter_issue(
            severity="warning",
            kind=f"missing_{kind or column}",
            sentence=_near_sentence(what, advice),
        )
    )


def _some_in_race(value: pl.Expr) -> pl.Expr:
    """Whether any starter of the same race has the value."""
    return value.is_not_null().any().over("race_id") & pl.col("race_id").is_not_null()


def _near_sentence(what: str, advice: str) -> pl.Expr:
    return pl.format(
        f"Participant {{}} has no {what}, others of race {{}} do, and it starts on {{}}: {advice}.",
        "participant_id",
        "race_id",
        pl.col("race_start_at").dt.strftime("%Y-%m-%d"),
    )


def _starter_issue(*, severity: str, kind: str, sentence: pl.Expr) -> list[pl.Expr]:
    return [
        pl.lit(severity).alias("severity"),
        pl.lit(kind).alias("kind"),
        pl.col("event_id"),
        pl.col("race_id"),
        pl.col("participant_id").alias("subject_id"),
        sentence.alias("sentence"),
    ]
