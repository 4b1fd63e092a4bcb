"""Reading an answer's envelope: records are cut out of its bytes, never parsed whole.

What belongs here: the forms that `data` and `page` can take. What doesn't: anything inside a
record but its id and its last change, which the walk counts by.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec

from ldt_pipeline.api.errors import ResponseFormatError
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
    next: str | int | float | None = None


class _PageEnvelope(msgspec.Struct):
    data: list[msgspec.Raw]
    page: _PageInfo | None = None


class _ListEnvelope(msgspec.Struct):
    data: list[msgspec.Raw]


class _Key(msgspec.Struct, rename="camel"):
    id: Any = None
    updated_at: Any = None


_PAGE = msgspec.json.Decoder(_PageEnvelope)
_LIST = msgspec.json.Decoder(_ListEnvelope)
_RAW = msgspec.json.Decoder(msgspec.Raw)
_KEY = msgspec.json.Decoder(_Key)
_ENVELOPE_OF_ONE = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_page(body: bytes, *, where: str, server_time: dt.datetime | None) -> Page:
    """Read a page of a list.

    Raises:
        ResponseFormatError: It is not one.
    """
    try:
        envelope = _PAGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _format_error(where, body, error) from None
    info = envelope.page or _PageInfo()
    return Page(
        records=[one_line(bytes(record)) for record in envelope.data],
        total=_whole_number(info.total_results),
        next_cursor=_cursor(info.next),
        server_time=server_time,
    )


def parse_list(body: bytes, *, where: str, server_time: dt.datetime | None) -> list[bytes]:
    """Read a list that is not paged.

    Raises:
        ResponseFormatError: It is not one, or it says itself that it is not whole.
    """
    page = parse_page(body, where=where, server_time=server_time)
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


def parse_record(body: bytes, *, where: str, server_time: dt.datetime | None) -> bytes:  # noqa: ARG001
    """Read one record, plain or wrapped into `data`.

    Raises:
        ResponseFormatError: It is not a JSON object.
    """
    try:
        members = _ENVELOPE_OF_ONE.decode(body)
        if "id" not in members and "data" in members:
            _ENVELOPE_OF_ONE.decode(members["data"])
            return one_line(bytes(members["data"]))
        return one_line(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _format_error(where, body, error) from None


def record_key(record: bytes) -> tuple[str | None, dt.datetime | None]:
    """Give a record's id as text, and its last change; each None where it can't be read.

    A record that can't be read gives (None, None): it is kept all the same, and rejected later.
    """
    try:
        key = _KEY.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    record_id = key.id
    if isinstance(record_id, bool) or not isinstance(record_id, str | int):
        record_id = None
    return (str(record_id) if record_id not in (None, "") else None), parse_instant(key.updated_at)


def one_line(record: bytes) -> bytes:
    """Give the record without line breaks, which JSON allows between tokens only."""
    if b"\n" in record or b"\r" in record:
        record = record.replace(b"\r", b" ").replace(b"\n", b" ")
    return record.strip()


def _whole_number(value: float | str | None) -> int | None:
    try:
        number = int(value) if value is not None else None
    except (ValueError, OverflowError):
        return None
    return number if number is None or number >= 0 else None


def _cursor(value: str | float | None) -> str | None:
    return str(value) if value not in (None, "") else None


def _format_error(where: str, body: bytes, error: Exception) -> ResponseFormatError:
    kind = "HTML" if body.lstrip()[:1] == b"<" else "something that is not the JSON expected"
    # msgspec's text names a position or a type, never a value.
    return ResponseFormatError(
        f"GET {where} gave {kind} ({len(body)} bytes; {error}). Check LDT_API_BASE_URL; a proxy "
        "may have answered instead of the API."
    )
