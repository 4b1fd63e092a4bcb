"""What a write changes in an account: partners and groups as a caller described them.

What belongs here: storing a body that was checked. What doesn't: checking it (`writes`, `bodies`),
and changes that tests make by hand (`changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ldt_pipeline.sandbox.changes import AccountChanges
from ldt_pipeline.sandbox.identifiers import short_id
from ldt_pipeline.sandbox.instants import instant_text
from ldt_pipeline.sandbox.lists import group_record
from ldt_pipeline.sandbox.world import Group

_GROUP_FIELDS = {
    "name": "name",
    "description": "description",
    "maxCapacity": "max_capacity",
    "settings": "settings",
}


@dataclass(frozen=True, slots=True)
class SentLink:
    """A claim link that went out.

    Attributes:
        partner_id: Whose.
        group_id: The group that it points to; None for the partner's dashboard.
        address: Where it was e-mailed to; None if it was only made.
    """

    partner_id: str
    group_id: str | None
    address: str | None


class WrittenThings(AccountChanges):
    """The part of an account that writes change; the caller holds the lock."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_links: list[SentLink] = []
        """The claim links that went out, oldest first: one for each e-mail."""

    def create_partner(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a partner, and give it as served."""
        world, now = self._world, self.clock()
        number = len(world.partners)
        partner_id = short_id("p", seed=world.seed, number=number)
        partner: dict[str, Any] = {
            "id": partner_id,
            "name": body["name"],
            "description": body.get("description"),
            "type": body.get("type", "CHARITY"),
            "externalIds": body.get("externalIds"),
            "contacts": body["contacts"],
            "defaultMarketing": body.get("defaultMarketing"),
            "specificMarketings": body.get("specificMarketings", []),
            "canCreateSubPartners": body.get("canCreateSubPartners", False),
            "createdAt": instant_text(now),
            "updatedAt": instant_text(now),
        }
        world.partners.append(partner)
        world.partner_numbers[partner_id] = number
        self._index.put("partners", (number, now, now, 0, 0, body["name"].casefold()))
        return partner

    def create_group(self, event_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Add a reserved entry group, and give it as served."""
        world = self._world
        number = len(world.groups)
        partner_id = body.get("partnerId")
        group = Group(
            number=number,
            id=short_id("re", seed=world.seed, number=number),
            event=world.events[world.event_numbers[event_id]],
            partner=None if partner_id is None else world.partner_numbers[partner_id],
            name=body["name"],
            description=body.get("description"),
            type=body["type"],
            max_capacity=body["maxCapacity"],
            tickets=(),
            settings=body.get("settings"),
        )
        self._set_tickets(group, body["tickets"])
        world.groups.append(group)
        world.group_numbers[group.id] = number
        return group_record(world, group)

    def change_group(self, group_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Set what the body names of a reserved entry group, and give it as served."""
        group = self._group(group_id)
        if group.ticket_settings is None:
            # Tickets of a made-up group follow its places; from a write on, only what it names moves.
            tickets = group_record(self._world, group)["tickets"]
            group.ticket_settings = {each["ticketId"]: each for each in tickets}
        for key, attribute in _GROUP_FIELDS.items():
            if key in body:
                setattr(group, attribute, body[key])
        if "tickets" in body:
            self._set_tickets(group, body["tickets"])
        self._renderer.forget_groups()
        return group_record(self._world, group)

    def _set_tickets(self, group: Group, tickets: list[dict[str, Any]]) -> None:
        by_id = {ticket.id: ticket for ticket in self._world.tickets}
        group.tickets = tuple(by_id[each["ticketId"]] for each in tickets)
        group.ticket_settings = {each["ticketId"]: each for each in tickets}
