"""Answers that come as one object instead of a list.

What belongs here: taking such an object for what it is, one answer or a dictionary of questions and
answers. What doesn't: answers in a list, which need nothing of this, and which answer fills which
column (`questions.py`).
"""

from __future__ import annotations

from typing import Any, cast

from ldt_pipeline.tidy.shapes import ANSWER_KEYS, QUESTION_ID_KEYS, QUESTION_KEYS


def answers_in(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the answers as a list of objects with `id`, `label` and `value`, as far as known."""
    if _is_answer(fields):
        return [_answer(fields)]
    answers: list[dict[str, Any]] = []
    for question, answer in fields.items():
        members = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if _is_answer(members):
            answers.append({"id": question} | _answer(members))
        else:
            answers.append({"label": question, "value": answer})
    return answers


def _is_answer(members: dict[str, Any]) -> bool:
    keys = members.keys()
    return not keys.isdisjoint(QUESTION_KEYS) and not keys.isdisjoint(ANSWER_KEYS)


def _answer(members: dict[str, Any]) -> dict[str, Any]:
    found = {
        "id": _first(members, QUESTION_ID_KEYS),
        "label": _first(members, QUESTION_KEYS),
        "value": _first(members, ANSWER_KEYS),
    }
    return {name: value for name, value in found.items() if value is not None}


def _first(members: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((members[key] for key in keys if members.get(key) is not None), None)
