"""Runs that aren't over, and those that have just ended: what isn't asked for again.

What belongs here: asking Dagster for them. What doesn't: runs whose process died (`dead_runs.py`).
"""

import datetime as dt
from collections.abc import Mapping
from itertools import takewhile

import dagster as dg

from ldt_pipeline.instants import now

ASSETS_BY_THEMSELVES = "__ASSET_JOB"
"""What Dagster calls the job of runs that automation or a person starts of chosen assets."""

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

_RESTS_MINUTES_MOST = 30
_CLOCKS_DIFFER = dt.timedelta(minutes=1)
"""What ended later than this after now ended while the clock was ahead. It must keep nothing back until
that instant comes."""
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def is_running(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Whether a run of a job isn't over."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED), limit=1)
    return bool(runs)


def running_partitions(instance: dg.DagsterInstance, job_name: str) -> set[str]:
    """Give the keys of the partitions that a run of a job isn't over for."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED))
    return {each.tags["dagster/partition"] for each in runs if "dagster/partition" in each.tags}


def has_ended(
    instance: dg.DagsterInstance,
    job_name: str,
    tags: Mapping[str, str] | None = None,
    *,
    since: dt.datetime,
    is_success: bool = False,
) -> bool:
    """Whether a run of a job has failed, or was cancelled, that ended after an instant.

    Or, for `is_success`, one that succeeded.
    """
    statuses = [dg.DagsterRunStatus.SUCCESS] if is_success else _ENDED_BADLY
    found = dg.RunsFilter(
        job_name=job_name,
        tags=dict(tags or {}),
        statuses=statuses,
        updated_after=since,
        updated_before=now() + _CLOCKS_DIFFER,
    )
    return bool(instance.get_runs(found, limit=1))


def rests(instance: dg.DagsterInstance, job_name: str, moment: dt.datetime) -> bool:
    """Whether a job isn't to be tried again yet: a minute after it failed for each time in a row.

    Half an hour at most. What fails by itself, as with a key that was revoked, would leave thousands
    of failed runs over a weekend.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=job_name), limit=_RESTS_MINUTES_MOST)
    failed = list(takewhile(lambda each: each.dagster_run.status in _ENDED_BADLY, records))
    if not failed:
        return False
    ended_at = failed[0].update_timestamp
    return ended_at - _CLOCKS_DIFFER < moment < ended_at + dt.timedelta(minutes=len(failed))
