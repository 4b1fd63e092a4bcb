"""Lists whose totals differ from what we hold: which run is next, and when it is enough for now.

What belongs here: the order in which the daemon reconciles, as told by runs that have ended. What
doesn't: whether totals differ (`sync/plan.py`), and reconciling (`sync/reconcile.py`).

Rosters come first, as `ldt sync` has it, and the list as a whole where they didn't explain it: a race
that nobody has heard of has no roster to compare. What neither explains (a total that is wrong, a list
that can't be read to its end) would be the same a minute later, and each try may read a million records.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import dagster as dg

from ldt_pipeline.defs.jobs import RECONCILE, reconcile_config
from ldt_pipeline.defs.unfinished import has_ended
from ldt_pipeline.instants import now
from ldt_pipeline.sync.plan import FeedPlan

_AGAIN_AFTER = dt.timedelta(hours=1)
"""So long what a list says stays unexplained, unless one of the two numbers changes."""
_FAILED_AGAIN_AFTER = dt.timedelta(minutes=10)

_ROSTERS, _WHOLE, _LATER = "rosters", "whole list", "later"


def reconcile_requests(
    instance: dg.DagsterInstance, plans: list[FeedPlan], held: Mapping[str, int]
) -> Iterator[dg.RunRequest]:
    """Request the runs that lists call for which are short or long; none where it was tried just now."""
    steps = {
        plan.feed.name: _next_step(instance, plan, held.get(plan.feed.name, 0))
        for plan in plans
        if plan.is_short_or_long
    }
    for step in (_ROSTERS, _WHOLE):
        feeds = [name for name, next_step in steps.items() if next_step == step]
        if feeds:
            yield dg.RunRequest(
                job_name=RECONCILE,
                run_config=reconcile_config(whole=step == _WHOLE, feeds=feeds),
                tags={
                    key: value
                    for plan in plans
                    if plan.feed.name in feeds
                    for key, value in _tags(plan, held.get(plan.feed.name, 0), step).items()
                },
            )


def _next_step(instance: dg.DagsterInstance, plan: FeedPlan, held: int) -> str:
    moment = now()
    whole = _tags(plan, held, _WHOLE)
    if has_ended(instance, RECONCILE, whole, since=moment - _FAILED_AGAIN_AFTER) or has_ended(
        instance, RECONCILE, whole, since=moment - _AGAIN_AFTER, is_success=True
    ):
        return _LATER
    rosters = _tags(plan, held, _ROSTERS)
    is_tried = has_ended(instance, RECONCILE, rosters, since=moment - _AGAIN_AFTER, is_success=True)
    return _WHOLE if is_tried else _ROSTERS


def _tags(plan: FeedPlan, held: int, step: str) -> dict[str, str]:
    """Give the tag that says what a run is to explain: both numbers, and how."""
    return {f"ldt/{plan.feed.name}": f"{held} held, {plan.totals.total} in the API: {step}"}
