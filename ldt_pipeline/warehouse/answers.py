"""Answers where they lie: which fill which start-list column, and which fill none.

What belongs here: the rules of `tidy/questions.py`, applied by DuckDB. A big race has millions of
answers and a hundred different questions: the questions go through Python, the answers don't. What
doesn't: the rules themselves. A property test holds both to the same result.
"""

from __future__ import annotations

import duckdb
import polars as pl

from ldt_pipeline.tidy.questions import COLUMNS, Questions, match_questions
from ldt_pipeline.warehouse.connection import registered

ANSWERS = "tidy.participant_answers"


def matched_questions(
    connection: duckdb.DuckDBPyConnection,
    questions: Questions,
    *,
    source: str = ANSWERS,
    whose: str = "TRUE",
) -> pl.DataFrame:
    """Give which of the questions that were asked fill which column.

    Args:
        connection: The warehouse.
        questions: Which answers fill what.
        source: The table of answers, or one with some of its rows.
        whose: A condition on `participant_id`.

    Returns:
        What `tidy.questions.match_questions` gives, without those that fill none.
    """
    return filling(asked_questions(connection, source, whose), questions)


def filling(asked: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """Give those of the questions that fill a column, as `matched_questions` does."""
    return match_questions(asked, questions).filter(pl.col("column").is_not_null())


def answers_by_column(
    connection: duckdb.DuckDBPyConnection,
    matched: pl.DataFrame,
    *,
    source: str = ANSWERS,
    whose: str = "TRUE",
) -> pl.DataFrame:
    """Give each participant's answers as columns, as `tidy.answers_to_columns` does.

    Args:
        connection: The warehouse.
        matched: What `matched_questions` gives, of these participants or of more.
        source: The table of answers, or one with some of its rows.
        whose: A condition on its rows: all of a participant's, or none.

    Returns:
        `participant_id`, then `COLUMNS` as text; one row per participant who answered one of them.
    """
    # The most trusted question first, then the first position: one number orders both.
    chosen = ", ".join(
        f"arg_min(text, trust) FILTER (filled = '{column}') AS {column}" for column in COLUMNS
    )
    with registered(connection, "matched", matched):
        return connection.sql(
            f"""
            SELECT participant_id, {chosen}
            FROM (
                SELECT participant_id, answer AS text, matched."column" AS filled,
                    rank::BIGINT * 2147483648 + position AS trust
                FROM {source} AS answers JOIN matched
                    ON matched.question IS NOT DISTINCT FROM answers.question
                    AND matched.question_id IS NOT DISTINCT FROM answers.question_id
                WHERE {whose}
            )
            WHERE text IS NOT NULL GROUP BY participant_id
            """
        ).pl()


def answered(
    connection: duckdb.DuckDBPyConnection,
    matched: pl.DataFrame,
    people: pl.DataFrame,
    *,
    column: str,
) -> pl.DataFrame:
    """Count whose answers to the questions of a column are not blank, be they read or not.

    Args:
        connection: The warehouse.
        matched: What `matched_questions` gives.
        people: `participant_id` and `race_id` of those who are asked about.
        column: One of `COLUMNS`.

    Returns:
        `race_id` and `answered`, of races of which anybody answered.
    """
    asked = matched.filter(pl.col("column") == column)
    if asked.is_empty() or people.is_empty():
        return pl.DataFrame(schema={"race_id": pl.String(), "answered": pl.Int64()})
    with registered(connection, "asked", asked), registered(connection, "people", people):
        return connection.sql(
            f"""
            SELECT race_id, count(DISTINCT participant_id) AS answered
            FROM {ANSWERS} AS answers
            JOIN asked ON asked.question IS NOT DISTINCT FROM answers.question
                AND asked.question_id IS NOT DISTINCT FROM answers.question_id
            JOIN people USING (participant_id)
            WHERE answer IS NOT NULL GROUP BY race_id
            """
        ).pl()


def asked_questions(
    connection: duckdb.DuckDBPyConnection, source: str = ANSWERS, whose: str = "TRUE"
) -> pl.DataFrame:
    """Give the different questions, and in `answers` how many each has that are not blank."""
    return connection.sql(
        f"""
        SELECT question, question_id, count(answer) AS answers
        FROM {source} WHERE {whose} GROUP BY ALL ORDER BY ALL
        """
    ).pl()
