"""Plans that wait in the data folder: made on a schedule, looked at, and applied by their hash.

What belongs here: the agreed file planned against the live state, and the diff in words that may
stand in the UI: ids and numbers, no names and no addresses.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from ldt_pipeline.allocations.journal import Journal
from ldt_pipeline.allocations.live import read_live
from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.allocations.plan import Change, Plan, read_plan, save_plan
from ldt_pipeline.allocations.planning import make_plan
from ldt_pipeline.allocations.wanted import read_wanted
from ldt_pipeline.api.client import Client
from ldt_pipeline.instants import now

_HASH = re.compile(r"[0-9a-f]{16}")
_LINES_MOST = 200
_KEPT = dt.timedelta(days=30)
"""So long a plan waits to be approved. It holds contacts and addresses, and nobody approves an older
one: the account has moved since."""
_MARKS = {"create": "+", "update": "!", "delete": "-", "send": "+"}


def plan_agreed(client: Client, file: Path, folder: Path) -> Plan:
    """Plan the agreed file, and keep the plan under its hash where it changes anything.

    Plans that have waited for longer than 30 days are deleted.

    Raises:
        AllocationsFileError: The file is wrong.
        ApiError: The live state could not be read.
    """
    wanted = read_wanted(file)
    plan = make_plan(
        wanted,
        read_live(client, wanted.event_ids),
        base_url=client.base_url,
        already_sent=Journal(folder).may_have_sent,
        now=now(),
    )
    delete_old_plans(folder, now())
    if plan.changes:
        save_plan(plan, _path(folder, plan.hash))
    return plan


def delete_old_plans(folder: Path, at: dt.datetime) -> int:
    """Delete plans that have waited for longer than 30 days; gives their number."""
    old = [
        path
        for path in plans_dir(folder).glob("*.json")
        if at - dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC) > _KEPT
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def plans_dir(folder: Path) -> Path:
    """Give where plans wait. They hold contacts and addresses."""
    return folder / "plans"


def approved_plan(folder: Path, plan_hash: str) -> Plan:
    """Give the plan that was approved.

    Raises:
        AllocationsFileError: There is none with this hash, or it isn't what it was.
    """
    if not _HASH.fullmatch(plan_hash):
        raise AllocationsFileError(
            "`plan_hash` must be the sixteen digits that the allocation_plan asset shows."
        )
    path = _path(folder, plan_hash)
    if not path.exists():
        raise AllocationsFileError(
            f"There is no plan {plan_hash} in {path.parent}. Materialise allocation_plan, look at "
            "its diff, and take the hash that it shows."
        )
    plan = read_plan(path)
    if plan.hash != plan_hash:
        raise AllocationsFileError(f"{path} holds another plan than its name says. Plan again.")
    return plan


def diff_markdown(plan: Plan) -> str:
    """Give the diff as Markdown: a block of code, in which nothing becomes a link."""
    if not plan.changes:
        return "What is there is what the file says."
    lines = [_line(change) for change in plan.changes[:_LINES_MOST]]
    if len(plan.changes) > _LINES_MOST:
        lines.append(f"… and {len(plan.changes) - _LINES_MOST} more")
    return "\n".join(["```diff", *lines, "```"])


def _line(change: Change) -> str:
    mark = _MARKS[change.action.split("_", 1)[0]]
    what = change.action.replace("_", " ")
    of = change.group_id or change.partner_id or "(new)"
    where = f" in event {change.event_id}" if change.event_id else ""
    fields = [
        f"{name} {change.before.get(name)} → {value}" if name == "maxCapacity" else name
        for name, value in change.body.items()
        if change.action != "send_claim_link"
    ]
    return f"{mark} {change.number}. {what} {of}{where}: {', '.join(fields)}".rstrip(": ")


def _path(folder: Path, plan_hash: str) -> Path:
    return plans_dir(folder) / f"{plan_hash}.json"
