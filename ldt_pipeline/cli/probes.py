"""Asking the API a little, to see that it is there and that the key is good.

What belongs here: one small request for each list, and what its outcome means. What doesn't:
reading anything for keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ldt_pipeline.api import catalogue
from ldt_pipeline.api.catalogue import Answer, Operation
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    NotFoundError,
)
from ldt_pipeline.api.paging import ListRequest, first_page
from ldt_pipeline.cli.lines import Line
from ldt_pipeline.cli.text import counted
from ldt_pipeline.settings import Settings

_RETRIES = 2  # somebody is waiting
_READ_SECONDS = 30

_ACCOUNT_LISTS = (
    catalogue.LIST_PARTICIPANTS,
    catalogue.LIST_APPLICATIONS,
    catalogue.LIST_PARTNERS,
)
_LISTS_OF_ONE = (
    (catalogue.LIST_RACE_PARTICIPANTS, "race"),
    (catalogue.LIST_EVENT_APPLICATIONS, "event"),
    (catalogue.LIST_EVENT_RESERVED_ENTRIES, "event"),
    (catalogue.LIST_EVENT_TICKETS, "event"),
)


@dataclass(kw_only=True)
class _Known:
    """An event and a race to ask about, as soon as one is known."""

    ids: dict[str, str] = field(default_factory=dict[str, str])

    def note(self, record: bytes) -> None:
        try:
            values = msgspec.json.decode(record, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        for noun in ("event", "race"):
            value = values.get(f"{noun}Id")
            if isinstance(value, str | int) and str(value):
                self.ids.setdefault(noun, str(value))


def probe(settings: Settings, api_key: str) -> Iterator[Line]:
    """Ask each list for one record, and say what came of it; ends where no other can fare better."""
    known, is_answered = _Known(), False
    if settings.event_ids:
        known.ids["event"] = settings.event_ids[0]
    with Client(
        base_url=settings.api_base_url,
        api_key=api_key,
        max_in_flight=1,
        retries=_RETRIES,
        read_seconds=_READ_SECONDS,
    ) as client:
        for operation in _ACCOUNT_LISTS:
            try:
                yield Line("✓", _subject(operation), _ask_list(client, operation, None, known))
                is_answered = True
            except ApiError as error:
                yield Line("✗", _subject(operation), str(error))
                # A key that was good for one list may lack the right to this one alone.
                is_refused = isinstance(error, AuthenticationError) and not is_answered
                if is_refused or isinstance(error, ConnectionFailedError):
                    return
        for operation, noun in _LISTS_OF_ONE:
            if noun not in known.ids:
                yield Line("·", _subject(operation), f"not asked, as no {noun} is known yet")
                continue
            yield _ask_about(client, operation, known.ids[noun], known)


def _ask_about(client: Client, operation: Operation, record_id: str, known: _Known) -> Line:
    try:
        return Line("✓", _subject(operation), _ask_list(client, operation, record_id, known))
    except NotFoundError as error:
        return Line(
            "✗",
            _subject(operation),
            f"{error} The path is inferred from the reference: if it is another one, correct it in "
            "ldt_pipeline/api/catalogue.py.",
        )
    except ApiError as error:
        return Line("✗", _subject(operation), str(error))


def _ask_list(client: Client, operation: Operation, record_id: str | None, known: _Known) -> str:
    """Ask a list for one record; gives what was found, in words."""
    if operation.answer is Answer.LIST:
        records = client.get_list(operation, record_id=record_id or "")
        return counted(len(records), "record")
    request = ListRequest(
        operation=operation, record_id=record_id, parameters={"sort[updatedAt]": "-1"}
    )
    page = first_page(client, request, size=1)
    record = page.records[0] if page.records else None
    if record is not None and operation is not catalogue.LIST_PARTNERS:
        known.note(record.body)
    changed_at = record.updated_at if record else None
    ending = f", last changed {changed_at:%Y-%m-%d %H:%M} UTC" if changed_at else ""
    count = "no total is given" if page.total is None else counted(page.total, "record")
    if len(page.records) > 1:
        ending += f"; page[size]=1 gave {counted(len(page.records), 'record')}"
    return f"{count}{ending}"


def _subject(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"
