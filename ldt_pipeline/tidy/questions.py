"""Which answers fill which columns of a start list, and what nobody has a column for.

What belongs here: telling questions apart, the questions file, and turning the long table of
answers into columns of text. What doesn't: reading dates of birth (`birth_dates.py`), and the start
list itself (`marts/`).

Questions are compared without case, spaces and punctuation, and `emergencyContactName` is the same
as "Emergency contact name". An answer's `question_id` counts too, as it may be such a key.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import polars as pl
import yaml

COLUMNS: Final = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "date_of_birth",
    "gender",
    "club",
    "nationality",
    "emergency_contact_name",
    "emergency_contact_phone",
)
"""The start list's columns that answers fill."""

_DEFAULT: Final = Path(__file__).with_name("questions.yaml")
_EXTENDS: Final = "extends"
_MAPPING: Final = "columns"


class QuestionsFileError(ValueError):
    """A questions file that can't be used; the text says where, why and what is allowed."""


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


def normalise(question: str) -> str:
    """Give what counts of a question: its letters and digits, case folded."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", question).casefold())
    return "".join(
        letter for letter in folded if letter.isalnum() or unicodedata.category(letter)[0] == "M"
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
    if path is None:
        return Questions(_parse(_DEFAULT)[0])
    columns, extends = _parse(path)
    if not extends:
        return Questions(columns)
    taken = {normalise(question) for questions in columns.values() for question in questions}
    defaults = _parse(_DEFAULT)[0]
    return Questions(
        {
            column: (
                *columns[column],
                *(each for each in defaults[column] if normalise(each) not in taken),
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
        _matched(answers, questions)
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

    Returns:
        `question` and `answers` (how many were given to it, blank ones not counted), the most
        answered first, then by question. One row per question, as it was first written.
    """
    given = pl.col("answer").str.strip_chars() != ""
    return (
        _matched(answers, questions)
        .with_columns(question=pl.coalesce("question", "question_id"))
        .filter(pl.col("column").is_null(), pl.col("question").is_not_null(), given)
        .group_by(pl.coalesce("normal_question", "normal_id"), maintain_order=True)
        .agg(pl.col("question").first(), pl.len().cast(pl.Int64).alias("answers"))
        .select("question", "answers")
        .sort("answers", "question", descending=[True, False])
    )


def _matched(answers: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """Add `column` and `rank`, by the question or else its id, and what both are compared by."""
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


def _parse(path: Path) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Read a file; give its questions by column, and whether it extends the packaged one."""
    document = _load(path)
    lines = _lines_of_columns(path)
    if not isinstance(document, dict):
        raise QuestionsFileError(
            f"{path}: the file must be a mapping with `{_MAPPING}` and, if wanted, "
            f"`{_EXTENDS}: default`."
        )
    top = cast("dict[Any, Any]", document)
    for key in top:
        if key not in {_EXTENDS, _MAPPING}:
            raise QuestionsFileError(
                f"{path}: `{key}` is not known at the top level; allowed are `{_MAPPING}` and "
                f"`{_EXTENDS}`."
            )
    if top.get(_EXTENDS, "default") != "default":
        raise QuestionsFileError(
            f"{path}: `{_EXTENDS}` can only be `default`, for the packaged questions."
        )
    columns = top.get(_MAPPING)
    if not isinstance(columns, dict):
        raise QuestionsFileError(
            f"{path}: `{_MAPPING}` must be a mapping from columns of the start list to questions."
        )
    named = cast("dict[Any, Any]", columns)
    found: dict[str, tuple[str, ...]] = dict.fromkeys(COLUMNS, ())
    for column, questions in named.items():
        place = f"{path}, line {lines[column]}" if column in lines else str(path)
        if column not in COLUMNS:
            raise QuestionsFileError(
                f"{place}: `{column}` is no column that answers can fill; allowed are "
                f"{', '.join(COLUMNS)}."
            )
        found[column] = _questions_of(column, questions, place)
    _expect_distinct(found, path, lines)
    return found, _EXTENDS in top


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise QuestionsFileError(
            f"{path}: the questions file can't be read ({error.strerror})."
        ) from error
    except UnicodeDecodeError as error:
        raise QuestionsFileError(f"{path}: the questions file must be UTF-8 text.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f", line {mark.line + 1}"
        raise QuestionsFileError(f"{path}{place}: not valid YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise QuestionsFileError(f"{path}: not valid YAML.") from error


def _lines_of_columns(path: Path) -> dict[str, int]:
    """Say in which line each column stands."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        column.value: column.start_mark.line + 1
        for key, value in node.value
        if key.value == _MAPPING and isinstance(value, yaml.MappingNode)
        for column, _ in value.value
    }


def _questions_of(column: str, questions: Any, place: str) -> tuple[str, ...]:
    listed = cast("list[Any]", questions) if isinstance(questions, list) else [questions]
    texts: list[str] = []
    for question in listed:
        if not isinstance(question, str):
            raise QuestionsFileError(
                f"{place}: `{column}` must be a question or a list of questions, as text; "
                f"{question!r} is none (quote it, if it is meant so)."
            )
        if not normalise(question):
            raise QuestionsFileError(
                f"{place}: `{column}` has a question without any letter or digit."
            )
        texts.append(question)
    return tuple(texts)


def _expect_distinct(
    columns: Mapping[str, tuple[str, ...]], path: Path, lines: Mapping[str, int]
) -> None:
    """Refuse a question under two columns."""
    seen: dict[str, str] = {}
    for column, questions in columns.items():
        for question in questions:
            other = seen.setdefault(normalise(question), column)
            if other != column:
                place = f"{path}, line {lines[column]}" if column in lines else str(path)
                raise QuestionsFileError(
                    f"{place}: the question {question!r} stands under both `{other}` and "
                    f"`{column}`; one answer can fill only one column."
                )
