"""Reading an answer's envelope: records are cut out of its bytes, never parsed whole.

What belongs here: the forms that `data` and `page` can take. What doesn't: anything inside a
record but its id and its last change, which the walk counts by.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from ldt_pipeline.api.errors import NotFoundError, ResponseFormatError, ResponseTooLargeError
from ldt_pipeline.api.limits import NESTING_MOST, RECORD_BYTES_MOST
from ldt_pipeline.instants import parse_instant


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page. `total` and `next_cursor` are None where the API does not say."""

    records: list[bytes]
    total: int | None
    next_cursor: str | None
    server_time: dt.datetime | None


class _PageInfo(msgspec.Struct, rename="camel"):
    total_results: int | float | str | None = None
    next: str | int | float | bool | None = None


class _PageEnvelope(msgspec.Struct):
    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    page: _PageInfo | None = None
    error: Any = None
    errors: Any = None

    @property
    def is_empty_list(self) -> bool:
        """Whether `data` is null, as some servers write an empty list, and nothing went wrong."""
        return self.data is None and not self.error and not self.errors


class _Key(msgspec.Struct, rename="camel"):
    id: Any = None
    updated_at: Any = None


class _Written(msgspec.Struct):
    id: msgspec.Raw


class _Made(msgspec.Struct, rename="camel"):
    created_at: Any = None


_T = TypeVar("_T")
_PAGE = msgspec.json.Decoder(_PageEnvelope)
_KEY = msgspec.json.Decoder(_Key)
_WRITTEN = msgspec.json.Decoder(_Written)
_MADE = msgspec.json.Decoder(_Made)
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_COUNTED_FROM = 16 * 1024 if sys.version_info < (3, 12) else 0
"""Bytes from which on a record's brackets are counted: for usual ones that would cost more than all
else that is done with a page. Up to Python 3.11 msgspec ends at 1,000 levels by itself, and what lies
less deep in a small record does no harm: `tidy/` notes it as drift."""

_WHOLE_MOST = 10**18
"""From here on a number with a point is written as it came: an id isn't worked out of `1e99`."""

_NOTHING = frozenset({b"null", b"{}", *(b'{"data":%s}' % each for each in (b"null", b"{}", b"[]"))})
"""An answer where there is no such record, without blanks."""

_BOM = b"\xef\xbb\xbf"

_ENVELOPE_OF_ONE = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_page(
    body: bytes, *, where: str, server_time: dt.datetime | None, is_paged: bool = True
) -> Page:
    """Read a page of a list.

    One without records may have null for `data`, or no `data`. Then it has to have a `page`, as an
    error that comes with status 200 has none: what the page says is proved by counting.

    Raises:
        ResponseFormatError: It is not one.
        ResponseTooLargeError: One of its records is beyond the limits.
    """
    try:
        envelope, body = _decode(_PAGE, body)
    except RecursionError:
        raise _too_deep(where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _format_error(where, body, error) from None
    has_data = isinstance(envelope.data, list) or (envelope.is_empty_list and not is_paged)
    if not has_data and envelope.page is None:
        raise _format_error(where, body, "neither `data` nor `page` is there")
    info = envelope.page or _PageInfo()
    return Page(
        records=_records(body, envelope.data, where) if isinstance(envelope.data, list) else [],
        total=_whole_number(info.total_results),
        next_cursor=_cursor(info.next),
        server_time=server_time,
    )


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes) -> tuple[_T, bytes]:
    """Read an answer; give it, and its bytes as they could be read.

    JavaScript writes a text that was cut inside an emoji with half a surrogate pair. That is JSON, but no
    text, and nothing here could read it: U+FFFD takes the place of the half, or one such name would keep
    every other record of the account from being read.
    """
    body = body.removeprefix(_BOM)
    try:
        return decoder.decode(body), body
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = _ESCAPES.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)
        if whole == body:
            raise
        return decoder.decode(whole), whole


def _records(body: bytes, data: list[msgspec.Raw], where: str) -> list[bytes]:
    records = list(map(bytes, data))
    if b"\n" in body or b"\r" in body:
        records = list(map(one_line, records))
    # A million records pass here: what one look at all of them shows isn't asked of each.
    if max(map(len, records), default=0) > _COUNTED_FROM:
        records = [_within_limits(record, where) for record in records]
    return records


def parse_list(body: bytes, *, where: str) -> list[bytes]:
    """Read a list that is not paged. Null for `data` is an empty one, but beside an error.

    Raises:
        ResponseFormatError: It is not one, or it says itself that it is not whole.
    """
    page = parse_page(body, where=where, server_time=None, is_paged=False)
    if page.total is not None and page.total != len(page.records):
        raise ResponseFormatError(
            f"GET {where} gave {len(page.records)} records and says that there are "
            f"{page.total}: a list that should be whole is not."
        )
    if page.total is None and page.next_cursor is not None:
        raise ResponseFormatError(
            f"GET {where} gave {len(page.records)} records and says that it goes on: a list that "
            "should be whole is not."
        )
    return page.records


def parse_record(body: bytes, *, where: str) -> bytes:
    """Read one record, plain or wrapped into `data`.

    Raises:
        ResponseFormatError: It is not a JSON object.
        ResponseTooLargeError: It is beyond the limits.
    """
    try:
        members, body = _decode(_ENVELOPE_OF_ONE, body)
        if "id" not in members and "data" in members:
            _ENVELOPE_OF_ONE.decode(members["data"])
            return _within_limits(one_line(bytes(members["data"])), where)
        return _within_limits(one_line(body), where)
    except RecursionError:
        raise _too_deep(where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _format_error(where, body, error) from None


def parse_found(body: bytes, *, where: str) -> bytes:
    """Read the record that was asked for by its id.

    Raises:
        NotFoundError: The answer is empty, which is how some servers say that there is none.
        ApiError: See `parse_record`.
    """
    if body.removeprefix(_BOM).translate(None, b" \t\r\n") in _NOTHING:
        raise NotFoundError(f"The API has nothing at GET {where} (an empty answer).")
    return parse_record(body, where=where)


def record_key(record: bytes) -> tuple[str | None, dt.datetime | None]:
    """Give a record's id as text, and its last change; each None where it can't be read.

    A record that can't be read gives (None, None): it is kept all the same, and rejected later. The id is
    the one that `tidy/` gives it: what it holds under another one would be missing in every list.
    """
    try:
        key = _KEY.decode(record)
        record_id, updated_at = key.id, parse_instant(key.updated_at)
    except (msgspec.DecodeError, UnicodeDecodeError):
        record_id, updated_at = _id_alone(record), None
    if type(record_id) is not str:
        record_id = _id_text(record, record_id)
    elif "\0" in record_id:
        record_id = record_id.replace("\0", "")
    return (None if not record_id or record_id.isspace() else record_id), updated_at


def _id_alone(record: bytes) -> Any:
    """Give the id of a record that can't be read so, but by `tidy/`: a number in it is too large."""
    try:
        written = _WRITTEN.decode(record).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return math.inf


def _id_text(record: bytes, record_id: Any) -> str | None:
    """Give an id that is no text as one: a whole number without a point, any other as it was written."""
    if isinstance(record_id, bool):
        return "true" if record_id else "false"
    if isinstance(record_id, int):
        return str(record_id)
    if not isinstance(record_id, float):
        return None
    written = str(_WRITTEN.decode(record).id, "utf-8")
    try:
        number = Decimal(written)
    except InvalidOperation:
        return None
    is_whole = abs(number) < _WHOLE_MOST and number == number.to_integral_value()
    return str(int(number)) if is_whole else written


def created_at(record: bytes) -> dt.datetime | None:
    """Give when a record was made; None where it can't be read."""
    try:
        return parse_instant(_MADE.decode(record).created_at)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def one_line(record: bytes) -> bytes:
    """Give the record without line breaks, which JSON allows between tokens only."""
    if b"\n" in record or b"\r" in record:
        record = record.replace(b"\r", b" ").replace(b"\n", b" ")
    return record.strip()


def _within_limits(record: bytes, where: str) -> bytes:
    if len(record) > RECORD_BYTES_MOST:
        raise ResponseTooLargeError(
            f"GET {where} gave a record of {len(record) / 1024**2:.0f} MB, where "
            f"{RECORD_BYTES_MOST // 1024**2} MB are the most that is taken: nothing of that answer "
            "was stored. Tell your contact at Let's Do This."
        )
    if len(record) > _COUNTED_FROM and _may_be_deep(record) and _depth(record) > NESTING_MOST:
        raise _too_deep(where)
    return record


def _may_be_deep(record: bytes) -> bool:
    return record.count(b"[") + record.count(b"{") > NESTING_MOST


def _depth(record: bytes) -> int:
    depth = deepest = 0
    for mark in _BRACKETS.findall(_STRINGS.sub(b"", record)):
        depth += 1 if mark in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _too_deep(where: str) -> ResponseTooLargeError:
    return ResponseTooLargeError(
        f"GET {where} gave a record whose values lie more than {NESTING_MOST} levels deep in one "
        "another: nothing of that answer was stored. Tell your contact at Let's Do This."
    )


def _whole_number(value: float | str | None) -> int | None:
    try:
        number = int(value) if value is not None else None
    except (ValueError, OverflowError):
        return None
    return number if number is None or number >= 0 else None


def _cursor(value: str | float | None) -> str | None:
    # False says that there is no next page; 0 may be a cursor.
    return None if isinstance(value, bool) or value in (None, "") else str(value)


def _format_error(where: str, body: bytes, error: Exception | str) -> ResponseFormatError:
    kind = "HTML" if body.lstrip()[:1] == b"<" else "something that is not the JSON expected"
    # msgspec's text names a position or a type, never a value.
    return ResponseFormatError(
        f"GET {where} gave {kind} ({len(body)} bytes; {error}). Check LDT_API_BASE_URL; a proxy "
        "may have answered instead of the API."
    )
