"""What the file wants, with the place of each wish: typed, checked in itself, in the API's names.

What belongs here: the form of a file turned into wishes, and duplicates inside it. What doesn't:
whether partners, events and tickets exist (`planning.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldt_pipeline.allocations.checking import problems
from ldt_pipeline.allocations.live import is_name, normal
from ldt_pipeline.allocations.nodes import AllocationsFileError, Node, Place, files_of, read_yaml
from ldt_pipeline.allocations.tabular import read_csv

_GROUP_FIELDS = {
    "name": "name",
    "capacity": "maxCapacity",
    "type": "type",
    "description": "description",
    "settings": "settings",
}
_PARTNER_FIELDS = {
    "name": "name",
    "type": "type",
    "description": "description",
    "external_ids": "externalIds",
    "contacts": "contacts",
    "marketing": "defaultMarketing",
    "event_marketing": "specificMarketings",
    "sub_partners": "canCreateSubPartners",
}


@dataclass(frozen=True, kw_only=True)
class WantedPartner:
    """A partner: which one (`reference`), and the fields that it is to have."""

    reference: str
    fields: dict[str, Any]
    claim_links: tuple[str, ...]
    place: Place


@dataclass(frozen=True, kw_only=True)
class WantedGroup:
    """A reserved entry group; the fields left out are left as they are."""

    id: str | None
    fields: dict[str, Any]
    claim_links: tuple[str, ...]
    place: Place

    @property
    def name(self) -> str:
        """Its name."""
        return self.fields.get("name", "")


@dataclass(frozen=True, kw_only=True)
class WantedAllocation:
    """All groups of one partner (None: the organiser) in one event."""

    event_id: str
    partner: str | None
    groups: tuple[WantedGroup, ...]
    place: Place


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """All that a file, or a folder of them, says."""

    partners: tuple[WantedPartner, ...]
    allocations: tuple[WantedAllocation, ...]

    @property
    def event_ids(self) -> list[str]:
        """The events that are named, each once."""
        return list(dict.fromkeys(each.event_id for each in self.allocations))


def read_wanted(path: Path) -> Wanted:
    """Read an allocations file (YAML or CSV), or all of a folder.

    Raises:
        AllocationsFileError: With a line for everything that is wrong.
    """
    partners: list[WantedPartner] = []
    allocations: list[WantedAllocation] = []
    wrong: list[str] = []
    for file in files_of(path):
        is_csv = file.suffix.lower() == ".csv"
        try:
            node, found = read_csv(file) if is_csv else (read_yaml(file), list[str]())
        except AllocationsFileError as error:
            wrong.append(str(error))
            continue
        found += problems(node)
        wrong += found
        if not found:
            partners += [_partner(each) for each in _items(node, "partners")]
            for event in _items(node, "events"):
                allocations += [_allocation(event, each) for each in _items(event, "allocations")]
    wrong += _contradictions(partners, allocations)
    if wrong:
        raise AllocationsFileError("\n".join(wrong))
    return Wanted(partners=tuple(partners), allocations=tuple(allocations))


def _items(node: Node, name: str) -> list[Node]:
    return node.members[name].items if name in node.members else []


def _fields(node: Node, names: dict[str, str]) -> dict[str, Any]:
    return {names[key]: each.plain() for key, each in node.members.items() if key in names}


def _links(node: Node) -> tuple[str, ...]:
    return tuple(each.value for each in _items(node, "claim_links"))


def _partner(node: Node) -> WantedPartner:
    fields = _fields(node, _PARTNER_FIELDS)
    if "externalIds" in fields:
        members = node.members["external_ids"].members
        fields["externalIds"] = {key: each.text for key, each in members.items()}
    reference = (
        node.members["partner"].value if "partner" in node.members else fields.get("name", "")
    )
    return WantedPartner(
        reference=normal(reference), fields=fields, claim_links=_links(node), place=node.place
    )


def _allocation(event: Node, node: Node) -> WantedAllocation:
    partner = node.members["partner"].value
    return WantedAllocation(
        event_id=event.members["event"].text,
        partner=None if partner is None else normal(partner),
        groups=tuple(_group(each) for each in _items(node, "groups")),
        place=node.place,
    )


def _group(node: Node) -> WantedGroup:
    fields = _fields(node, _GROUP_FIELDS)
    if "tickets" in node.members:
        fields["tickets"] = [_ticket(each) for each in _items(node, "tickets")]
    return WantedGroup(
        id=node.members["id"].value if "id" in node.members else None,
        fields=fields,
        claim_links=_links(node),
        place=node.place,
    )


def _ticket(node: Node) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        return {"ticketId": node.text}
    return {**node.plain(), "ticketId": node.members["ticketId"].text}


def _contradictions(
    partners: list[WantedPartner], allocations: list[WantedAllocation]
) -> list[str]:
    wrong: list[str] = []
    seen: dict[tuple[str, ...], Place] = {}
    named = {each.reference for each in partners if is_name(each.reference)}

    def once(key: tuple[str, ...], place: Place, what: str) -> None:
        if key in seen:
            wrong.append(f"{place}: {what} stands here twice, first at {seen[key]}.")
        seen.setdefault(key, place)

    for partner in partners:
        if not partner.reference:
            wrong.append(f"{partner.place}: a partner needs `partner` or `name`.")
            continue
        once(("partner", partner.reference), partner.place, f"the partner {partner.reference!r}")
        name = normal(partner.fields.get("name", partner.reference))
        if name != partner.reference and name in named:  # two that are named by ids may share one
            once(("partner", name), partner.place, f"a partner with the name {name!r}")
    for each in allocations:
        shown = each.partner or "the organiser"
        key = (each.event_id, each.partner or "")
        once(("event", *key), each.place, f"{shown!r} in event {each.event_id}")
        for group in each.groups:
            if group.id is None and not group.name:
                wrong.append(f"{group.place}: a group needs `id` or `name`.")
            same = [other for other in each.groups if normal(other.name) == normal(group.name)]
            if group.name and any(other.id is None for other in same):  # else the ids tell
                once(
                    ("name", *key, normal(group.name)),
                    group.place,
                    f"the group name {group.name!r}",
                )
            if group.id is not None:
                once(("group", group.id), group.place, f"the group {group.id}")
            if not group.fields.get("tickets", [1]):
                wrong.append(f"{group.place}: `tickets` must not be empty.")
            ids = [ticket["ticketId"] for ticket in group.fields.get("tickets", [])]
            wrong += [
                f"{group.place}: the ticket {each_id} stands in `tickets` twice."
                for each_id in dict.fromkeys(ids)
                if ids.count(each_id) > 1
            ]
            wrong += _double_links(group.claim_links, group.place)
    for partner in partners:
        wrong += _double_links(partner.claim_links, partner.place)
    return wrong


def _double_links(addresses: tuple[str, ...], place: Place) -> list[str]:
    folded = [each.casefold() for each in addresses]
    if len(set(folded)) == len(folded):
        return []
    return [f"{place}: an address stands in `claim_links` twice."]
