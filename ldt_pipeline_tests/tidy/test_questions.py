"""Which answers fill which column of a start list."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.tables import table
from ldt_pipeline.tidy import (
    Questions,
    QuestionsFileError,
    answers_to_columns,
    load_questions,
    unmapped_questions,
)
from ldt_pipeline.tidy.questions import COLUMNS, normalise

SCHEMA = table("participant_answers").schema


def answers(*rows: tuple[str, int, str | None, str | None, str | None]) -> pl.DataFrame:
    """Make answers: participant, position, question id, question, answer."""
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def columns(*rows: tuple[str, int, str | None, str | None, str | None]) -> list[dict[str, str]]:
    """Give each participant's columns, without those that are null."""
    frame = answers_to_columns(answers(*rows), load_questions(None), "participant_id")
    assert frame.columns == ["participant_id", *COLUMNS]
    assert set(frame.dtypes) == {pl.String()}
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in frame.to_dicts()
    ]


def file(folder: Path, text: str) -> Path:
    path = folder / "questions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_packaged_questions_fill_every_column() -> None:
    questions = load_questions(None)
    assert tuple(questions.columns) == COLUMNS
    assert all(questions.columns.values())
    assert set(COLUMNS) <= set(table("start_list").schema)


@pytest.mark.parametrize(
    ("question", "column"),
    [
        ("First name", "first_name"),
        ("firstName", "first_name"),
        ("first_name", "first_name"),
        ("FIRST  NAME:", "first_name"),
        ("Participant's first name", "first_name"),
        ("Participant’s First Name", "first_name"),
        ("Prénom", "first_name"),
        ("Pre\u0301nom", "first_name"),
        ("Surname", "last_name"),
        ("lastName", "last_name"),
        ("E-mail address", "email"),
        ("email", "email"),
        ("Mobile Number", "phone"),
        ("DOB", "date_of_birth"),
        ("dateOfBirth", "date_of_birth"),
        ("Date of Birth (DD/MM/YYYY)", "date_of_birth"),
        ("Geburtsdatum", "date_of_birth"),
        ("Gender", "gender"),
        ("Which running club are you a member of?", "club"),
        ("Club / Team name", "club"),
        ("Nationality", "nationality"),
        ("Staatsangehörigkeit", "nationality"),
        ("emergencyContactName", "emergency_contact_name"),
        ("Emergency contact - full name", "emergency_contact_name"),
        ("Emergency contact number", "emergency_contact_phone"),
        ("In case of emergency (ICE) number", "emergency_contact_phone"),
    ],
)
def test_packaged_questions(question: str, column: str) -> None:
    assert columns(("1", 0, None, question, "A")) == [{"participant_id": "1", column: "A"}]
    assert columns(("1", 0, question, None, "A")) == [{"participant_id": "1", column: "A"}]


def test_the_most_trusted_question_wins_then_the_first_position() -> None:
    assert columns(
        ("1", 0, None, "Contact email", "c"),
        ("1", 1, None, "Email address", "b"),
        ("1", 2, None, "Email", "a2"),
        ("1", 3, None, "EMAIL", "a3"),
        ("2", 5, None, "Email", "late"),
        ("2", 4, None, "Email", "early"),
    ) == [
        {"participant_id": "1", "email": "a2"},
        {"participant_id": "2", "email": "early"},
    ]


def test_blank_answers_give_way_and_spaces_around_go() -> None:
    assert columns(
        ("1", 0, None, "Email", None),
        ("1", 1, None, "Email", "  "),
        ("1", 2, None, "Contact email", " a@b "),
    ) == [{"participant_id": "1", "email": "a@b"}]


def test_a_question_that_is_known_by_its_id_alone_is_as_trusted_as_its_name() -> None:
    assert columns(
        ("1", 0, "contactEmail", "Where do we write to?", "less trusted"),
        ("1", 1, None, "Email", "most trusted"),
        ("2", 0, None, "Contact email", "less trusted"),
        ("2", 1, "email", "Where do we write to?", "most trusted"),
    ) == [
        {"participant_id": "1", "email": "most trusted"},
        {"participant_id": "2", "email": "most trusted"},
    ]


def test_the_question_counts_before_its_id() -> None:
    assert columns(("1", 0, "email", "First name", "A")) == [
        {"participant_id": "1", "first_name": "A"}
    ]
    assert columns(("1", 0, "email", "Where do we reach you?", "A")) == [
        {"participant_id": "1", "email": "A"}
    ]


def test_every_record_with_answers_has_a_row_in_the_order_of_coming() -> None:
    found = columns(
        ("b", 0, None, "Shoe size", "44"),
        ("a", 0, None, "First name", "A"),
        ("b", 1, None, None, None),
    )
    assert found == [{"participant_id": "b"}, {"participant_id": "a", "first_name": "A"}]


def test_no_answers() -> None:
    assert columns() == []
    questions = load_questions(None)
    assert unmapped_questions(answers(), questions).schema == {
        "question": pl.String(),
        "answers": pl.Int64(),
    }


def test_the_key_may_be_that_of_applications() -> None:
    frame = answers(("1", 0, None, "First name", "A")).rename({"participant_id": "application_id"})
    found = answers_to_columns(frame, load_questions(None), "application_id")
    assert found.select("application_id", "first_name").rows() == [("1", "A")]


def test_questions_that_fill_no_column_are_counted() -> None:
    found = unmapped_questions(
        answers(
            ("1", 0, None, "Shoe size?", "44"),
            ("2", 0, None, "shoe SIZE", "43"),
            ("3", 0, None, "Shoe size", " "),
            ("1", 1, None, "First name", "A"),
            ("1", 2, "q9", None, "x"),
            ("1", 3, None, None, "x"),
            ("1", 4, None, "Allergies", "nuts"),
            ("2", 4, None, "???", "x"),
            ("3", 4, None, "!", "x"),
        ),
        load_questions(None),
    )
    assert found.rows() == [("Shoe size?", 2), ("!", 1), ("???", 1), ("Allergies", 1), ("q9", 1)]


def test_normalising() -> None:
    assert normalise("  Date of Birth (DD/MM/YYYY): ") == "dateofbirthddmmyyyy"
    assert normalise("Straße") == normalise("STRASSE")
    assert normalise("ｅｍａｉｌ") == "email"
    assert normalise("जन्म") != normalise("जनम")
    assert normalise("?!") == ""


@given(st.text(max_size=20))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_a_file_of_ones_own_starts_from_nothing(tmp_path: Path) -> None:
    questions = load_questions(file(tmp_path, "columns:\n  club: Squad\n  email: [Mail, Post]\n"))
    assert questions.columns["club"] == ("Squad",)
    assert questions.columns["email"] == ("Mail", "Post")
    assert questions.columns["first_name"] == ()
    assert tuple(questions.columns) == COLUMNS


def test_a_file_that_extends_the_packaged_one_goes_first_and_may_move_questions(
    tmp_path: Path,
) -> None:
    text = "extends: default\ncolumns:\n  club: [Squad]\n  nationality: [sex]\n"
    questions = load_questions(file(tmp_path, text))
    packaged = load_questions(None)
    assert questions.columns["club"] == ("Squad", *packaged.columns["club"])
    assert questions.columns["nationality"][0] == "sex"
    assert "Sex" in packaged.columns["gender"]
    assert "Sex" not in questions.columns["gender"]
    assert questions.columns["email"] == packaged.columns["email"]


def test_extending_without_columns_is_the_packaged_file(tmp_path: Path) -> None:
    questions = load_questions(file(tmp_path, "extends: default\n"))
    assert questions == Questions(load_questions(None).columns)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a mapping with `columns`"),
        ("- a", "must be a mapping with `columns`"),
        ("column: {}", "`column` is not known at the top level; allowed are `columns` and"),
        ("extends: other", "`extends` can only be `default`"),
        ("extends: null\ncolumns: {}", "`extends` can only be `default`"),
        ("columns: [a]", "`columns` must be a mapping"),
        ("columns:", "`columns` must be a mapping"),
        (
            "columns:\n  club: A\n  shoe_size: B",
            "line 3: `shoe_size` is no column that answers can fill; allowed are first_name, ",
        ),
        ("columns:\n  1: B", "line 2: `1` is no column"),
        (
            "columns:\n\n  club: 5",
            "line 3: `club` must be a question or a list of questions, as text; 5 is none",
        ),
        ("columns:\n  club: [A, [B]]", "line 2: `club` must be a question or a list"),
        ("columns:\n  club: [yes]", "True is none"),
        ("columns:\n  club: {a: b}", "line 2: `club` must be"),
        ("columns:\n  club:", "line 2: `club` must be"),
        ("columns:\n  club: '?!'", "line 2: `club` has a question without any letter or digit"),
        (
            "columns:\n  club: Team\n  email: [Mail, team!]",
            "line 3: the question 'team!' stands under both `club` and `email`",
        ),
        ("columns:\n  club: A\n  club: B", "line 3: `club` stands there twice"),
        ("columns: {a", "line 1: not valid YAML: "),
        ("columns:\n\t- a", "line 2: not valid YAML: "),
        ("a: &x [*y]", "not valid YAML"),
        ("? {a: b}\n: c", "not"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_a_sentence(
    tmp_path: Path, text: str, says: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(QuestionsFileError) as error:
        load_questions(path)
    sentence = str(error.value)
    assert says in sentence
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_file_that_is_missing_or_no_text_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(QuestionsFileError, match="can't be read \\(No such file"):
        load_questions(tmp_path / "none.yaml")
    with pytest.raises(QuestionsFileError, match="can't be read \\(Is a directory"):
        load_questions(tmp_path)
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(QuestionsFileError, match="must be UTF-8 text"):
        load_questions(path)
    path.write_bytes(b"a: \x01")
    with pytest.raises(QuestionsFileError, match="not valid YAML"):
        load_questions(path)
