"""Finding the changes: what the file wants beside what is there.

What belongs here: which group is meant, what differs, and what is wrong with a wish. What doesn't:
partners (`partners.py`), reading either side, warnings (`notices.py`), and making changes. Pure: no I/O.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from ldt_pipeline.allocations.claim_links import AlreadySent, ClaimLinks
from ldt_pipeline.allocations.drafts import (
    Findings,
    Partner,
    difference,
    label_of,
    scope_of,
    ticket_problems,
)
from ldt_pipeline.allocations.live import (
    Live,
    LiveEvent,
    Record,
    is_called,
    partner_of,
    used_of,
)
from ldt_pipeline.allocations.nodes import AllocationsFileError, Place
from ldt_pipeline.allocations.notices import totals_of, warnings_of
from ldt_pipeline.allocations.partners import Partners
from ldt_pipeline.allocations.plan import Plan, Scope
from ldt_pipeline.allocations.wanted import Wanted, WantedAllocation, WantedGroup


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
        self._findings = Findings()
        self._links = ClaimLinks(self._findings, already_sent)
        self._partners = Partners(live, self._findings, self._links)
        self._scopes: list[tuple[Scope, int | None]] = []

    def plan(self, base_url: str, now: dt.datetime) -> Plan:
        for partner in self._wanted.partners:
            self._partners.plan(partner)
        self._plan_events()
        if self._findings.wrong:
            raise AllocationsFileError("\n".join(self._findings.wrong))
        changes, numbers = self._findings.drafts.in_order()
        scopes = tuple(
            msgspec.structs.replace(scope, partner_step=None if draft is None else numbers[draft])
            for scope, draft in self._scopes
        )
        event_ids = self._wanted.event_ids
        return Plan(
            made_at=now,
            base_url=base_url,
            changes=changes,
            warnings=(*self._findings.notices, *warnings_of(self._live, changes, event_ids)),
            totals=totals_of(self._live, changes, event_ids),
            scopes=scopes,
            partners=self._partners.touched,
        )

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
                self._findings.wrong.append(
                    f"{wish.place}: there is no event {wish.event_id!r}, or the key may not see it. "
                    f"Known: {', '.join(self._live.events) or 'none of those in the file'}."
                )
                continue
            partner = self._partners.of(wish)
            if wish.partner is not None and partner is None:
                continue
            key = (wish.event_id, None if partner is None else partner.id or partner.draft)
            if key in seen:
                self._findings.wrong.append(
                    f"{wish.place}: the same partner stands in event {wish.event_id} twice, first "
                    f"at {seen[key]}."
                )
                continue
            seen[key] = wish.place
            self._plan_scope(wish, event, partner, claimed_ids)

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
            self._findings.wrong += ticket_problems(group, live, wish.event_id, event)
            if group_id is not None:
                kept.add(group_id)
                self._update_group(group, group_id, live, wish, partner)
            elif group.id is None:
                self._create_group(group, wish, partner)
        for group_id, each in there.items():
            if group_id not in kept:
                self._findings.drafts.add(
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
            self._findings.wrong.append(
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
            self._findings.wrong.append(
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
            self._findings.wrong.append(
                f"{group.place}: the type of group {group_id} is {live.get('type')}, and the API "
                "can't change it. Give the new group another name and take this one out."
            )
        before, body = difference(live, fields)
        label = label_of(partner, group.name or str(live.get("name") or group_id))
        if body:
            self._findings.drafts.add(
                action="update_group",
                label=label,
                event_id=wish.event_id,
                partner_id=None if partner is None else partner.id,
                group_id=group_id,
                used=used_of(live),
                before=before,
                body=body,
            )
        self._links.draft(
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
            self._findings.wrong.append(
                f"{group.place}: the group {group.name!r} isn't there yet; to create it, it needs "
                f"{', '.join(missing)}."
            )
            return
        draft = self._findings.drafts.add(
            action="create_group",
            label=label_of(partner, group.name),
            event_id=wish.event_id,
            partner_id=None if partner is None else partner.id,
            partner_step=None if partner is None else partner.draft,
            body=group.fields,
        )
        self._links.draft(
            group.claim_links,
            partner,
            label=label_of(partner, group.name),
            event_id=wish.event_id,
            group_draft=draft,
            place=group.place,
        )
