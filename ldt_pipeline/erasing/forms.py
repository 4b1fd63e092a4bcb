"""What stays of an entry's record when the person's data has to go.

What belongs here: the three forms, made from a record's bytes. What doesn't: whose records they are
for (`book.py`), and how often a record has to be looked at.

- A **stub** is what stays of somebody who was erased: ids, the race and its start, when the entry
  was created, and that it is redacted. It has no `updatedAt` on purpose: a version without one
  is the oldest, so a stub in the place of an earlier version never wins over what the API shows of
  a person whom it has redacted itself, whichever was changed last.
- A **redacted** record is one that the API calls `gdprRedacted`, without anything that could be
  personal, should the API have left it in.
- A **kept** record is an entry whose race lies longer ago than personal data is kept. What
  statistics need stays: race, ticket, price, wave, status, instants.

Each takes from a list of what may stay, so that a key which nobody knew of goes too; and making a
form of a form gives the same bytes, so that whoever compares bytes finds nothing to do.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec

from ldt_pipeline.api.answers import record_key
from ldt_pipeline.instants import parse_instant
from ldt_pipeline.tidy.coerce import as_flag

STUB_KEYS = (
    *("id", "applicationId", "eventId", "eventOccurrenceId", "raceId", "raceStartDate"),
    *("ticketId", "createdAt", "reservedEntryGroupCode"),
)
"""What tells neither who it was nor which starter: the group's code is shared by all of its entries,
and without it a charity would have more claimed places than entries."""

KEPT_KEYS = (
    *STUB_KEYS,
    *("eventName", "raceName", "ticketTitle", "updatedAt", "approvalStatus"),
    *("applicationResolutionType", "ballotDraw", "bookerType", "incrementalStatus", "sportId"),
    *("distanceId", "disciplineLabel", "competitorSize", "reservedEntryGroupName"),
    *("reservedEntryPartnerName", "gdprRedacted"),
)

REDACTED_KEYS = (*KEPT_KEYS, "bibNumber")
"""A bib leads to a name through published results. The API may still show it of somebody who is
yet to start, and must not be given to a second person."""

NESTED_KEYS: Mapping[str, tuple[str, ...]] = {
    "waves": (
        *("id", "waveId", "name", "title", "label"),
        *("startsAt", "startTime", "startDate", "startDateTime", "start"),
    ),
    "distances": (
        *("id", "distanceId", "label", "name", "title", "value", "distance", "length", "amount"),
        *("unit", "units"),
    ),
    "originalTicketPrice": ("amount", "value", "currency", "currencyCode"),
    "statusDetails": (
        *("status", "type", "code"),
        *("at", "date", "timestamp", "updatedAt", "createdAt", "changedAt", "time"),
    ),
    "reservedEntryPartnerExternalIds": ("enthuse", "justGiving", "justgiving", "londonMarathon"),
}
"""Of nested objects, what may stay in them; a status loses its reason, which is free text."""

_BARE = frozenset({"waves", "distances"})
"""Lists that may hold names alone, in the place of objects."""

_INNER: Mapping[str, str] = {"waves": "wave"}
"""The key under which such an object may hold the thing itself, as an object or its name."""

_REDACTED_KEY = b'"gdprRedacted"'
_MAY_BE_REDACTED = re.compile(rb'"gdprRedacted"\s*:\s*[^\sfn]')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_ID_OF_UNREADABLE = r'"id"\s*:\s*(?:"{0}"|{0}\b)'


class _Head(msgspec.Struct, gc=False):
    id: Any = None
    starts: Any = msgspec.field(name="raceStartDate", default=None)


_HEAD = msgspec.json.Decoder(_Head)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def identity_of(body: bytes) -> str | None:
    """Give a record's id as the tables have it; None where there is none or it can't be read."""
    return record_key(body)[0]


def is_readable(body: bytes) -> bool:
    """Whether a record is a JSON object."""
    try:
        _HEAD.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def names_id(body: bytes, record_id: str) -> bool:
    """Whether a record that can't be read says that it has this id."""
    pattern = _ID_OF_UNREADABLE.format(re.escape(record_id))
    return re.search(pattern, body.decode("utf-8", "replace")) is not None


def is_redacted(body: bytes) -> bool:
    """Whether the API says that the person asked to be forgotten."""
    # A search for bytes is twenty times as fast as the expression: a first load asks a million times.
    start = body.find(_REDACTED_KEY)
    while start >= 0 and _MAY_BE_REDACTED.match(body, start) is None:
        start = body.find(_REDACTED_KEY, start + 1)
    # JSON may write any letter as an escape, those of a key too.
    if start < 0 and _ESCAPED_LETTER.search(body) is None:
        return False
    record = _decode(body)
    return record is not None and as_flag(record.get("gdprRedacted")) is True


def race_starts_before(body: bytes, moment: dt.datetime) -> bool:
    """Whether an entry's race started before an instant; False where the start isn't known."""
    try:
        starts_at = parse_instant(_HEAD.decode(body).starts)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return starts_at is not None and starts_at < moment


def stub(body: bytes, record_id: str, *, is_redacted: bool = True) -> bytes:
    """Give what stays of somebody who was erased.

    Of a record that the API deleted long ago the stub isn't redacted: should the API have it again,
    what it shows then is newer, and wins.
    """
    form = _scalars(_decode(body) or {"id": record_id}, STUB_KEYS)
    if is_redacted:
        form["gdprRedacted"] = True
    return msgspec.json.encode(form)


def redacted(body: bytes) -> bytes:
    """Give what stays of a record that the API calls redacted."""
    record = _decode(body) or {}
    form = {**_scalars(record, REDACTED_KEYS), **_nested(record)}
    return msgspec.json.encode({**form, "gdprRedacted": True})


def kept(body: bytes) -> bytes:
    """Give what stays of an entry whose race lies long ago."""
    record = _decode(body)
    if record is None:
        return body
    return msgspec.json.encode({**_scalars(record, KEPT_KEYS), **_nested(record)})


def personal_texts(body: bytes, form: bytes) -> set[str]:
    """Give the texts of a record that its form lacks: what other copies are searched for."""
    return _texts(_decode(body)) - _texts(_decode(form))


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        record = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_members(body)
    return cast("dict[str, Any]", record) if isinstance(record, dict) else None


def _decode_members(body: bytes) -> dict[str, Any] | None:
    """Give what can be read of a record of which not everything can.

    One number beyond all measure, or one text that isn't UTF-8, must not keep a person's data here.
    """
    try:
        members = _MEMBERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    record: dict[str, Any] = {}
    for key, value in members.items():
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            record[key] = msgspec.json.decode(value)
    return record


def _scalars(record: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: record[key] for key in keys if key in record and _is_scalar(record[key])}


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _nested(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, keys in NESTED_KEYS.items():
        value = record.get(name)
        if isinstance(value, list):
            items = [_item(each, name, keys) for each in cast("list[Any]", value)]
            found[name] = [each for each in items if each is not None]
        elif value is not None and (item := _item(value, name, keys)) is not None:
            found[name] = item
    return found


def _item(value: Any, name: str, keys: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        inner = members.get(_INNER.get(name, ""))
        form = _scalars(members, keys)
        if inner is not None and (item := _item(inner, name, keys)) is not None:
            form[_INNER[name]] = item
        return form
    return value if name in _BARE and isinstance(value, str) else None


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    items: list[Any] = []
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        items = [*members.values(), *_full_names(members)]
    elif isinstance(value, list):
        items = cast("list[Any]", value)
    return {text for each in items for text in _texts(each)}


def _full_names(members: Mapping[str, Any]) -> list[str]:
    """Give a person's names as one text, which is how tables and exports have them."""
    given = [members.get(key) for key in ("firstName", "givenName")]
    family = [members.get(key) for key in ("lastName", "familyName", "surname")]
    return [
        f"{first.strip()} {last.strip()}"
        for first in given
        for last in family
        if isinstance(first, str) and isinstance(last, str)
    ]
