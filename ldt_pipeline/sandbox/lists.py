"""Reserved entry groups and tickets as a caller sees them.

What belongs here: the two kinds of record that hang off an event and come all at once. What
doesn't: participants and applications (`records`), and partners, which `world` keeps ready.
"""

from __future__ import annotations

from typing import Any

from ldt_pipeline.sandbox.instants import instant_text
from ldt_pipeline.sandbox.world import Group, Ticket, World


def group_record(world: World, group: Group) -> dict[str, Any]:
    """A reserved entry group."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "eventId": group.event.id,
        "partnerId": None if group.partner is None else world.partners[group.partner]["id"],
        "maxCapacity": group.max_capacity,
        "usedCapacity": max(0, group.used + group.drift),
        "tickets": [_ticket(group, place) for place in range(len(group.tickets))],
        "type": group.type,
        "settings": group.settings,
    }


def _ticket(group: Group, place: int) -> dict[str, Any]:
    """A ticket as a group has it."""
    ticket = group.tickets[place]
    written = group.ticket_settings
    most = None if place or written is not None else group.max_capacity
    return {
        "ticketId": ticket.id,
        "title": ticket.title,
        "maxCapacity": most,
        "price": {"amount": 0, "currency": ticket.race.event.theme.currency},
        **((written or {}).get(ticket.id, {})),
    }


def ticket_record(ticket: Ticket) -> dict[str, Any]:
    """A ticket."""
    race = ticket.race
    return {
        "id": ticket.id,
        "title": ticket.title,
        "description": None if ticket.number % 3 else f"Entry to the {race.name}, medal included.",
        "eventId": race.event.id,
        "eventOccurrenceId": ticket.occurrence.id,
        "raceId": race.id,
        "raceName": race.name,
        "raceStartDate": instant_text(ticket.starts),
        "price": {"amount": ticket.pence / 100, "currency": race.event.theme.currency},
        "maxCapacity": None if ticket.number % 4 == 0 else 5_000,
        "salesStartDate": instant_text(ticket.opens),
        "salesEndDate": instant_text(ticket.closes),
        "applicationRequired": ticket.route == "ballot",
        "reservedOnly": ticket.route == "reserved",
        "waves": [],
    }
