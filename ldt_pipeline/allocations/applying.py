"""Applying a plan exactly once: each step is read back before anything is sent for it twice.

What belongs here: the order of journal, request and read-back. What doesn't: what a state is
compared by (`live.py`, `moved.py`), and showing progress (`cli/`).

The API has no idempotency keys. So a step is sent only when a reading shows that it is not in
effect, and after a failure that leaves it open it is read again, for as long as the request may
still be on its way. A claim link can't be read back: it is sent once, and never again unless the API
said that it refused it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ldt_pipeline.allocations.journal import IN_EFFECT, Entry, Journal, State
from ldt_pipeline.allocations.live import (
    capacity_of,
    has_fields,
    is_called,
    partner_of,
    read_group,
    read_groups,
    read_live,
    read_partners,
    used_of,
)
from ldt_pipeline.allocations.moved import claimed_deletions, crowded_groups, is_crowded, moves
from ldt_pipeline.allocations.plan import Change, Plan
from ldt_pipeline.api import writes
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import ApiError, NotFoundError, UnclearWriteError

_TRIES = 5
_MOVES_SHOWN = 10
_THROTTLED_SECONDS_MOST = 120.0


class ApplyError(Exception):
    """A plan that can't be applied, or not to its end; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to read back before an unclear write counts as lost.

    A proxy may answer for a server that is still at work: `settle_seconds` are the pauses before
    each reading.
    """

    settle_seconds: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    throttled_seconds: float = 5.0


@dataclass(kw_only=True)
class Applied:
    """What came of a plan: steps by number."""

    done: list[int] = field(default_factory=list[int])
    found: list[int] = field(default_factory=list[int])
    unclear_links: list[int] = field(default_factory=list[int])
    event_ids: list[str] = field(default_factory=list[str])


def apply_plan(
    client: Client,
    plan: Plan,
    folder: Path,
    *,
    allow_delete_claimed: bool = False,
    patience: Patience | None = None,
    progress: Callable[[Change], None] = lambda _change: None,
) -> Applied:
    """Do what a plan says, or the rest of it where it was begun.

    Args:
        client: The account that the plan is for.
        plan: What to do.
        folder: Where the journal lies.
        allow_delete_claimed: Whether groups with claimed places may be deleted.
        patience: How long to read back.
        progress: Told of each change when it is in effect.

    Raises:
        ApplyError: The live state has moved, or a step has no certain end.
        ApplyBusyError: Another process applies.
        ApiError: A request was refused, or a reading failed. Applying again goes on.
    """
    if plan.base_url != client.base_url:
        raise ApplyError(
            "The plan was made for another address of the API than LDT_API_BASE_URL. Plan again."
        )
    with Journal(folder).held() as journal:
        run = _Run(client, plan, journal, allow_delete_claimed, patience or Patience())
        run.refuse_moves()
        for change in plan.changes:
            run.perform(change)
            progress(change)
        run.refuse_doubles()
        return run.applied


class _Run:
    def __init__(
        self,
        client: Client,
        plan: Plan,
        journal: Journal,
        allow_delete_claimed: bool,
        patience: Patience,
    ) -> None:
        self._client = client
        self._plan = plan
        self._hash = plan.hash
        self._journal = journal
        self._allow_delete_claimed = allow_delete_claimed
        self._patience = patience
        self._ids: dict[int, str] = {}
        event_ids = dict.fromkeys(scope.event_id for scope in plan.scopes)
        self.applied = Applied(event_ids=list(event_ids))

    def refuse_moves(self) -> None:
        """Raise unless everything is as the plan found it or makes it."""
        self._settle_open_creations()
        live = self._live = read_live(self._client, self.applied.event_ids)
        found = list(moves(self._plan, live, lambda change: self._ids.get(change.number)))
        if found:
            shown = " ".join(found[:_MOVES_SHOWN])
            more = f" And {len(found) - _MOVES_SHOWN} more." if len(found) > _MOVES_SHOWN else ""
            raise ApplyError(
                f"Nothing was applied: the live state has moved since the plan was made. {shown}"
                f"{more} Plan again."
            )
        claimed = claimed_deletions(self._plan, live)
        if claimed and not self._allow_delete_claimed:
            raise ApplyError(
                f"Nothing was applied: {len(claimed)} groups to be deleted have claimed places "
                f"({', '.join(claimed[:_MOVES_SHOWN])}). --allow-delete-claimed deletes them all "
                "the same; those who entered keep their entries, if the API keeps them."
            )
        crowded = crowded_groups(self._plan, live)
        if crowded:
            raise ApplyError(
                f"Nothing was applied: {len(crowded)} groups are to get fewer places than have been "
                f"claimed since the plan was made ({', '.join(crowded[:_MOVES_SHOWN])}). Plan again."
            )

    def perform(self, change: Change) -> None:
        """Bring one step into effect."""
        if change.action == "send_claim_link":
            self._send_link(change)
            return
        if self._was_in_effect(change):
            lines = self._journal.of_step(self._hash, change.number)
            if not lines or lines[-1].state not in IN_EFFECT:
                self._write(change, "confirmed" if lines else "found")
            self.applied.found.append(change.number)
            return
        self._send_until_certain(change)
        self.applied.done.append(change.number)

    # Sending

    def _send_until_certain(self, change: Change) -> None:
        for _ in range(_TRIES):
            if change.action == "delete_group" and not self._may_delete(change):
                self._write(change, "confirmed")
                return
            if change.action == "update_group":
                self._require_room(change)
            self._write(change, "sending")
            try:
                self._send(change)
            except UnclearWriteError as error:
                self._write(change, "unclear", error)
                if self._settles(change):
                    self._write(change, "confirmed")
                    return
                self._write(change, "absent")
            except writes.ThrottledWriteError as error:
                self._write(change, "refused", error)
                wait = error.wait_seconds
                pause = self._patience.throttled_seconds if wait is None else wait
                time.sleep(min(pause, _THROTTLED_SECONDS_MOST))
            except NotFoundError as error:
                if change.action == "delete_group":
                    self._write(change, "confirmed")
                    return
                self._write(change, "refused", error)
                raise
            except ApiError as error:
                self._write(change, "refused", error)
                raise
            else:
                self._write(change, "done")
                return
        raise ApplyError(
            f"Step {change.number} ({change.action}) was sent {_TRIES} times and is still not in "
            "effect. What came before is. Try again later with the same plan."
        )

    def _send(self, change: Change) -> None:
        match change.action:
            case "create_partner":
                self._remember(change, writes.create_partner(self._client, change.body))
            case "update_partner":
                writes.update_partner(self._client, str(change.partner_id), change.body)
            case "create_group":
                partner_id = self._partner_id(change)
                body = {**change.body, "partnerId": partner_id} if partner_id else change.body
                self._remember(
                    change, writes.create_group(self._client, str(change.event_id), body)
                )
            case "update_group":
                writes.update_group(self._client, str(change.group_id), change.body)
            case "delete_group":
                writes.delete_group(self._client, str(change.group_id))
            case "send_claim_link":
                raise ValueError("claim links are sent by themselves")

    def _remember(self, change: Change, answer: bytes) -> None:
        record_id = json.loads(answer).get("id")
        if not record_id:
            raise UnclearWriteError(f"The answer to step {change.number} names no id.")
        self._ids[change.number] = str(record_id)

    def _may_delete(self, change: Change) -> bool:
        """Whether a group is there to be deleted; raises where it has claims by now."""
        group = read_group(self._client, str(change.group_id))
        if group is None:
            return False
        if used_of(group) and not self._allow_delete_claimed:
            raise ApplyError(
                f"Group {change.group_id} was not deleted: {used_of(group)} of its places have been "
                "claimed. What came before is in effect. Plan again, or --allow-delete-claimed."
            )
        return True

    def _require_room(self, change: Change) -> None:
        """Raise where places that a group is to lose were claimed while the plan was applied."""
        is_smaller = change.body.get("maxCapacity", math.inf) < capacity_of(change.before)
        if is_smaller and is_crowded(change, read_group(self._client, str(change.group_id)) or {}):
            raise ApplyError(
                f"Group {change.group_id} did not get fewer places, as more have been claimed "
                "meanwhile. What came before is in effect. Plan again."
            )

    def _send_link(self, change: Change) -> None:
        partner_id = self._partner_id(change)
        group_id = change.group_id
        if change.group_step is not None:
            group_id = self._ids[change.group_step]
        target = group_id or partner_id
        known = self._journal.link_state(str(target), change.body["emailAddress"])
        if known is not None:
            # Sent, or perhaps: by an apply that was killed between request and answer.
            (self.applied.found if known == "done" else self.applied.unclear_links).append(
                change.number
            )
            return
        body = dict(change.body)
        if group_id is not None:
            body["reservedEntryId"] = group_id
        ids = {"partner_id": partner_id, "group_id": group_id}
        self._journal.write(self._hash, change, "sending", **ids)
        try:
            writes.create_claim_link(self._client, str(partner_id), body)
        except UnclearWriteError as error:
            self._journal.write(self._hash, change, "unclear", **ids, error=type(error).__name__)
            self.applied.unclear_links.append(change.number)
        except ApiError as error:
            self._journal.write(self._hash, change, "refused", **ids, error=type(error).__name__)
            raise
        else:
            self._journal.write(self._hash, change, "done", **ids)
            self.applied.done.append(change.number)

    # Reading back

    def _was_in_effect(self, change: Change) -> bool:
        """Whether a step was in effect when the live state was read."""
        match change.action:
            case "create_partner" | "create_group":
                return change.number in self._ids
            case "update_partner":
                return has_fields(self._live.partners.get(str(change.partner_id), {}), change.body)
            case "update_group":
                groups = self._live.events[str(change.event_id)].groups
                return has_fields(groups.get(str(change.group_id), {}), change.body)
            case _:
                groups = self._live.events[str(change.event_id)].groups
                return str(change.group_id) not in groups

    def refuse_doubles(self) -> None:
        """Raise where a creation that was sent twice is there twice: the first arrived late."""
        for change in self._plan.changes:
            lines = self._journal.of_step(self._hash, change.number)
            is_creation = change.action in ("create_partner", "create_group")
            if not is_creation or sum(each.state == "sending" for each in lines) < 2:
                continue
            first = self._ids[change.number]
            if self._in_effect(change):
                raise ApplyError(
                    f"Step {change.number} ({change.action}) is there twice, as {first} and "
                    f"{self._ids[change.number]}: the API answered a request that it had kept. "
                    "Delete the second one, then plan again."
                )

    def _settle_open_creations(self) -> None:
        """Find what an earlier apply of this plan created, also where it died before the answer."""
        for change in self._plan.changes:
            lines = self._journal.of_step(self._hash, change.number)
            if change.action not in ("create_partner", "create_group") or not lines:
                continue
            in_effect = [each for each in lines if each.state in IN_EFFECT]
            if in_effect:
                self._note_id(change, in_effect[-1])
            elif lines[-1].state in ("sending", "unclear"):
                self._settles(change)
            elif lines[-1].state == "absent":
                self._in_effect(change)

    def _settles(self, change: Change) -> bool:
        for pause in self._patience.settle_seconds:
            time.sleep(pause)
            if self._in_effect(change):
                return True
        return False

    def _in_effect(self, change: Change) -> bool:
        match change.action:
            case "create_partner":
                return self._finds_partner(change)
            case "create_group":
                return self._finds_group(change)
            case "update_partner":
                partner = read_partners(self._client).get(str(change.partner_id), {})
                return has_fields(partner, change.body)
            case "update_group":
                return has_fields(read_group(self._client, str(change.group_id)) or {}, change.body)
            case _:
                return read_group(self._client, str(change.group_id)) is None

    def _finds_partner(self, change: Change) -> bool:
        if not self._was_sent(change):
            return False
        taken = set(self._plan.partners) | set(self._ids.values())
        for partner_id, partner in read_partners(self._client).items():
            if partner_id not in taken and is_called(partner, change.body["name"]):
                self._ids[change.number] = partner_id
                return True
        return False

    def _finds_group(self, change: Change) -> bool:
        if not self._was_sent(change):
            return False
        taken = {group_id for scope in self._plan.scopes for group_id in scope.groups}
        taken |= set(self._ids.values())
        partner_id = self._partner_id(change)
        for group_id, group in read_groups(self._client, str(change.event_id)).items():
            is_alike = is_called(group, change.body["name"]) and partner_of(group) == partner_id
            if is_alike and group_id not in taken:
                self._ids[change.number] = group_id
                return True
        return False

    def _was_sent(self, change: Change) -> bool:
        """Whether a creation ever left: what was never sent can't be found."""
        lines = self._journal.of_step(self._hash, change.number)
        return any(each.state == "sending" for each in lines)

    # Helpers

    def _partner_id(self, change: Change) -> str | None:
        if change.partner_step is not None:
            return self._ids.get(change.partner_step)
        return change.partner_id

    def _note_id(self, change: Change, entry: Entry) -> None:
        if change.action == "create_partner":
            self._ids[change.number] = str(entry.partner_id)
        elif change.action == "create_group":
            self._ids[change.number] = str(entry.group_id)

    def _write(self, change: Change, state: State, error: ApiError | None = None) -> None:
        created = self._ids.get(change.number)
        self._journal.write(
            self._hash,
            change,
            state,
            partner_id=created if change.action == "create_partner" else self._partner_id(change),
            group_id=created if change.action == "create_group" else change.group_id,
            error=type(error).__name__ if error else None,
        )
