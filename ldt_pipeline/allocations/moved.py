"""Whether the live state is still the one that a plan was made from, or one that the plan makes.

What belongs here: comparing, and saying what moved. Claims are no move, as places are taken all day,
unless a group is to be deleted or made smaller than its claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ldt_pipeline.allocations.live import (
    Live,
    Record,
    capacity_of,
    is_as_wanted,
    is_called,
    partner_of,
    used_of,
)
from ldt_pipeline.allocations.plan import Change, Plan, Scope

CreatedId = Callable[[Change], str | None]
"""The id of what a step has created, where it has."""


def moves(plan: Plan, live: Live, created: CreatedId) -> Iterator[str]:
    """Give a sentence for each thing that is neither as the plan found it nor as it makes it."""
    made = {id_ for change in plan.changes if (id_ := created(change)) is not None}
    for partner_id, before in plan.partners.items():
        now = live.partners.get(partner_id)
        if now is None:
            yield f"Partner {partner_id} is not there any more."
            continue
        updates = _updates(plan, partner_id=partner_id)
        yield from _field_moves(f"Partner {partner_id}", before, now, updates)
    for change in plan.changes:
        if change.action == "create_partner":
            for partner_id, partner in live.partners.items():
                is_known = partner_id in made or partner_id in plan.partners
                if is_called(partner, change.body["name"]) and not is_known:
                    yield f"Partner {partner_id} has appeared, with the name of one to be created."
    for scope in plan.scopes:
        yield from _scope_moves(plan, scope, live, made, created)


def claimed_deletions(plan: Plan, live: Live) -> list[str]:
    """Give the groups to be deleted that have claimed places."""
    return [
        group_id
        for change in plan.changes
        if change.action == "delete_group" and (group_id := change.group_id)
        for event in live.events.values()
        if group_id in event.groups and used_of(event.groups[group_id])
    ]


def crowded_groups(plan: Plan, live: Live) -> list[str]:
    """Give the groups to get fewer places than are claimed by now, where the plan didn't warn."""
    return [
        str(change.group_id)
        for change in plan.changes
        if change.action == "update_group"
        and is_crowded(
            change, live.events[str(change.event_id)].groups.get(str(change.group_id), {})
        )
    ]


def is_crowded(change: Change, group: Record) -> bool:
    """Whether a group is to get fewer places than are claimed by now, and the plan didn't warn."""
    places = change.body.get("maxCapacity")
    if places is None or change.used > places:
        return False
    return capacity_of(group) != places and used_of(group) > places


def _scope_moves(
    plan: Plan, scope: Scope, live: Live, made: set[str], created: CreatedId
) -> Iterator[str]:
    event = live.events.get(scope.event_id)
    if event is None:
        yield f"Event {scope.event_id} is not there any more."
        return
    partner_id = scope.partner_id
    if scope.partner_step is not None:
        partner_id = created(plan.changes[scope.partner_step - 1])
        if partner_id is None:
            return  # to be created: it has no groups
    deleted = {each.group_id for each in plan.changes if each.action == "delete_group"}
    for group_id, before in scope.groups.items():
        now = event.groups.get(group_id)
        if now is None:
            if group_id not in deleted:
                yield f"Group {group_id} in event {scope.event_id} is not there any more."
            continue
        if partner_of(now) != partner_id:
            yield f"Group {group_id} in event {scope.event_id} belongs to another partner."
        updates = _updates(plan, group_id=group_id)
        yield from _field_moves(f"Group {group_id}", before, now, updates)
    for group_id, now in event.groups.items():
        is_known = group_id in scope.groups or group_id in made
        if partner_of(now) == partner_id and not is_known:
            yield f"Group {group_id} has appeared in event {scope.event_id}."


def _updates(
    plan: Plan, *, partner_id: str | None = None, group_id: str | None = None
) -> Mapping[str, object]:
    for change in plan.changes:
        is_partner = change.action == "update_partner" and change.partner_id == partner_id
        is_group = change.action == "update_group" and change.group_id == group_id
        if (is_partner and partner_id) or (is_group and group_id):
            return change.body
    return {}


def _field_moves(
    what: str, before: Record, now: Record, updates: Mapping[str, object]
) -> Iterator[str]:
    for name, value in before.items():
        if is_same(name, now.get(name), value):
            continue
        if name in updates and is_as_wanted(name, now.get(name), updates[name]):
            continue
        if name == "maxCapacity":
            yield f"{what}: maxCapacity was {value}, and is {now.get(name)}."
        else:
            yield f"{what}: {name} is not what it was."


def is_same(name: str, one: object, other: object) -> bool:
    """Whether a field holds the same, read from either side."""
    if not one and not other and not isinstance(one, bool | int) and not isinstance(other, int):
        return True
    if not one or not other:
        return one == other
    return is_as_wanted(name, one, other) and is_as_wanted(name, other, one)
