"""Runs of commands that were killed: Dagster believes that they still run.

What belongs here: how runs of the command line are told from others, and ending dead ones. What
doesn't: running (`dagster_runs.py`).
"""

from __future__ import annotations

import os

import dagster as dg

_PROCESS_TAG = "ldt/process"
OURS = {"ldt/from": "command line", _PROCESS_TAG: str(os.getpid())}
"""Tags of a run from the command line, with the process that it is in."""


def release_dead_runs(instance: dg.DagsterInstance) -> None:
    """End runs of commands that were killed: else they keep their place in a pool for ever."""
    runs = instance.get_runs(
        dg.RunsFilter(
            tags={"ldt/from": "command line"},
            statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING],
        )
    )
    for run in runs:
        process = run.tags.get(_PROCESS_TAG, "")
        if process.isdecimal() and not _is_alive(int(process)):
            instance.report_run_failed(run, "The command that ran it was ended from outside.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier process had our number, or an earlier sync of ours failed
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
