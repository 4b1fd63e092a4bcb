"""Answers that are objects: an option's name, a day, or several parts such as a contact's name and number.

What belongs here: telling these apart, and what of the parts a start list's columns get. What doesn't:
reading any JSON value as text (`coerce.py`), and which answer fills which column (`questions.py`).

An object of several parts is kept as JSON text, in which nothing is lost; the start list's columns are
for people and timing software, who want one part of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final, cast

import polars as pl

from ldt_pipeline.tidy.json_values import safe_text
from ldt_pipeline.tidy.questions_file import COLUMNS, normalise

_NAMING_KEYS: Final = ("label", "name", "title", "text", "value", "answer", "values", "date")
_TYPED_KEYS: Final = ("text", "answer")
"""Beside a label they may hold what somebody typed, as with the option "Other"."""

_OPTION_KEYS: Final = frozenset(
    {
        *("id", "key", "code", "slug", "type", "order", "position", "default", "isDefault"),
        *("label", "name", "title", "value", "description"),
    }
)
"""Keys of an option that say nothing more of the answer than its name does, unless they hold lists or
objects: of "Male" that it is the second one, with the value "M"."""

_CHOSEN_KEYS: Final = frozenset({"selected", "checked"})
"""Such a key says something where it is false: the option was not chosen."""

_DAY_KEYS: Final = frozenset({"day", "month", "year"})

_NAME: Final = "emergency_contact_name"
_PHONE: Final = "emergency_contact_phone"
_CONTACT_NAME_KEYS: Final = ("name", "fullname", "label", "value", "text")
_CONTACT_PHONE_KEYS: Final = (
    *("phone", "phonenumber", "mobile", "mobilenumber", "mobilephone", "telephone"),
    *("telephonenumber", "tel", "cell", "cellphone", "number"),
)
_CONTACT_PREFIXES: Final = ("emergencycontact", "contact")

_FIRST_NAME_KEYS: Final = ("firstname", "givenname", "forename")
_LAST_NAME_KEYS: Final = ("lastname", "familyname", "surname")

ReadText = Callable[[Any], Any]
"""Gives a JSON value as text, or something else where it has none."""


def naming_value(members: dict[str, Any]) -> Any:
    """Give what an option is called, where it is one; None where the object says more, or other things."""
    named = _naming_key(members)
    if named is None:
        return None
    value = members[named]
    says_more = any(
        not says_nothing(other) and _says_more(key, other, value)
        for key, other in members.items()
        if key != named
    )
    return None if says_more else value


def says_nothing(value: Any) -> bool:
    """Say whether a value is null, blank or empty."""
    return value in (None, [], {}) or (isinstance(value, str) and not value.strip())


def day_of(members: dict[str, Any]) -> str | None:
    """Give the day that an object of a day, a month and a year tells, in numbers, as an ISO date."""
    if members.keys() != _DAY_KEYS:
        return None
    try:
        day = date(*(int(str(members[key])) for key in ("year", "month", "day")))
    except (ValueError, OverflowError):
        return None
    return day.isoformat()


def answers_for_people(frame: pl.DataFrame, read: ReadText) -> pl.DataFrame:
    """Put in the place of answers of several parts what a start list shows of them.

    Of an emergency contact the name and the number go to their columns, unless these have an answer of
    their own; of others what names them. What has no such part stays as it is.

    Args:
        frame: `COLUMNS` as text, and others.
        read: Gives a part as text.
    """
    of_parts = pl.any_horizontal(pl.col(name).str.contains('{"', literal=True) for name in COLUMNS)
    numbered = frame.with_row_index("row")
    some = numbered.filter(of_parts)
    if some.is_empty():
        return frame
    rows = [_for_people(row, read) for row in some.to_dicts()]
    changed = pl.DataFrame(rows, schema=some.schema)
    return numbered.update(changed, on="row", include_nulls=True).drop("row")


def _for_people(row: dict[str, Any], read: ReadText) -> dict[str, Any]:
    shown = dict(row)
    for column in COLUMNS:
        parts = _parts(row[column])
        if parts is None:
            continue
        if column not in {_NAME, _PHONE}:
            texts = [_shown(part, read) for part in parts]
            if all(isinstance(text, str) for text in texts):
                shown[column] = "; ".join(texts)
            continue
        found = {
            _NAME: _joined(_contact_name(part, read) for part in parts),
            _PHONE: _joined(_contact_phone(part, read) for part in parts),
        }
        other = _PHONE if column == _NAME else _NAME
        if any(found.values()):
            shown[column] = found[column]
            shown[other] = row[other] or shown[other] or found[other]
    # Escapes in what somebody typed, which is no JSON of ours, may stand for what databases refuse.
    return shown | {name: safe_text(shown[name] or "").strip() or None for name in COLUMNS}


def _parts(text: str | None) -> list[Any] | None:
    """Take an answer apart, as it was put together: objects as JSON, joined by "; "; None if it wasn't."""
    if text is None or '{"' not in text:
        return None
    parts: list[Any] = []
    rest = text
    while rest:
        if rest.startswith('{"'):
            try:
                part, end = json.JSONDecoder().raw_decode(rest)
            except (ValueError, RecursionError):
                return None
            rest = rest[end:]
            if rest and not rest.startswith("; "):
                return None
            rest = rest.removeprefix("; ")
        else:
            part, _, rest = rest.partition("; ")
        parts.append(part)
    return parts if any(isinstance(part, dict) for part in parts) else None


def _shown(part: Any, read: ReadText) -> Any:
    if not isinstance(part, dict):
        return part
    members = cast("dict[str, Any]", part)
    person = _names(_by_plain_key(members), read)
    named = _naming_key(members)
    if person or named is None:
        return person
    typed = [members[key] for key in _TYPED_KEYS if key != named and key in members]
    texts = [read(each) for each in (members[named], *typed) if not says_nothing(each)]
    return ", ".join(texts) if all(isinstance(text, str) for text in texts) else None


def _contact_name(part: Any, read: ReadText) -> Any:
    if not isinstance(part, dict):
        return part
    members = _by_plain_key(cast("dict[str, Any]", part))
    found = _first(members, _CONTACT_NAME_KEYS)
    if found is None:
        return _names(members, read)
    if not isinstance(found, dict):
        return read(found)
    members = _by_plain_key(cast("dict[str, Any]", found))
    return _names(members, read) or read(_first(members, _CONTACT_NAME_KEYS))


def _names(members: dict[str, Any], read: ReadText) -> str | None:
    """Give a person's names as one."""
    both = (read(_first(members, keys)) for keys in (_FIRST_NAME_KEYS, _LAST_NAME_KEYS))
    return " ".join(text.strip() for text in both if isinstance(text, str)) or None


def _contact_phone(part: Any, read: ReadText) -> Any:
    if not isinstance(part, dict):
        return None
    members = _by_plain_key(cast("dict[str, Any]", part))
    return read(_first(members, _CONTACT_PHONE_KEYS))


def _first(members: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((members[key] for key in keys if key in members), None)


def _by_plain_key(members: dict[str, Any]) -> dict[str, Any]:
    """Give members that say something by what counts of their keys: `contactName` is the name."""
    plain: dict[str, Any] = {}
    for key, value in members.items():
        name = normalise(key)
        for prefix in _CONTACT_PREFIXES:
            name = name.removeprefix(prefix) or name
        if not says_nothing(value):
            plain.setdefault(name, value)
    return plain


def _joined(texts: Iterable[Any]) -> str | None:
    return "; ".join(text for text in texts if isinstance(text, str) and text.strip()) or None


def _naming_key(members: dict[str, Any]) -> str | None:
    return next((key for key in _NAMING_KEYS if not says_nothing(members.get(key))), None)


def _says_more(key: str, other: Any, named: Any) -> bool:
    if isinstance(other, list | dict):
        return True
    if key in _CHOSEN_KEYS:
        return other is not True
    if key in _TYPED_KEYS:
        return str(other).strip().casefold() != str(named).strip().casefold()
    return key not in _OPTION_KEYS
