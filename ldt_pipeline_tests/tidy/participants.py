"""One participant with some members, tidied."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ldt_pipeline.tidy import tidy_participants
from ldt_pipeline_tests.tidy.records import child, only, raw

START = datetime(2023, 5, 8, 11, 30, tzinfo=UTC)


def participant(**members: Any) -> dict[str, Any]:
    return {"id": "1", **members}


def of(**members: Any) -> dict[str, Any]:
    """Give what a participant with these members becomes."""
    return only(tidy_participants(raw(participant(**members))))


def answers_of(fields: Any) -> list[tuple[Any, ...]]:
    """Give the answers of a participant with these fields."""
    frame = child(tidy_participants(raw(participant(fields=fields))))
    return frame.select("position", "question_id", "question", "answer").rows()
