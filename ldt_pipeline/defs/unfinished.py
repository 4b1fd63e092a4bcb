"""Runs that aren't over, and those that have just ended: what isn't asked for again.

What belongs here: asking Dagster for them. What doesn't: runs whose process died (`dead_runs.py`).
"""

import datetime as dt
from collections.abc import Mapping

import dagster as dg

ASSETS_BY_THEMSELVES = "__ASSET_JOB"
"""What Dagster calls the job of runs that automation or a person starts of chosen assets."""

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

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
        job_name=job_name, tags=dict(tags or {}), statuses=statuses, updated_after=since
    )
    return bool(instance.get_runs(found, limit=1))
