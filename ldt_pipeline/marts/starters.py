"""The start list: who starts where, one row per live participant.

What belongs here: putting an entry, the answers that fill its columns, its group and its partner
into one row. What doesn't: which answer fills which column (`tidy/`), which group and partner an
entry belongs to (`attribution.py`), and what is wrong with the rows (`issues.py`).
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.marts.attribution import CLAIM, claims, with_group, with_partner
from ldt_pipeline.marts.common import live, trimmed
from ldt_pipeline.tables import table
from ldt_pipeline.tidy.answer_objects import answers_for_people
from ldt_pipeline.tidy.birth_dates import parse_birth_date
from ldt_pipeline.tidy.coerce import as_answer
from ldt_pipeline.tidy.questions import COLUMNS

_ENTRY_TEXTS = (
    *CLAIM,
    "event_name",
    "race_id",
    "race_name",
    "bib_number",
    "wave",
    "ticket_id",
    "ticket_title",
    "booking_id",
    "booker_name",
    "booker_email",
    "application_id",
    "booker_type",
)


def start_list(
    *,
    participants: pl.DataFrame,
    answers_by_column: pl.DataFrame,
    partners: pl.DataFrame,
    reserved_entry_groups: pl.DataFrame,
) -> pl.DataFrame:
    """Give one row per live participant, whatever the other frames hold.

    Args:
        participants: The tidy table.
        answers_by_column: `participant_id` and the columns of `questions.COLUMNS` as text, at most one row
            per participant; participants may be missing.
        partners: The tidy table.
        reserved_entry_groups: The tidy table.

    Returns:
        The `start_list` table, by event, race and participant.
    """
    entries = (
        live(participants)
        .select(
            "participant_id",
            "race_start_at",
            pl.col("created_at").alias("registered_at"),
            "updated_at",
            pl.col("gdpr_redacted").fill_null(value=False).alias("is_redacted"),
            *(trimmed(name) for name in _ENTRY_TEXTS),
        )
        .sort("event_id", "race_id", "participant_id", nulls_last=True)
    )
    attributed = with_partner(
        with_group(claims(entries), reserved_entry_groups=reserved_entry_groups),
        partners=partners,
    )
    texts = answers_by_column.select("participant_id", *(trimmed(name) for name in COLUMNS))
    answers = _with_birth_dates(answers_for_people(texts, as_answer))
    frame = (
        entries.join(
            attributed,
            on=list(CLAIM),
            how="left",
            nulls_equal=True,
            validate="m:1",
            maintain_order="left",
        )
        # A second row of answers would list the participant twice: better no list than that one.
        .join(answers, on="participant_id", how="left", validate="1:1", maintain_order="left")
        .with_columns(
            _entry_route(),
            age_on(day=pl.col("race_start_at").dt.date(), born=pl.col("date_of_birth")).alias(
                "age_on_race_day"
            ),
            pl.coalesce("group_id", "reserved_entry_group_code").alias("reserved_entry_group_id"),
            pl.coalesce("group_name", "reserved_entry_group_name").alias(
                "reserved_entry_group_name"
            ),
        )
    )
    columns = list(table("start_list").schema)
    return table("start_list").conform(_without_redacted(frame.select(columns)))


def _with_birth_dates(answers: pl.DataFrame) -> pl.DataFrame:
    """Read the dates of birth. A million people share some 30,000 of them: each is read once."""
    distinct = answers.select(pl.col("date_of_birth").unique().drop_nulls().alias("text"))
    dates = distinct.with_columns(parse_birth_date(distinct["text"]).alias("date_of_birth"))
    return (
        answers.rename({"date_of_birth": "text"})
        .join(dates, on="text", how="left", validate="m:1")
        .drop("text")
    )


def age_on(*, day: pl.Expr, born: pl.Expr) -> pl.Expr:
    """Give the age in whole years, null before birth.

    Whoever is born on 29 February gets older on 1 March in a year without that day, as in British
    law: (2, 28) is before (2, 29), and (3, 1) is not.
    """
    month_and_day = [each.dt.month().cast(pl.Int32) * 100 + each.dt.day() for each in (day, born)]
    had_birthday = month_and_day[0] >= month_and_day[1]
    years = day.dt.year() - born.dt.year() - (~had_birthday).cast(pl.Int32)
    return pl.when(years >= 0).then(years.cast(pl.Int64))


def _entry_route() -> pl.Expr:
    """Say how the entry came about; a reserved place is one even if it was also applied for."""
    claimed = pl.any_horizontal(
        *(pl.col(name).is_not_null() for name in CLAIM if name != "event_id"),
        (pl.col("booker_type").str.to_uppercase() == "PARTNER").fill_null(value=False),
    )
    return (
        pl.when(claimed)
        .then(pl.lit("reserved_entry"))
        .when(pl.col("application_id").is_not_null())
        .then(pl.lit("application"))
        .otherwise(pl.lit("general"))
        .alias("entry_route")
    )


def _without_redacted(frame: pl.DataFrame) -> pl.DataFrame:
    """Blank the personal columns of whoever asked to be forgotten."""
    return frame.with_columns(
        pl.when(~pl.col("is_redacted")).then(pl.col(name)).alias(name)
        for name in table("start_list").forgotten_columns
    )
