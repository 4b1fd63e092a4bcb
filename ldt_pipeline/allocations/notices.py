"""What a reviewer should know of a plan: totals by event, and warnings.

What belongs here: looking at the state that a plan leads to. What doesn't: the changes themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ldt_pipeline.allocations.live import Live, LiveEvent, Record, capacity_of, tickets_of
from ldt_pipeline.allocations.plan import Change, Totals


def totals_of(
    live: Live, changes: Sequence[Change], event_ids: Sequence[str]
) -> tuple[Totals, ...]:
    """Give groups and places of each event, before and after."""
    found: list[Totals] = []
    for event_id in event_ids:
        before = list(live.events[event_id].groups.values())
        after = _after(live.events[event_id], event_id, changes)
        found.append(
            Totals(
                event_id=event_id,
                groups_before=len(before),
                groups_after=len(after),
                places_before=sum(map(capacity_of, before)),
                places_after=sum(map(capacity_of, after)),
            )
        )
    return tuple(found)


def warnings_of(live: Live, changes: Sequence[Change], event_ids: Sequence[str]) -> Iterator[str]:
    """Give a sentence for each thing that a reviewer should look at twice."""
    for change in changes:
        if change.action == "delete_group" and change.used:
            yield (
                f"Group {change.group_id} ({change.label}) is to be deleted, and {change.used} of "
                "its places are claimed."
            )
        capacity = change.body.get("maxCapacity")
        if change.action == "update_group" and capacity is not None and capacity < change.used:
            yield (
                f"Group {change.group_id} ({change.label}) is to have {capacity} places, and "
                f"{change.used} are claimed already."
            )
    yield from _alike(live, changes)
    for event_id in event_ids:
        yield from _over(live.events[event_id], event_id, changes)


def _alike(live: Live, changes: Sequence[Change]) -> Iterator[str]:
    by_name: dict[str, list[str]] = {}
    for partner_id, partner in live.partners.items():
        by_name.setdefault(_folded(partner.get("name")), []).append(partner_id)
    for change in changes:
        same = by_name.get(_folded(change.label), []) if change.action == "create_partner" else []
        if same:
            yield (
                f"A partner {change.label!r} is to be created, and there is one with nearly that "
                f"name: {', '.join(same)}."
            )
    used = {change.partner_id for change in changes if change.partner_id}
    for name, ids in by_name.items():
        if name and len(ids) > 1 and used & set(ids):
            yield f"The partners {', '.join(ids)} have nearly the same name: is it the right one?"


def _over(event: LiveEvent, event_id: str, changes: Sequence[Change]) -> Iterator[str]:
    groups = _after(event, event_id, changes)
    alone: Counter[str] = Counter()
    named: set[str] = set()
    for group in groups:
        ids = list(tickets_of(group.get("tickets")))
        named.update(ids)
        if len(ids) == 1:
            alone[ids[0]] += capacity_of(group)
    most = {
        ticket_id: capacity_of(event.tickets[ticket_id])
        for ticket_id in named
        if ticket_id in event.tickets and event.tickets[ticket_id].get("maxCapacity") is not None
    }
    for ticket_id, places in sorted(alone.items()):
        if ticket_id in most and places > most[ticket_id]:
            yield (
                f"Event {event_id}: groups with ticket {ticket_id} alone have {places} places, and "
                f"there are {most[ticket_id]} of it."
            )
    places = sum(map(capacity_of, groups))
    if named and set(most) == named and places > sum(most.values()):
        yield (
            f"Event {event_id}: all groups together have {places} places, and there are "
            f"{sum(most.values())} of their tickets."
        )


def _after(event: LiveEvent, event_id: str, changes: Sequence[Change]) -> list[Record]:
    groups: dict[str, dict[str, Any]] = dict(event.groups)
    for change in changes:
        if change.event_id != event_id:
            continue
        if change.action == "delete_group" and change.group_id:
            groups.pop(change.group_id, None)
        elif change.action == "update_group" and change.group_id:
            groups[change.group_id] = {**groups[change.group_id], **change.body}
        elif change.action == "create_group":
            groups[f"new {change.number}"] = change.body
    return list(groups.values())


def _folded(name: Any) -> str:
    return "".join(letter for letter in str(name or "").casefold() if letter.isalnum())
