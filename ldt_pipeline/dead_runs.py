"""Runs whose process was killed: Dagster believes that they still run.

What belongs here: telling that a run's process is no more, and ending such runs. What doesn't: running
(`dagster_runs.py`), and what is under way (`defs/unfinished.py`).

Dagster sees to a run that dies under a code server which lives on. Where the server was ended with it
(a container, a machine), or a command ran it, nobody does: the run would be under way for ever, keep its
place in a pool, and sensors would wait for it. So each run holds a file while it is alive, which the
kernel lets go of however its process ends. The number of its process would not tell: in a container
every process may have the same.

A command that was killed before it held such a file is found all the same: whoever has the right to
sync a data folder knows that no other command runs in it. So is a run of the daemon, killed before it did
or after it had let it go: it has no file, and has said nothing for long.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from ldt_pipeline.instants import now
from ldt_pipeline.private_files import PRIVATE_FILE
from ldt_pipeline.raw.files import (
    TEMPORARY_PREFIX,
    hold,
    is_abandoned,
    make_folder,
    sync_folder,
)
from ldt_pipeline.settings import Settings

_KILLED = "The process that ran it was ended from outside."

_SILENT_MOST = dt.timedelta(minutes=10)
"""So long may pass between the start of a run and its file, or between its file and its end."""


@contextmanager
def alive(settings: Settings, run_id: str) -> Generator[None]:
    """Hold the file that says that a run's process lives, within the block."""
    folder = settings.alive_dir
    make_folder(folder)
    path, begun = folder / run_id, folder / f"{TEMPORARY_PREFIX}{run_id}"
    descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE)
    held = hold(descriptor)
    os.close(descriptor)
    try:
        # Under its own name only once it is held: who looks in between must not find it abandoned.
        begun.rename(path)
        sync_folder(folder)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def end_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> int:
    """End the runs whose process was killed, whoever started them; gives how many there were."""
    folder = settings.alive_dir
    if not folder.exists():
        return 0
    count = 0
    for path in folder.iterdir():
        if path.name.startswith(TEMPORARY_PREFIX) or not is_abandoned(path):
            continue
        run = instance.get_run_by_id(path.name)
        if run is not None and not run.is_finished:
            _end(instance, run)
            count += 1
        path.unlink(missing_ok=True)
    return count


def end_silent_runs(instance: dg.DagsterInstance, settings: Settings, *, location: str) -> int:
    """End the runs of a code location, and of commands, that started and neither live nor ended.

    Gives how many there were.
    """
    count = 0
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if (
            is_ours(run, settings, location=location)
            and not (settings.alive_dir / run.run_id).exists()
            and _is_silent(instance, run)
        ):
            _end(instance, run)
            count += 1
    return count


def is_ours(run: dg.DagsterRun, settings: Settings, *, location: str) -> bool:
    """Whether a run is of a code location, or of a command on this data folder.

    Other projects may have their runs in the same instance.
    """
    origin = run.remote_job_origin
    if origin is None:
        return our_tags(settings).items() <= run.tags.items()
    return origin.location_name == location


def _is_silent(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    records = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    said_at = max((each.timestamp for each in records), default=0.0)
    return said_at < (now() - _SILENT_MOST).timestamp()


def our_tags(settings: Settings) -> dict[str, str]:
    """Give the tags of runs from the command line: where they come from, and of which data folder."""
    return {"ldt/from": "command line", "ldt/data_folder": str(settings.data_dir.resolve())}


def release_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> int:
    """End all dead runs, also those of commands that were killed before they held a file.

    The caller has the right to sync. Gives how many there were.
    """
    count = end_dead_runs(instance, settings)
    runs = instance.get_runs(
        dg.RunsFilter(
            tags=our_tags(settings),
            statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING],
        )
    )
    for run in runs:
        _end(instance, run)
    return count + len(runs)


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, _KILLED)
    else:
        instance.report_run_failed(run, _KILLED)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
