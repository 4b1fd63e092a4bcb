"""What is read event by event: reserved entry groups with their tickets, and an event's tickets.

What belongs here: which column is made from which keys. What doesn't: the keys themselves
(`shapes.py`). These lists carry no timestamps: a row is as of when it was read.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import polars as pl

from ldt_pipeline.tables.tidy import RESERVED_ENTRY_GROUPS, RESERVED_ENTRY_TICKETS, TICKETS
from ldt_pipeline.tidy.columns import first_of, simple_columns
from ldt_pipeline.tidy.decode import Reader
from ldt_pipeline.tidy.drift import Drift
from ldt_pipeline.tidy.feed import Child, Feed, Records, tidy
from ldt_pipeline.tidy.frames import Tidied
from ldt_pipeline.tidy.items import Items
from ldt_pipeline.tidy.json_values import NotJsonError, json_type_of_text, read_items
from ldt_pipeline.tidy.shapes import (
    RESERVED_ENTRY_GROUP,
    RESERVED_ENTRY_TICKET,
    SALE_END_KEYS,
    SALE_START_KEYS,
    TICKET,
)


def tidy_reserved_entries(raw: pl.DataFrame) -> Tidied:
    """Read reserved entry groups.

    Returns:
        The tables `reserved_entry_groups` and `reserved_entry_tickets`. A group that names no
        event belongs to the one that the extract was asked for.

    Raises:
        ValueError: `raw` is no raw frame (see `RAW_SCHEMA`).
    """
    return tidy(raw, _GROUPS)


def tidy_tickets(raw: pl.DataFrame) -> Tidied:
    """Read an event's tickets.

    Returns:
        The table `tickets`. A ticket that names no event belongs to the one that the extract was
        asked for.

    Raises:
        ValueError: `raw` is no raw frame (see `RAW_SCHEMA`).
    """
    return tidy(raw, _TICKETS)


def _group_columns(records: Records) -> dict[str, pl.Series]:
    columns = simple_columns(records.items, RESERVED_ENTRY_GROUPS)
    return columns | _context(records)


def _context(records: Records) -> dict[str, pl.Series]:
    return {
        "event_id": first_of(records.items.text("eventId"), records.raw["event_id"]),
        "read_at": records.raw["extracted_at"],
    }


def _ticket_rows(records: Records) -> Child:
    texts: list[bytes] = []
    parents: list[int] = []
    positions: list[int] = []
    for parent, tickets in enumerate(records.items.column("tickets").texts.to_list()):
        for position, text in enumerate(_tickets_in(tickets)):
            if text != "null":
                texts.append(text.encode())
                parents.append(parent)
                positions.append(position)
    rows = [records.rows[parent] for parent in parents]
    items = _read_tickets(texts, rows, records.drift)
    price = items.nested["price"]
    ticket = items.nested["ticket"]
    columns = {
        "position": pl.Series(positions, dtype=pl.Int32),
        "ticket_id": first_of(items.text("ticketId", "id"), ticket.text("id")),
        "title": first_of(
            items.text("title", "ticketTitle", "name", "label"), ticket.text("title", "name")
        ),
        "price_amount": first_of(price.amount("amount", "value"), items.amount("amount")),
        "price_currency": first_of(
            price.text("currency", "currencyCode"), items.text("currency", "currencyCode")
        ),
        "details": pl.Series([str(text, "utf-8") for text in texts], dtype=pl.String),
    }
    items.report(records.drift, rows)
    return Child(columns, parents=pl.Series(parents, dtype=pl.UInt32))


def _tickets_in(text: str | None) -> list[str]:
    """Give the texts of a group's tickets; one that is no list is a list of one."""
    if text is None:
        return []
    if json_type_of_text(text) != "array":
        return [text]
    try:
        return read_items(text)
    except NotJsonError:
        return []  # nested too deeply to have been read before


def _read_tickets(texts: list[bytes], rows: list[int], drift: Drift) -> Items:
    decoded = Reader(RESERVED_ENTRY_TICKET, drift).read([_as_object(text) for text in texts], rows)
    empty: Any = decoded.layout.structs[RESERVED_ENTRY_TICKET.path]()
    items = Items(RESERVED_ENTRY_TICKET)
    items.add([empty if each is None else each for each in decoded.structs], decoded.layout)
    return items


def _as_object(text: bytes) -> bytes:
    """Put a bare value, such as a ticket's id, into an object."""
    if text.startswith(b"{"):
        return text
    return msgspec.json.encode({RESERVED_ENTRY_TICKET.bare: msgspec.Raw(text)})


def _ticket_columns(records: Records) -> dict[str, pl.Series]:
    items = records.items
    price = items.nested["price"]
    columns = simple_columns(items, TICKETS)
    columns |= {
        "race_id": first_of(items.text("raceId"), items.nested["race"].text("id")),
        "title": items.text("title", "name", "ticketTitle", "label"),
        "status": items.text("status", "state"),
        "price_amount": first_of(price.amount("amount", "value"), items.amount("amount")),
        "price_currency": first_of(
            price.text("currency", "currencyCode"), items.text("currency", "currencyCode")
        ),
        "max_capacity": items.whole("maxCapacity", "capacity", "totalCapacity", "quantity"),
        "used_capacity": items.whole("usedCapacity", "sold", "soldCount", "quantitySold", "used"),
        "sale_starts_at": items.instant(*SALE_START_KEYS),
        "sale_ends_at": items.instant(*SALE_END_KEYS),
        "details": records.raw["record"].cast(pl.String),
    }
    return columns | _context(records)


_GROUPS: Final = Feed(
    shape=RESERVED_ENTRY_GROUP,
    id_keys=("id",),
    parent=RESERVED_ENTRY_GROUPS,
    parent_columns=_group_columns,
    child=RESERVED_ENTRY_TICKETS,
    child_rows=_ticket_rows,
)
_TICKETS: Final = Feed(
    shape=TICKET,
    id_keys=("id", "ticketId"),
    parent=TICKETS,
    parent_columns=_ticket_columns,
)
