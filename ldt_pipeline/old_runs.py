"""Runs that ended long ago: taken out of Dagster's records, which would grow by gigabytes a week.

What belongs here: which runs may go, and all that is known of one. What doesn't: when to look (sensors
and `runner.py` do), and what Dagster forgets by itself (its `retention`, in `home.py`).

Of each asset, partition and check the last run that made it stays, however old: pages, and what happens
by itself, go by that.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from sqlalchemy import func, select

from ldt_pipeline.dead_runs import is_ours
from ldt_pipeline.home import HomeLogs, home_folder
from ldt_pipeline.instants import now
from ldt_pipeline.raw.files import make_folder
from ldt_pipeline.settings import Settings

_EVERY_SECONDS = 24 * 60 * 60
_AT_ONCE = 200
"""So many go at a time, in some seconds: a sensor's tick may take a minute."""

_NOTE = "looked_at_old_runs"
_NOTE_OF_COMMANDS = f"{_NOTE}_of_commands"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_old_runs(instance: dg.DagsterInstance, settings: Settings, *, location: str = "") -> int:
    """Delete runs that ended longer than `keep_runs_days` ago, once a day; gives how many went.

    Those of commands on this data folder, and of a code location where one is named; never another
    project's in the same instance. Where there are many, the next call goes on.
    """
    note, moment = home_folder() / (_NOTE if location else _NOTE_OF_COMMANDS), now().timestamp()
    with suppress(FileNotFoundError):
        # A clock that was ahead may have dated it: then it counts for nothing.
        if 0 <= moment - note.stat().st_mtime < _EVERY_SECONDS:
            return 0
    before = now() - dt.timedelta(days=settings.keep_runs_days)
    ended = instance.get_runs(dg.RunsFilter(statuses=_ENDED, updated_before=before))
    old = [run.run_id for run in ended if is_ours(run, settings, location=location)]
    kept = _last_makers(instance) if old else set[str]()
    going = [run_id for run_id in old if run_id not in kept]
    for run_id in going[:_AT_ONCE]:
        _forget(instance, run_id)
    if len(going) <= _AT_ONCE:
        make_folder(note.parent)
        note.touch()
        os.utime(note, (moment, moment))
    return len(going[:_AT_ONCE])


def _last_makers(instance: dg.DagsterInstance) -> set[str]:
    """Give the runs that last made an asset, a partition of one, or the outcome of a check."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    newest_events = (
        select(func.max(events.id))
        .where(events.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value)
        .group_by(events.asset_key, events.partition)
    )
    newest_checks = select(func.max(checks.id)).group_by(
        checks.asset_key, checks.check_name, checks.partition
    )
    found: set[str] = set()
    with _events(instance).index_connection() as connection:
        for run_id, is_newest in (
            (events.run_id, events.id.in_(newest_events)),
            (checks.run_id, checks.id.in_(newest_checks)),
        ):
            rows: Iterable[Any] = connection.execute(select(run_id).where(is_newest).distinct())
            found.update(row[0] for row in rows)
    return found


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete all that is known of a run: its events, outcomes of its checks, and what it printed."""
    # The run itself goes last: killed in between, it is found again.
    with _events(instance).index_connection() as connection:
        connection.execute(
            AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id)
        )
    HomeLogs.from_config_value(None, {}).delete_logs(prefix=[run_id])
    instance.event_log_storage.delete_events(run_id)
    instance.run_storage.delete_run(run_id)


def _events(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    return cast("SqlEventLogStorage", instance.event_log_storage)
