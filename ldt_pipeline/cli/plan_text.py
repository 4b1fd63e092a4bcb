"""A plan as people read it: what is created, changed, deleted and sent, with totals and warnings.

What belongs here: lines and their colours (click takes these away where nobody would see them). An
e-mail address is shown by its first letter and its host alone: output ends up in logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import click

from ldt_pipeline.allocations.applying import Applied
from ldt_pipeline.allocations.live import tickets_of
from ldt_pipeline.allocations.plan import Action, Change, Plan
from ldt_pipeline.cli.text import clean, counted

_LOOKS: dict[Action, tuple[str, str, str]] = {
    "create_partner": ("+", "green", "create partner"),
    "update_partner": ("~", "yellow", "update partner"),
    "update_group": ("~", "yellow", "update group"),
    "delete_group": ("-", "red", "delete group"),
    "create_group": ("+", "green", "create group"),
    "send_claim_link": ("→", "cyan", "e-mail a claim link for"),
}
_CELL_MOST = 60
_LEAD = 20


def plan_lines(plan: Plan) -> Iterator[str]:
    """Give the lines of a plan."""
    for change in plan.changes:
        yield from _change_lines(change)
    if plan.changes:
        yield ""
    for each in plan.totals:
        yield (
            f"Event {each.event_id}: groups {each.groups_before} → {each.groups_after}, "
            f"places {each.places_before:,} → {each.places_after:,}"
        )
    for warning in plan.warnings:
        yield click.style(f"! {clean(warning)}", fg="yellow")
    yield summary(plan)


def summary(plan: Plan) -> str:
    """Give a plan in one line."""
    if not plan.changes:
        return "Nothing is to change: what is there is what the file says."
    created = plan.count("create_partner") + plan.count("create_group")
    updated = plan.count("update_partner") + plan.count("update_group")
    links = counted(plan.count("send_claim_link"), "claim link")
    return (
        f"Plan: {created} to create, {updated} to update, {plan.count('delete_group')} to delete, "
        f"{links} to send."
    )


def applied_lines(applied: Applied) -> Iterator[str]:
    """Give what came of applying."""
    yield f"Applied: {counted(len(applied.done), 'step')}."
    if applied.found:
        yield f"Already in effect: {counted(len(applied.found), 'step')}."


def masked(address: str) -> str:
    """Give what may be shown of an e-mail address."""
    local, _, host = address.rpartition("@")
    return f"{local[:1]}…@{host}"


def _change_lines(change: Change) -> Iterator[str]:
    mark, colour, verb = _LOOKS[change.action]
    id_ = change.group_id or (change.partner_id if "partner" in change.action else None)
    where = f" in event {change.event_id}" if change.event_id else ""
    ids = f" ({id_})" if id_ else ""
    line = f"{mark} {change.number}. {verb} {clean(change.label)}{ids}{where}"
    if change.action == "send_claim_link":
        line += f" to {masked(change.body['emailAddress'])}"
    if change.action == "delete_group":
        places = change.before.get("maxCapacity")
        line += f": {places} places, {change.used} of them claimed"
    yield click.style(line, fg=colour)
    if change.action in ("send_claim_link", "delete_group"):
        return
    for name, value in change.body.items():
        before = change.before.get(name)
        if change.action.startswith("create"):
            yield f"      {name}: {_shorter(_shown(name, value))}"
            if name == "tickets":
                yield from _ticket_lines({}, tickets_of(value))
        else:
            yield from _field_lines(name, before, value)


def _field_lines(name: str, before: Any, value: Any) -> Iterator[str]:
    if name == "tickets":
        there, asked = tickets_of(before), tickets_of(value)
        if set(there) != set(asked):
            yield f"      {name}: {_shown(name, before)} → {_shown(name, value)}"
        yield from _ticket_lines(there, asked)
        return
    if isinstance(value, dict) and isinstance(before, dict):
        have, wanted = cast("dict[str, Any]", before), cast("dict[str, Any]", value)
        for key, each in wanted.items():
            if have.get(key) != each:
                yield from _field_lines(f"{name}.{key}", have.get(key), each)
        return
    one, other = _both(name, before, value)
    yield f"      {name}: {one} → {other}"


def _ticket_lines(have: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for ticket_id, ticket in wanted.items():
        before = have.get(ticket_id, {})
        for key, each in ticket.items():
            if key != "ticketId" and before.get(key) != each:
                yield from _field_lines(f"tickets.{ticket_id}.{key}", before.get(key), each)


def _both(name: str, before: Any, value: Any) -> tuple[str, str]:
    """Give both sides from a little before where they part: a long text may differ at its end."""
    one, other = _shown(name, before), _shown(name, value)
    if one == other:  # they differ in what can't be seen
        one, other = json.dumps(before), json.dumps(value)
    pairs = enumerate(zip(one, other, strict=False))
    cut = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other))) - _LEAD
    if cut > 0 and max(len(one), len(other)) > _CELL_MOST:
        one, other = f"…{one[cut:]}", f"…{other[cut:]}"
    return _shorter(one), _shorter(other)


def _shown(name: str, value: Any) -> str:
    if name == "contacts":
        return f"{len(value or [])} of them"
    if name == "tickets":
        return ", ".join(tickets_of(value)) or "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clean(text)


def _shorter(text: str) -> str:
    return text if len(text) <= _CELL_MOST else f"{text[: _CELL_MOST - 1]}…"
