"""Which answers fill which columns of a start list, and what nobody has a column for.

What belongs here: finding questions, and turning the long table of answers into columns of text.
What doesn't: the questions file (`questions_file.py`), reading dates of birth (`birth_dates.py`),
and the start list itself (`marts/`).

Questions are compared without case, spaces and punctuation, and `emergencyContactName` is the same
as "Emergency contact name". An answer's `question_id` counts too, as it may be such a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from ldt_pipeline.tidy.questions_file import (
    COLUMNS,
    QuestionsFileError,
    normalise,
    read_questions_file,
)

__all__ = [
    "COLUMNS",
    "Questions",
    "QuestionsFileError",
    "answers_to_columns",
    "load_questions",
    "normalise",
    "unmapped_questions",
]

_PACKAGED: Final = Path(__file__).with_name("questions.yaml")


@dataclass(frozen=True)
class Questions:
    """Which questions fill which column.

    Attributes:
        columns: Questions as people wrote them by column, the most trusted first. Every one of
            `COLUMNS` is there, if need be with no questions.
    """

    columns: Mapping[str, tuple[str, ...]]

    @cached_property
    def ranks(self) -> pl.DataFrame:
        """One row per question: `normal` (see `normalise`), `column`, `rank` from 0."""
        rows = [
            (normalise(question), column, rank)
            for column, questions in self.columns.items()
            for rank, question in enumerate(questions)
        ]
        schema = {"normal": pl.String, "column": pl.String, "rank": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row").unique(
            "normal", keep="first", maintain_order=True
        )


def load_questions(path: Path | None) -> Questions:
    """Read a questions file; without a path, the packaged one.

    A file is a mapping with `columns`, from column to a question or a list of questions, and maybe
    `extends: default`. With that, its questions go before the packaged ones of the same column, and
    a question that the packaged file has under another column moves; without it, columns that the
    file doesn't name stay empty.

    Raises:
        QuestionsFileError: The file can't be read, or doesn't say what it must.
    """
    file = read_questions_file(_PACKAGED if path is None else path)
    if not file.extends_default:
        return Questions(file.columns)
    taken = {normalise(question) for questions in file.columns.values() for question in questions}
    packaged = read_questions_file(_PACKAGED).columns
    return Questions(
        {
            column: (
                *file.columns[column],
                *(each for each in packaged[column] if normalise(each) not in taken),
            )
            for column in COLUMNS
        }
    )


def answers_to_columns(answers: pl.DataFrame, questions: Questions, key: str) -> pl.DataFrame:
    """Give each record's answers as columns.

    Args:
        answers: A table of answers: `key`, `position`, `question_id`, `question`, `answer`.
        questions: Which of them fill what.
        key: The column that names the record.

    Returns:
        `key`, then `COLUMNS` as text without surrounding spaces, null where nothing was answered.
        One row per record that has answers (known or not), in the order in which they first come.
        Of several answers the one to the most trusted question counts, then the first position.
    """
    texts = pl.col("answer").str.strip_chars()
    ranked = (
        match_questions(answers, questions)
        .with_columns(answer=texts)
        .filter(pl.col("column").is_not_null(), pl.col("answer") != "")
        .sort("rank", "position", maintain_order=True)
        .unique([key, "column"], keep="first", maintain_order=True)
    )
    records = answers.select(key).unique(maintain_order=True)
    wide = ranked.group_by(key).agg(
        pl.col("answer").filter(pl.col("column") == column).first().alias(column)
        for column in COLUMNS
    )
    return records.join(wide, on=key, how="left", maintain_order="left")


def unmapped_questions(answers: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """Count the answers to questions that fill no column.

    Args:
        answers: A table of answers, or of `question`, `question_id` and in `answers` how many were
            given to it.
        questions: Which of them fill what.

    Returns:
        `question` and `answers` (how many were given to it, blank ones not counted), the most
        answered first, then by question. One row per question, as it was first written.
    """
    if "answers" not in answers.columns:
        given = (pl.col("answer").str.strip_chars() != "").fill_null(value=False)
        answers = answers.with_columns(answers=given.cast(pl.Int64))
    normal = pl.coalesce("normal_question", "normal_id")
    # Questions such as "???" have nothing that counts: each is its own.
    same = pl.when(normal == "").then("question").otherwise(normal).alias("same")
    return (
        match_questions(answers, questions)
        .with_columns(question=pl.coalesce("question", "question_id"))
        .filter(pl.col("column").is_null(), pl.col("question").is_not_null())
        .filter(pl.col("answers") > 0)
        .group_by(same, maintain_order=True)
        .agg(pl.col("question").first(), pl.col("answers").sum())
        .select("question", "answers")
        .sort("answers", "question", descending=[True, False])
    )


def match_questions(answers: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """Add to rows with `question` and `question_id` the `column` that they fill, and its `rank`.

    The question counts, or else its id. `normal_question` and `normal_id` are what both are
    compared by.
    """
    # Questions repeat a thousandfold, so Python folds each distinct one once.
    distinct = pl.concat([answers["question"], answers["question_id"]]).drop_nulls().unique()
    normals = pl.DataFrame(
        {"text": distinct, "normal": [normalise(text) for text in distinct.to_list()]},
        schema={"text": pl.String, "normal": pl.String},
    ).join(questions.ranks, on="normal", how="left")
    joined = answers.join(
        normals.rename({"normal": "normal_question"}),
        left_on="question",
        right_on="text",
        how="left",
        maintain_order="left",
    ).join(
        normals.rename({"normal": "normal_id", "column": "id_column", "rank": "id_rank"}),
        left_on="question_id",
        right_on="text",
        how="left",
        maintain_order="left",
    )
    by_id = pl.col("column").is_null()
    return joined.with_columns(
        column=pl.when(by_id).then("id_column").otherwise("column"),
        rank=pl.when(by_id).then("id_rank").otherwise("rank"),
    )
