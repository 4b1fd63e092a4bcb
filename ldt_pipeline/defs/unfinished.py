"""Runs that aren't over: what is under way isn't asked for again.

What belongs here: asking Dagster for them. What doesn't: runs whose process died (`dead_runs.py`).
"""

import dagster as dg

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def is_running(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Whether a run of a job isn't over."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED), limit=1)
    return bool(runs)


def running_partitions(instance: dg.DagsterInstance, job_name: str) -> set[str]:
    """Give the keys of the partitions that a run of a job isn't over for."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED))
    return {each.tags["dagster/partition"] for each in runs if "dagster/partition" in each.tags}
