"""Lists whose totals differ from what we hold: which run is next, and when it is enough for now.

What belongs here: the order in which the daemon reconciles, as told by runs that have ended. What
doesn't: whether totals differ (`sync/plan.py`), and reconciling (`sync/reconcile.py`).

Rosters come first, as `ldt sync` has it, and the list as a whole where they didn't explain it: a race
that nobody has heard of has no roster to compare. What neither explains (a total that is wrong, a list
that can't be read to its end) would be the same a minute later, and each try may read a million records.

A list that changes all the time, as on a day of sales, has no total that stands still: there the last
comparison after a load tells whether it is short or long. It must not wait for a quiet minute, as nothing
is published until then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from ldt_pipeline.defs.jobs import RECONCILE, reconcile_config
from ldt_pipeline.defs.unfinished import has_ended
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.instants import now
from ldt_pipeline.sync.plan import FeedPlan
from ldt_pipeline.sync.state import State
from ldt_pipeline.warehouse.outcomes import API_TOTALS

_AGAIN_AFTER = dt.timedelta(hours=1)
"""So long what a list says stays unexplained, unless one of the two numbers changes."""
_FAILED_AGAIN_AFTER = dt.timedelta(minutes=10)

_ROSTERS, _WHOLE, _LATER = "rosters", "whole list", "later"


def reconcile_requests(
    instance: dg.DagsterInstance, plans: list[FeedPlan], state: State
) -> Iterator[dg.RunRequest]:
    """Request the runs that lists call for which are short or long; none where it was tried just now."""
    # What waits to be loaded is not missing; but while a list moves, something always waits.
    is_loaded = not state.pending_extracts
    on_the_move = state.uneven if _is_compared(instance) else {}
    unexplained = {
        plan.feed.name: _unexplained(plan, state)
        for plan in plans
        if (plan.is_short_or_long and is_loaded)
        or (plan.months is not None and plan.feed.name in on_the_move)
    }
    steps = {name: _next_step(instance, name, what) for name, what in unexplained.items()}
    for step in (_ROSTERS, _WHOLE):
        feeds = [name for name, next_step in steps.items() if next_step == step]
        if feeds:
            yield dg.RunRequest(
                job_name=RECONCILE,
                run_config=reconcile_config(whole=step == _WHOLE, feeds=feeds),
                tags={
                    key: value
                    for name in feeds
                    for key, value in _tags(name, unexplained[name], step).items()
                },
            )


def _is_compared(instance: dg.DagsterInstance) -> bool:
    """Whether what was last reconciled has been loaded since, and lists compared after that."""
    reconciled, loaded, compared = (
        next((each.storage_id for each in instance.fetch_materializations(key, limit=1).records), 0)
        for key in map(dg.AssetKey, ("raw_deletions", PARTICIPANTS.entity, API_TOTALS))
    )
    return reconciled < loaded < compared


def _unexplained(plan: FeedPlan, state: State) -> str:
    """Say what a run is to explain: while it is the same, it needn't be tried again soon."""
    if plan.is_short_or_long:
        return f"{state.held.get(plan.feed.name, 0)} held, {plan.totals.total} in the API"
    agreed_at = state.uneven[plan.feed.name]
    return f"moving, last agreed {agreed_at:%Y-%m-%d %H:%M:%S}" if agreed_at else "moving"


def _next_step(instance: dg.DagsterInstance, name: str, unexplained: str) -> str:
    moment = now()
    whole = _tags(name, unexplained, _WHOLE)
    if has_ended(instance, RECONCILE, whole, since=moment - _FAILED_AGAIN_AFTER) or has_ended(
        instance, RECONCILE, whole, since=moment - _AGAIN_AFTER, is_success=True
    ):
        return _LATER
    rosters = _tags(name, unexplained, _ROSTERS)
    is_tried = has_ended(instance, RECONCILE, rosters, since=moment - _AGAIN_AFTER, is_success=True)
    return _WHOLE if is_tried else _ROSTERS


def _tags(name: str, unexplained: str, step: str) -> dict[str, str]:
    """Give the tag that says what a run is to explain, and how."""
    return {f"ldt/{name}": f"{unexplained}: {step}"}
