"""The questions file: YAML that people edit, and sentences for what they got wrong.

What belongs here: reading such a file, checking it, and when two questions are the same. What
doesn't: what the questions are for (`questions.py`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

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

_FAST_LOADER: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml, as its wheels are."""

_EXTENDS: Final = "extends"
_COLUMNS: Final = "columns"
_DEFAULT: Final = "default"


class QuestionsFileError(ValueError):
    """A questions file that can't be used; the text says where, why and what is allowed."""


@dataclass(frozen=True)
class QuestionsFile:
    """What a questions file says.

    Attributes:
        columns: Its questions by column, in its order; no questions for columns that it leaves out.
        extends_default: Whether the packaged questions come after its own.
    """

    columns: dict[str, tuple[str, ...]]
    extends_default: bool


def normalise(question: str) -> str:
    """Give what counts of a question: its letters, digits and marks, case folded."""
    text = question
    # Folding can undo what NFKC did, and the other way round: until nothing changes.
    while (folded := unicodedata.normalize("NFKC", text).casefold()) != text:
        text = folded
    return "".join(
        letter for letter in text if letter.isalnum() or unicodedata.category(letter)[0] == "M"
    )


def read_questions_file(path: Path) -> QuestionsFile:
    """Read and check a questions file.

    Raises:
        QuestionsFileError: The file can't be read, or doesn't say what it must.
    """
    text = _text_of(path)
    root, top = _document_of(path, text)
    if not isinstance(root, yaml.MappingNode) or not isinstance(top, dict):
        raise QuestionsFileError(
            f"{path}: the file must be a mapping with `{_COLUMNS}` and, if wanted, "
            f"`{_EXTENDS}: {_DEFAULT}`."
        )
    members = cast("dict[Any, Any]", top)
    for key, place in _keys(path, root):
        if key not in {_EXTENDS, _COLUMNS}:
            raise QuestionsFileError(
                f"{place}: `{key}` is not known at the top level; allowed are `{_COLUMNS}` and "
                f"`{_EXTENDS}`."
            )
    if members.get(_EXTENDS, _DEFAULT) != _DEFAULT:
        raise QuestionsFileError(
            f"{path}: `{_EXTENDS}` can only be `{_DEFAULT}`, for the packaged questions."
        )
    extends = _EXTENDS in members
    node = next((value for key, value in root.value if key.value == _COLUMNS), None)
    if node is None and extends:
        return QuestionsFile(dict.fromkeys(COLUMNS, ()), extends_default=True)
    if not isinstance(node, yaml.MappingNode):
        raise QuestionsFileError(
            f"{path}: `{_COLUMNS}` must be a mapping from columns of the start list to questions."
        )
    columns = _columns_of(path, node, cast("dict[Any, Any]", members[_COLUMNS]))
    return QuestionsFile(columns, extends)


def _columns_of(
    path: Path, node: yaml.MappingNode, questions: dict[Any, Any]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = dict.fromkeys(COLUMNS, ())
    owners: dict[str, str] = {}
    for column, place in _keys(path, node):
        if column not in found:
            raise QuestionsFileError(
                f"{place}: `{column}` is no column that answers can fill; allowed are "
                f"{', '.join(COLUMNS)}."
            )
        found[column] = _questions_of(column, questions[column], place)
        for question in found[column]:
            owner = owners.setdefault(normalise(question), column)
            if owner != column:
                raise QuestionsFileError(
                    f"{place}: the question {question!r} stands under both `{owner}` and "
                    f"`{column}`; one answer can fill only one column."
                )
    return found


def _questions_of(column: str, questions: Any, place: str) -> tuple[str, ...]:
    listed = cast("list[Any]", questions) if isinstance(questions, list) else [questions]
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
    return tuple(listed)


def _keys(path: Path, node: yaml.MappingNode) -> Iterator[tuple[str, str]]:
    """Give a mapping's keys as they are written, each with where it stands."""
    seen: set[str] = set()
    for key, _ in node.value:
        place = f"{path}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise QuestionsFileError(f"{place}: a key must be a plain text.")
        if key.value in seen:
            # YAML's readers let the last one win without a word.
            raise QuestionsFileError(f"{place}: `{key.value}` stands there twice.")
        seen.add(key.value)
        yield key.value, place


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise QuestionsFileError(
            f"{path}: the questions file can't be read ({error.strerror})."
        ) from error
    except UnicodeDecodeError as error:
        raise QuestionsFileError(f"{path}: the questions file must be UTF-8 text.") from error


def _document_of(path: Path, text: str) -> tuple[yaml.Node | None, Any]:
    """Read a document: as nodes, which know their lines, and as values."""
    try:
        return _read(text, _FAST_LOADER)
    except (yaml.YAMLError, ValueError):
        pass  # said below, as libyaml often sees the mistake some lines late
    try:
        return _read(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = str(path) if mark is None else f"{path}, line {mark.line + 1}"
        raise QuestionsFileError(f"{place}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise QuestionsFileError(f"{path}: not valid YAML.") from error


def _read(text: str, loader: type[yaml.SafeLoader]) -> tuple[yaml.Node | None, Any]:
    # Twice, as values that are made of nodes change these.
    return yaml.compose(text, Loader=loader), yaml.load(text, Loader=loader)  # noqa: S506 - is safe
