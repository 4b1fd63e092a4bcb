"""Answering operations: from a path and a query to the bytes of a JSON body, without any HTTP.

What belongs here: which records an operation gives, in which order and envelope. What doesn't:
connections, headers and keys (`server`), and what goes wrong on purpose (`faults`), save for the
knobs that a fault turns here: rows that are skipped, totals that are wrong or missing, and a
cursor that leads back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec

from ldt_pipeline.sandbox.account import SandboxAccount
from ldt_pipeline.sandbox.cursors import (
    CursorStyle,
    ListEnd,
    opaque_cursor,
    page_object,
    read_opaque_cursor,
)
from ldt_pipeline.sandbox.identifiers import RecordIds
from ldt_pipeline.sandbox.index import Table
from ldt_pipeline.sandbox.operations import Operation
from ldt_pipeline.sandbox.problems import BadParameter, NotFound
from ldt_pipeline.sandbox.selection import Order, PageRequest, Position, Selection
from ldt_pipeline.sandbox.validation import Query


@dataclass(frozen=True, slots=True)
class Style:
    """Readings of the reference that it leaves open.

    Attributes:
        cursors: Whether a cursor is opaque or a record's id.
        list_end: What `next` is on the last page.
        inclusive_bounds: Whether a window holds the instants that bound it.
        most_per_page: The most records on a page, whatever a caller asks for.
    """

    cursors: CursorStyle = "opaque"
    list_end: ListEnd = "null"
    inclusive_bounds: bool = False
    most_per_page: int | None = None


@dataclass(frozen=True, slots=True)
class Distortion:
    """How a list is to be wrong: the default is not at all."""

    skip: int = 0
    added_to_total: int = 0
    without_total: bool = False
    loops: bool = False


_NO_DISTORTION = Distortion()

Thing = TypeVar("Thing")


class _Kind(NamedTuple):
    """How records of one table are rendered and named."""

    render: Callable[[Sequence[Any], bool], bytes]
    name: Callable[[int], str]
    number: Callable[[str], int | None]


class Answers:
    """Answers the operations on one account."""

    def __init__(self, account: SandboxAccount, style: Style) -> None:
        self._account = account
        self._style = style

    def answer(
        self,
        operation: Operation,
        identifier: str,
        query: Query,
        distortion: Distortion = _NO_DISTORTION,
    ) -> bytes:
        """The body that answers a request.

        Args:
            operation: What is asked for.
            identifier: The id in the path, if the path has one.
            query: The query string, understood.
            distortion: How the answer is to be wrong.

        Raises:
            NotFound: The id is unknown.
            BadParameter: A cursor or an edition is unknown.
        """
        with self._account.lock:
            match operation.record, operation.shape:
                case "Participant", "one":
                    return _found(
                        self._account.participant_json(identifier, extended=query.extended),
                        "participant",
                        identifier,
                    )
                case "Application", "one":
                    return _found(
                        self._account.application_json(identifier, extended=query.extended),
                        "application",
                        identifier,
                    )
                case "Partner", "one":
                    return self._partner(identifier, query.texts.get("externalId"))
                case "ReservedEntryGroup", "one":
                    group = self._account.group(identifier)
                    return _encode(_found(group, "reserved entry group", identifier))
                case "ReservedEntryGroup", _:
                    groups = self._account.groups(identifier)
                    return _encode({"data": _found(groups, "event", identifier)})
                case "Ticket", _:
                    tickets = self._account.tickets(identifier)
                    return _encode({"data": _found(tickets, "event", identifier)})
                case "Participant", _:
                    return self._list("participants", operation, identifier, query, distortion)
                case "Application", _:
                    return self._list("applications", operation, identifier, query, distortion)
                case _:
                    return self._list("partners", operation, identifier, query, distortion)

    def _partner(self, identifier: str, kind: str | None) -> bytes:
        if kind is None:
            partner = self._account.partner(identifier)
        else:
            partner = self._account.find_partner(identifier, kind)
        return _encode(_found(partner, "partner", identifier))

    def _list(
        self,
        table: Table,
        operation: Operation,
        identifier: str,
        query: Query,
        distortion: Distortion,
    ) -> bytes:
        kind = self._kind(table)
        index = self._account.index
        selection = self._selection(table, operation, identifier, query)
        after, before = query.texts.get("page[after]"), query.texts.get("page[before]")
        position = None
        if after is not None:
            position = self._position("page[after]", after, table, kind, query.order)
        elif before is not None:
            position = self._position("page[before]", before, table, kind, query.order)
        size = min(query.size, self._style.most_per_page or query.size)
        request = PageRequest(size, position, backwards=before is not None)
        rows, more = index.page(table, selection, query.order, request, skip=distortion.skip)
        cursors = None
        behind = position is not None
        if rows:
            cursors = (
                self._cursor(kind, query.order, rows[0]),
                self._cursor(kind, query.order, rows[-1]),
            )
            edge = _place(query.order, rows[-1] if request.backwards else rows[0])
            _, behind = index.page(
                table, selection, query.order, PageRequest(0, edge, not request.backwards)
            )
        earlier, later = (more, behind) if request.backwards else (behind, more)
        page = page_object(
            total=max(0, index.total(table, selection) + distortion.added_to_total),
            cursors=cursors,
            earlier=earlier,
            later=later,
            used=after,
            list_end=self._style.list_end,
        )
        if distortion.loops and cursors is not None:
            page["next"] = after or cursors[1]
        if distortion.without_total:
            del page["totalResults"]
        extended, render = query.extended, kind.render
        records = b",".join([render(row, extended) for row in rows])
        return b"".join((b'{"data":[', records, b'],"page":', _encode(page), b"}"))

    def _selection(
        self, table: Table, operation: Operation, identifier: str, query: Query
    ) -> Selection:
        scope: int | None = None
        if operation.takes_id:
            scope = _found(
                self._account.race_number(identifier)
                if table == "participants"
                else self._account.event_number(identifier),
                "race" if table == "participants" else "event",
                identifier,
            )
        occurrence = query.texts.get("eventOccurrenceId")
        search = query.texts.get("search")
        return Selection(
            created=query.window("createdAt"),
            updated=query.window("updatedAt"),
            scope=scope,
            tickets=None if occurrence is None else self._account.occurrence_tickets(occurrence),
            search=search.casefold() if search else None,
            inclusive=self._style.inclusive_bounds,
        )

    def _cursor(self, kind: _Kind, order: Order, row: tuple[Any, ...]) -> str:
        if self._style.cursors == "record_id":
            return kind.name(row[0])
        return opaque_cursor(order, _place(order, row))

    def _position(
        self, name: str, cursor: str, table: Table, kind: _Kind, order: Order
    ) -> Position:
        if self._style.cursors == "opaque":
            return read_opaque_cursor(name, cursor, order)
        number = kind.number(cursor)
        row = None if number is None else self._account.index.row(table, number)
        if row is None:
            raise BadParameter(name, "is not a known cursor")
        return _place(order, row)

    def _kind(self, table: Table) -> _Kind:
        renderer, ids = self._account.renderer, self._account.identifiers
        match table:
            case "participants":
                return _record_kind(renderer.participant, ids.participants)
            case "applications":
                return _record_kind(renderer.application, ids.applications)
            case "partners":
                return _Kind(self._partner_text, self._partner_id, self._account.partner_number)

    def _partner_text(self, row: Sequence[Any], _extended: bool) -> bytes:
        return _encode(self._account.partner_at(row[0]))

    def _partner_id(self, number: int) -> str:
        return self._account.partner_at(number)["id"]


def _record_kind(render: Callable[[Sequence[Any], bool], bytes], ids: RecordIds) -> _Kind:
    return _Kind(render, ids.text, ids.number)


def _place(order: Order, row: Sequence[Any]) -> Position:
    return Position(row[1] if order.column == "created" else row[2], row[0])


def _found(thing: Thing | None, what: str, identifier: str) -> Thing:
    if thing is None:
        raise NotFound(f"There is no {what} with the id {identifier}")
    return thing


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
