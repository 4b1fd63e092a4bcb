"""DuckDB fills start-list columns by the same rules as the polars functions that state them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.tables import table
from ldt_pipeline.tidy import answers_to_columns, load_questions, unmapped_questions
from ldt_pipeline.warehouse.answers import (
    answered,
    answers_by_column,
    asked_questions,
    matched_questions,
)
from ldt_pipeline.warehouse.connection import connect, registered
from ldt_pipeline.warehouse.schema import create_or_check

QUESTIONS = load_questions(None)

asked = st.sampled_from(
    [
        None,
        "First name",
        "FIRST  name:",
        "Forename",
        "Surname",
        "DOB",
        "Date of birth",
        "Club",
        "Shoes?",
    ]
)
ids = st.sampled_from([None, "firstName", "lastName", "club", "q17"])
answers = st.lists(
    st.tuples(
        st.sampled_from(["p1", "p2", "p3"]),
        asked,
        ids,
        st.none()
        | st.text("abc é", min_size=1, max_size=4).map(str.strip).map(lambda text: text or None),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(answers)
def test_both_give_the_same(rows) -> None:
    frame = _frame(rows)
    with connect(Path(":memory:")) as connection:
        create_or_check(connection)
        with registered(connection, "rows", frame):
            connection.execute("INSERT INTO tidy.participant_answers SELECT * FROM rows")
        fast = answers_by_column(connection, matched_questions(connection, QUESTIONS))
        fast_unmapped = unmapped_questions(asked_questions(connection), QUESTIONS)
    plain = answers_to_columns(frame, QUESTIONS, "participant_id")
    # The one leaves out whom nothing is known of: a left join makes no difference of it.
    known = plain.filter(pl.any_horizontal(pl.col(plain.columns[1:]).is_not_null()))
    assert fast.sort("participant_id").rows() == known.sort("participant_id").rows()
    counts = unmapped_questions(frame, QUESTIONS)
    assert sorted(fast_unmapped["answers"]) == sorted(counts["answers"])


def test_whoever_answered_counts_once_whatever_came_of_it() -> None:
    frame = _frame(
        [
            ("p1", "DOB", None, "07/03/90"),
            ("p1", "Date of birth", None, "07/03/90"),
            ("p2", None, "dateOfBirth", "in March"),
            ("p3", "DOB", None, None),
            ("p4", "DOB", None, "1990-03-07"),
            ("p5", "Club", None, "Hares"),
        ]
    )
    people = pl.DataFrame({"participant_id": ["p1", "p2", "p3", "p5"], "race_id": "r1"})
    with connect(Path(":memory:")) as connection:
        create_or_check(connection)
        with registered(connection, "rows", frame):
            connection.execute("INSERT INTO tidy.participant_answers SELECT * FROM rows")
        matched = matched_questions(connection, QUESTIONS)
        found = [
            answered(connection, some, those, column=column).rows()
            for some, those, column in (
                (matched, people, "date_of_birth"),
                (matched, people, "club"),
                (matched, people, "email"),
                (matched, people.clear(), "club"),
            )
        ]
    assert found == [[("r1", 2)], [("r1", 1)], [], []]


def _frame(rows: list[tuple]) -> pl.DataFrame:
    positions: dict[str, int] = {}
    numbered = []
    for participant_id, question, question_id, answer in rows:
        position = positions.get(participant_id, 0)
        positions[participant_id] = position + 1
        numbered.append((participant_id, position, question_id, question, answer))
    return pl.DataFrame(numbered, schema=table("participant_answers").schema, orient="row")
