"""Runs of commands that were killed: Dagster believes that they still run.

What belongs here: how runs of the command line are told from others, and ending dead ones. What
doesn't: running (`dagster_runs.py`).

Whoever holds the right to sync a data folder knows that no other command runs in it, so a run of one
that is not over is dead. The number of its process would not tell: in a container every process may
have the same.
"""

from __future__ import annotations

import dagster as dg

from ldt_pipeline.settings import Settings


def our_tags(settings: Settings) -> dict[str, str]:
    """Give the tags of runs from the command line: where they come from, and of which data folder."""
    return {"ldt/from": "command line", "ldt/data_folder": str(settings.data_dir.resolve())}


def release_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> int:
    """End runs of commands that were killed: else they keep their place in a pool for ever.

    The caller has the right to sync. Gives how many there were.
    """
    runs = instance.get_runs(
        dg.RunsFilter(
            tags=our_tags(settings),
            statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING],
        )
    )
    for run in runs:
        instance.report_run_failed(run, "The command that ran it was ended from outside.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(runs)
