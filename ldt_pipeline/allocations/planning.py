"""Finding the changes: what the file wants beside what is there.

What belongs here: which partner and group is meant, what differs, and what is wrong with a wish.
What doesn't: reading either side, warnings (`notices.py`), and making changes. Pure: no I/O.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from ldt_pipeline.allocations.drafts import (
    SHOWN_MOST,
    Drafts,
    Partner,
    alike,
    difference,
    external_of,
    is_id,
    label_of,
    partner_ids,
    scope_of,
    ticket_problems,
)
from ldt_pipeline.allocations.live import (
    PARTNER_FIELDS,
    Live,
    LiveEvent,
    Record,
    is_as_wanted,
    is_called,
    is_name,
    normal,
    partner_of,
    used_of,
)
from ldt_pipeline.allocations.nodes import AllocationsFileError, Place
from ldt_pipeline.allocations.notices import totals_of, warnings_of
from ldt_pipeline.allocations.plan import Plan, Scope
from ldt_pipeline.allocations.wanted import Wanted, WantedAllocation, WantedGroup, WantedPartner

AlreadySent = Callable[[str, str], bool]
"""Whether a claim link went, or may have gone, to (a group's or partner's id, an address)."""


def make_plan(
    wanted: Wanted,
    live: Live,
    *,
    base_url: str,
    already_sent: AlreadySent,
    now: dt.datetime,
) -> Plan:
    """Give the plan that leads from what is there to what is wanted.

    Args:
        wanted: The file.
        live: What is there.
        base_url: Whose state it is.
        already_sent: Which claim links are not to be sent again.
        now: The instant that the plan bears.

    Raises:
        AllocationsFileError: With a line for each wish that can't be met.
    """
    return _Planner(wanted, live, already_sent).plan(base_url, now)


class _Planner:
    def __init__(self, wanted: Wanted, live: Live, already_sent: AlreadySent) -> None:
        self._wanted = wanted
        self._live = live
        self._already_sent = already_sent
        self._wrong: list[str] = []
        self._notices: list[str] = []
        self._drafts = Drafts()
        self._scopes: list[tuple[Scope, int | None]] = []
        self._touched: dict[str, Record] = {}
        self._resolved: dict[str, Partner | None] = {}
        self._places: dict[str, Place] = {}
        self._shared_names: dict[str, list[str]] = {}

    def plan(self, base_url: str, now: dt.datetime) -> Plan:
        for partner in self._wanted.partners:
            self._plan_partner(partner)
        self._plan_events()
        if self._wrong:
            raise AllocationsFileError("\n".join(self._wrong))
        changes, numbers = self._drafts.in_order()
        scopes = tuple(
            msgspec.structs.replace(scope, partner_step=None if draft is None else numbers[draft])
            for scope, draft in self._scopes
        )
        event_ids = self._wanted.event_ids
        return Plan(
            made_at=now,
            base_url=base_url,
            changes=changes,
            warnings=(*self._notices, *warnings_of(self._live, changes, event_ids)),
            totals=totals_of(self._live, changes, event_ids),
            scopes=scopes,
            partners=self._touched,
        )

    # Partners

    def _plan_partner(self, wish: WantedPartner) -> None:
        found = self._find(wish.reference, wish.place)
        if found is None and wish.reference not in self._resolved:
            self._create_partner(wish)
            return
        if found is None or found.id is None:
            return
        first = self._places.setdefault(found.id, wish.place)
        if first is not wish.place:
            self._wrong.append(f"{wish.place}: partner {found.id} stands twice, first at {first}.")
            return
        self._note_name(normal(wish.fields.get("name", found.name)), found.id, found)
        live = self._live.partners.get(found.id, {})
        for name in ("type", "contacts"):
            if name in wish.fields and not is_as_wanted(name, live.get(name), wish.fields[name]):
                self._notices.append(
                    f"{wish.place}: `{name}` of partner {found.id} is not as in the file, and the "
                    "API can't change it: do that in the dashboard."
                )
        before, body = difference(
            live, {k: v for k, v in wish.fields.items() if k not in ("type", "contacts")}
        )
        self._touched[found.id] = {name: live.get(name) for name in PARTNER_FIELDS}
        if body:
            self._drafts.add(
                action="update_partner",
                label=found.name,
                partner_id=found.id,
                before=before,
                body=body,
            )
        self._links(wish.claim_links, found, label=found.name)

    def _note_name(self, name: str, partner_id: str, found: Partner) -> None:
        """Let events in the file use the name that a partner is about to get, if no other has it."""
        if not is_name(name):
            return
        same = [i for i, each in self._live.partners.items() if is_called(each, name)]
        if set(same) - {partner_id}:
            self._shared_names[name] = list(dict.fromkeys([partner_id, *same]))
        self._resolved.setdefault(name, found)

    def _create_partner(self, wish: WantedPartner) -> None:
        missing = [name for name in ("name", "contacts") if name not in wish.fields]
        if is_id(wish.reference) or external_of(wish.reference) or missing:
            needs = f"; to create it, it needs {' and '.join(missing)}" if missing else ""
            self._wrong.append(
                f"{wish.place}: there is no partner {wish.reference!r}{needs}."
                f"{alike(self._live, wish.reference)}"
            )
            self._resolved[wish.reference] = None
            return
        name = wish.fields["name"]
        same = [i for i, each in self._live.partners.items() if is_called(each, name)]
        if same or normal(name) in self._resolved:
            self._wrong.append(
                f"{wish.place}: there is no partner {wish.reference!r}, and one with the name "
                f"{name!r} can't be created, as there is one already ({', '.join(same) or 'new'})."
            )
            self._resolved[wish.reference] = None
            return
        draft = self._drafts.add(action="create_partner", label=name, body=wish.fields)
        created = Partner(None, name, draft)
        self._resolved[wish.reference] = self._resolved[normal(name)] = created
        self._links(wish.claim_links, created, label=name)

    def _find(self, reference: str, place: Place) -> Partner | None:
        """Give a partner that is there or planned; None, and why in `_wrong` if it is ambiguous."""
        if reference in self._resolved:
            return self._resolved[reference]
        ids = partner_ids(self._live, reference)
        if len(ids) > 1:
            self._refuse_shared(reference, ids, place)
            self._resolved[reference] = None
            return None
        if not ids:
            return None
        found = Partner(ids[0], str(self._live.partners.get(ids[0], {}).get("name") or ids[0]))
        self._resolved[reference] = found
        return found

    def _refuse_shared(self, name: str, ids: list[str], place: Place) -> None:
        shown = ", ".join(ids[:SHOWN_MOST])
        said = f"{len(ids)} partners are called {name!r}; name one by its id: {shown}."
        self._wrong.append(f"{place}: {said}")

    # Groups

    def _plan_events(self) -> None:
        seen: dict[tuple[str, str | int | None], Place] = {}
        claimed_ids: dict[tuple[str, str | None], Place] = {
            (each.event_id, group.id): group.place
            for each in self._wanted.allocations
            for group in each.groups
            if group.id is not None
        }
        for wish in self._wanted.allocations:
            event = self._live.events.get(wish.event_id)
            if event is None:
                self._wrong.append(
                    f"{wish.place}: there is no event {wish.event_id!r}, or the key may not see it. "
                    f"Known: {', '.join(self._live.events) or 'none of those in the file'}."
                )
                continue
            partner = self._partner_of(wish)
            if wish.partner is not None and partner is None:
                continue
            key = (wish.event_id, None if partner is None else partner.id or partner.draft)
            if key in seen:
                self._wrong.append(
                    f"{wish.place}: the same partner stands in event {wish.event_id} twice, first "
                    f"at {seen[key]}."
                )
                continue
            seen[key] = wish.place
            self._plan_scope(wish, event, partner, claimed_ids)

    def _partner_of(self, wish: WantedAllocation) -> Partner | None:
        if wish.partner is None:
            return None
        if wish.partner in self._shared_names:
            self._refuse_shared(wish.partner, self._shared_names[wish.partner], wish.place)
            return None
        found = self._find(wish.partner, wish.place)
        if found is None and wish.partner not in self._resolved:
            self._wrong.append(
                f"{wish.place}: there is no partner {wish.partner!r}; to create it, add it under "
                f"`partners` with its contacts.{alike(self._live, wish.partner)}"
            )
        return found

    def _plan_scope(
        self,
        wish: WantedAllocation,
        event: LiveEvent,
        partner: Partner | None,
        claimed_ids: dict[tuple[str, str | None], Place],
    ) -> None:
        is_new = partner is not None and partner.id is None
        partner_id = None if partner is None else partner.id
        there = {
            group_id: each
            for group_id, each in event.groups.items()
            if not is_new and partner_of(each) == partner_id
        }
        scope = scope_of(wish.event_id, partner_id, there)
        self._scopes.append((scope, partner.draft if partner else None))
        kept: set[str] = set()
        for group in wish.groups:
            group_id = self._match(group, there, claimed_ids, wish.event_id)
            live = there.get(group_id or "", {})
            self._wrong += ticket_problems(group, live, wish.event_id, event)
            if group_id is not None:
                kept.add(group_id)
                self._update_group(group, group_id, live, wish, partner)
            elif group.id is None:
                self._create_group(group, wish, partner)
        for group_id, each in there.items():
            if group_id not in kept:
                self._drafts.add(
                    action="delete_group",
                    label=label_of(partner, str(each.get("name") or group_id)),
                    event_id=wish.event_id,
                    partner_id=partner_id,
                    group_id=group_id,
                    used=used_of(each),
                    before={name: each.get(name) for name in ("name", "maxCapacity")},
                )

    def _match(
        self,
        group: WantedGroup,
        there: dict[str, Record],
        claimed_ids: dict[tuple[str, str | None], Place],
        event_id: str,
    ) -> str | None:
        if group.id is not None:
            if group.id in there:
                return group.id
            self._wrong.append(
                f"{group.place}: this partner has no group {group.id} in event {event_id}; it has "
                f"{', '.join(there) or 'none'}. Leave `id` out to create a group."
            )
            return None
        ids = [
            group_id
            for group_id, each in there.items()
            if is_called(each, group.name) and (event_id, group_id) not in claimed_ids
        ]
        if len(ids) > 1:
            self._wrong.append(
                f"{group.place}: {len(ids)} groups are called {group.name!r}; say which by `id`: "
                f"{', '.join(ids)}."
            )
        return ids[0] if ids else None

    def _update_group(
        self,
        group: WantedGroup,
        group_id: str,
        live: Record,
        wish: WantedAllocation,
        partner: Partner | None,
    ) -> None:
        fields = dict(group.fields)
        kind = fields.pop("type", None)
        if kind is not None and kind != live.get("type"):
            self._wrong.append(
                f"{group.place}: the type of group {group_id} is {live.get('type')}, and the API "
                "can't change it. Give the new group another name and take this one out."
            )
        before, body = difference(live, fields)
        label = label_of(partner, group.name or str(live.get("name") or group_id))
        if body:
            self._drafts.add(
                action="update_group",
                label=label,
                event_id=wish.event_id,
                partner_id=None if partner is None else partner.id,
                group_id=group_id,
                used=used_of(live),
                before=before,
                body=body,
            )
        self._links(
            group.claim_links,
            partner,
            label=label,
            event_id=wish.event_id,
            group_id=group_id,
            place=group.place,
        )

    def _create_group(
        self, group: WantedGroup, wish: WantedAllocation, partner: Partner | None
    ) -> None:
        needed = {"maxCapacity": "capacity", "tickets": "tickets", "type": "type"}
        missing = [shown for name, shown in needed.items() if name not in group.fields]
        if missing:
            self._wrong.append(
                f"{group.place}: the group {group.name!r} isn't there yet; to create it, it needs "
                f"{', '.join(missing)}."
            )
            return
        draft = self._drafts.add(
            action="create_group",
            label=label_of(partner, group.name),
            event_id=wish.event_id,
            partner_id=None if partner is None else partner.id,
            partner_step=None if partner is None else partner.draft,
            body=group.fields,
        )
        self._links(
            group.claim_links,
            partner,
            label=label_of(partner, group.name),
            event_id=wish.event_id,
            group_draft=draft,
            place=group.place,
        )

    def _links(
        self,
        addresses: tuple[str, ...],
        partner: Partner | None,
        *,
        label: str,
        event_id: str | None = None,
        group_id: str | None = None,
        group_draft: int | None = None,
        place: Place | None = None,
    ) -> None:
        if partner is None:
            if addresses:
                self._wrong.append(
                    f"{place}: the organiser's own groups have no partner to send a claim link to."
                )
            return
        has_group = group_id is not None or group_draft is not None
        target = group_id if has_group else partner.id
        for address in addresses:
            if target is not None and self._already_sent(target, address):
                continue
            self._drafts.add(
                action="send_claim_link",
                label=label,
                event_id=event_id,
                partner_id=partner.id,
                partner_step=partner.draft,
                group_id=group_id,
                group_step=group_draft,
                body={"emailAddress": address},
            )
