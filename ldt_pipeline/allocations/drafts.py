"""The pieces of a plan in the making: partners as they are referred to, and changes as they are found.

What belongs here: what `planning.py` and `partners.py` work with. What doesn't: deciding anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from ldt_pipeline.allocations.live import (
    GROUP_FIELDS,
    Live,
    LiveEvent,
    Record,
    capacity_of,
    external_of,
    is_as_wanted,
    is_called,
    merged,
    partner_of,
    tickets_of,
)
from ldt_pipeline.allocations.plan import ACTIONS, Change, Scope
from ldt_pipeline.allocations.wanted import WantedGroup

SHOWN_MOST = 10
"""How many of those that there are an error lists."""


@dataclass(frozen=True)
class Partner:
    """A partner that is there (`id`) or is to be created (`draft`)."""

    id: str | None
    name: str
    draft: int | None = None


@dataclass
class Drafts:
    """Changes as they are found; they are numbered in the order of doing at the end."""

    changes: list[Change] = field(default_factory=list[Change])

    def add(self, **fields: Any) -> int:
        """Add a change, and give its number as a draft."""
        self.changes.append(Change(number=len(self.changes), **fields))
        return len(self.changes) - 1

    def in_order(self) -> tuple[tuple[Change, ...], dict[int, int]]:
        """Give them numbered from 1 by kind, creations first, and those numbers by draft."""
        ordered = sorted(self.changes, key=_rank)
        numbers = {each.number: place for place, each in enumerate(ordered, start=1)}

        def moved(step: int | None) -> int | None:
            return None if step is None else numbers[step]

        changes = tuple(
            msgspec.structs.replace(
                each,
                number=numbers[each.number],
                partner_step=moved(each.partner_step),
                group_step=moved(each.group_step),
            )
            for each in ordered
        )
        return changes, numbers


def _rank(change: Change) -> tuple[int, bool]:
    """Give the place of a change among the others: a group grows once others have made room."""
    grows = change.action == "update_group" and (
        change.body.get("maxCapacity", 0) > capacity_of(change.before)
    )
    return ACTIONS.index("delete_group" if grows else change.action), grows


@dataclass
class Findings:
    """What planning has found.

    Attributes:
        drafts: The changes.
        wrong: Sentences on wishes that can't be met: with any, there is no plan.
        notices: Sentences on what the plan leaves as it is.
    """

    drafts: Drafts = field(default_factory=Drafts)
    wrong: list[str] = field(default_factory=list[str])
    notices: list[str] = field(default_factory=list[str])


def difference(live: Record, fields: dict[str, Any]) -> tuple[Record, Record]:
    """Give the fields that differ, as they are and as they are to be sent."""
    changed = [
        name for name, value in fields.items() if not is_as_wanted(name, live.get(name), value)
    ]
    return (
        {name: live.get(name) for name in changed},
        {name: merged(name, live.get(name), fields[name]) for name in changed},
    )


def scope_of(event_id: str, partner_id: str | None, groups: dict[str, Record]) -> Scope:
    """Give what a plan remembers of a partner's groups in an event."""
    return Scope(
        event_id=event_id,
        partner_id=partner_id,
        groups={
            group_id: {name: each.get(name) for name in GROUP_FIELDS}
            for group_id, each in groups.items()
        },
    )


def label_of(partner: Partner | None, group: str) -> str:
    """Give what a group is called in a plan."""
    return f"{partner.name if partner else 'the organiser'} / {group}"


def text_of(value: Any, key: str) -> str:
    """Give a member of a mapping as text; none where there is none."""
    members = cast("Record", value) if isinstance(value, dict) else {}
    return str(members.get(key) or "")


def partner_ids(live: Live, reference: str) -> list[str]:
    """Give the partners that a reference means: by id, by an id elsewhere, or by name."""
    # One that isn't listed any more may have groups still: an export names it.
    owners = {partner_of(each) for event in live.events.values() for each in event.groups.values()}
    if reference in live.partners or reference in owners:
        return [reference]
    external = external_of(reference)
    if external:
        kind, value = external
        return [
            i
            for i, each in live.partners.items()
            if text_of(each.get("externalIds"), kind) == value
        ]
    return [i for i, each in live.partners.items() if is_called(each, reference)]


def alike(live: Live, reference: str) -> str:
    """Give a sentence that names partners with a name like it; none where there are none."""
    folded = reference.casefold().split()[0] if reference.split() else ""
    names = sorted(
        str(each.get("name"))
        for each in live.partners.values()
        if folded and folded in str(each.get("name")).casefold()
    )
    return f" Those with a name like it: {', '.join(names[:SHOWN_MOST])}." if names else ""


def ticket_problems(group: WantedGroup, live: Record, event_id: str, event: LiveEvent) -> list[str]:
    """Give a sentence where a group names tickets that neither it nor the event has."""
    has = tickets_of(live.get("tickets"))
    unknown = [
        each["ticketId"]
        for each in group.fields.get("tickets", [])
        if each["ticketId"] not in event.tickets and each["ticketId"] not in has
    ]
    if not unknown:
        return []
    known = [
        f"{ticket_id} ({each.get('title') or 'no title'})"
        for ticket_id, each in list(event.tickets.items())[:SHOWN_MOST]
    ]
    return [
        f"{group.place}: event {event_id} has no ticket {', '.join(unknown)}; it has "
        f"{', '.join(known) or 'none'}."
    ]
