"""A plan: the writes that lead from what is there to what is wanted, as a file with a hash.

What belongs here: its form. What doesn't: finding the changes (`planning.py`) and making them
(`applying.py`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from upath import UPath

from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.raw.files import write_durably

Action = Literal[
    "create_partner",
    "update_partner",
    "update_group",
    "delete_group",
    "create_group",
    "send_claim_link",
]

ACTIONS: tuple[Action, ...] = (
    "create_partner",
    "update_partner",
    "update_group",
    "delete_group",
    "create_group",
    "send_claim_link",
)
"""In the order in which they are done, but for groups that grow, which come after those deleted: places
are freed before they are given away."""

VERSION = 1


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One write. What an earlier step creates is named by that step's number.

    `before` and `body` hold the same fields, as they are and as they are sent. `body` of a claim
    link holds an e-mail address: it is shown in no log.
    """

    number: int
    action: Action
    label: str
    event_id: str | None = None
    partner_id: str | None = None
    partner_step: int | None = None
    group_id: str | None = None
    group_step: int | None = None
    used: int = 0
    before: dict[str, Any] = {}
    body: dict[str, Any] = {}


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """All groups of a partner (None: the organiser, or one to be created) in an event."""

    event_id: str
    partner_id: str | None
    partner_step: int | None = None
    groups: dict[str, dict[str, Any]]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """An event's groups and places, before and after."""

    event_id: str
    groups_before: int
    groups_after: int
    places_before: int
    places_after: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and the state that it was made from."""

    version: int = VERSION
    made_at: dt.datetime
    base_url: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    totals: tuple[Totals, ...]
    scopes: tuple[Scope, ...]
    partners: dict[str, dict[str, Any]]

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that stand for exactly this plan."""
        return hashlib.sha256(_bytes(self)).hexdigest()[:16]

    def count(self, action: Action) -> int:
        """Give how many changes of a kind there are."""
        return sum(each.action == action for each in self.changes)


class _Saved(msgspec.Struct, kw_only=True):
    hash: str
    plan: msgspec.Raw


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file of its owner's alone, whole or not at all.

    Raises:
        OSError: The file can't be written.
    """
    content = msgspec.json.encode({"hash": plan.hash, "plan": msgspec.Raw(_bytes(plan))})
    write_durably(UPath(os.path.abspath(path)), content)  # noqa: PTH100 - a link stays one


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        AllocationsFileError: It is none, was changed by hand, or is of another version.
    """
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
        plan = msgspec.json.decode(saved.plan, type=Plan)
    except OSError as error:
        raise AllocationsFileError(f"{path}: can't be read ({error.strerror}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AllocationsFileError(
            f"{path}: is no plan. Make one with `ldt allocations plan FILE --out {path.name}`."
        ) from None
    if plan.version != VERSION:
        raise AllocationsFileError(f"{path}: is a plan of another version. Plan again.")
    if plan.hash != saved.hash:
        raise AllocationsFileError(
            f"{path}: was changed after it was made, so nobody has reviewed it. Plan again."
        )
    return plan


def _bytes(plan: Plan) -> bytes:
    return msgspec.json.encode(plan, order="sorted")
