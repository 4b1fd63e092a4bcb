"""Runs that failed, as trouble: what each was for, and when that has been made up for.

What belongs here: what Dagster's records tell of runs. What doesn't: when to look, and all other
trouble (`alert_sensors.py`).

A job's name doesn't say what a run is for: all that automation starts is one job, and a job over
partitions is for those of the run. A run is made up for once what it was to make has been made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator

import dagster as dg

from ldt_pipeline.alerting.book import Book, Record
from ldt_pipeline.alerting.trouble import Trouble, kind_of
from ldt_pipeline.defs.jobs import fetch_job_name
from ldt_pipeline.defs.partitions import RANGE_TAGS
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS

REPEATED_WITHIN = dt.timedelta(days=3)
"""What has not failed again for so long is told of no more: nobody may ever repeat it."""

_PAGE = 500
_PARTITION = "dagster/partition"
_OVERLAP = dt.timedelta(minutes=5)
_ASSETS_NAMED = 3
_RUNS_LOOKED_AT = 50

_READS_CHANGES = {fetch_job_name(feed.name) for feed in CHANGE_FEEDS}
"""Jobs whose months say where what changed goes, and not what the run is for: the next run reads
what this one didn't, and of fewer months if this one has read some."""


def note_failed_runs(book: Book, instance: dg.DagsterInstance, moment: dt.datetime) -> None:
    """Write down each run that has failed since the last look, whoever started it."""
    newest = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    newest_id = newest[0].storage_id if newest else 0
    seen, since = book.failures_seen, dt.datetime.min.replace(tzinfo=dt.UTC)
    if seen is None:
        book.failures_seen = newest_id  # what failed before anybody was to be told is history
        return
    if newest_id < seen:
        # Dagster's records are others than before: on Postgres now, or restored.
        seen, since = 0, (book.looked_at or moment) - _OVERLAP
    for record in _failures_after(instance, seen):
        run = instance.get_run_by_id(record.run_id)
        if run is not None and record.timestamp >= since.timestamp():
            book.note(_trouble(run, _kind_of_failure(record.event_log_entry)), moment)
        seen = record.storage_id
    book.failures_seen = max(seen, newest_id)


def close_repaired_runs(book: Book, instance: dg.DagsterInstance, moment: dt.datetime) -> None:
    """Write down as over what has been made up for since, and what nobody has repeated for long."""
    for record in book.open_records("run"):
        if _is_made_up_for(instance, record):
            book.close(record.trouble.key, moment)
        elif record.seen_at + REPEATED_WITHIN <= moment:
            book.close(record.trouble.key, moment, is_given_up=True)


def _failures_after(instance: dg.DagsterInstance, storage_id: int) -> Iterator[dg.EventLogRecord]:
    while True:
        found = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(
                event_type=dg.DagsterEventType.RUN_FAILURE, after_storage_id=storage_id
            ),
            limit=_PAGE,
            ascending=True,
        )
        yield from found.records
        if not found.has_more:
            return
        storage_id = found.records[-1].storage_id


def _kind_of_failure(entry: dg.EventLogEntry) -> str:
    """Give the class of the first step's error, without Dagster's wrapping; '' where there is none."""
    event = entry.dagster_event
    first = event.job_failure_data.first_step_failure_event if event else None
    error = first.step_failure_data.error if first else None
    while error is not None and error.cause is not None:
        error = error.cause
    return kind_of(error.cls_name if error else "")


def _trouble(run: dg.DagsterRun, kind: str) -> Trouble:
    names = sorted(each.to_user_string() for each in run.asset_selection or ())
    checks = sorted(
        f"{each.asset_key.to_user_string()}:{each.name}" for each in run.asset_check_selection or ()
    )
    more = f" and {len(names) - _ASSETS_NAMED} more" if len(names) > _ASSETS_NAMED else ""
    return Trouble(
        source="run",
        severity="error",
        kind=kind,
        job=run.job_name,
        asset=", ".join(names[:_ASSETS_NAMED]) + more,
        partition=_partition(run),
        scope=_digest([*names, *checks]) if names or checks else "",
        run_id=run.run_id,
    )


def _partition(run: dg.DagsterRun) -> str:
    """Give the partition that a run is for, or its range as Dagster writes it; '' where none is."""
    if run.job_name in _READS_CHANGES:
        return ""
    first, last = (run.tags.get(each, "") for each in RANGE_TAGS)
    span = first if first == last else f"{first}...{last}"
    return run.tags.get(_PARTITION, span)


def _digest(names: Collection[str]) -> str:
    # A key is written with each record: it mustn't be as long as a list of all assets.
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _is_made_up_for(instance: dg.DagsterInstance, record: Record) -> bool:
    found = instance.get_run_records(dg.RunsFilter(run_ids=[record.trouble.run_id]), limit=1)
    if not found:
        return _has_succeeded(instance, record.trouble, None, record.opened_at)
    run, created = found[0].dagster_run, found[0].create_timestamp
    if run.job_name not in _READS_CHANGES and (planned := _planned(instance, run)):
        made_by = [
            each
            for key, partitions in planned.items()
            for each in _made_by(instance, key, partitions, created)
        ]
        # Some of it the run may have made before it failed: not all of it.
        if None not in made_by and set(made_by) != {run.run_id}:
            return True
    return _has_succeeded(instance, record.trouble, run, created)


def _has_succeeded(
    instance: dg.DagsterInstance,
    trouble: Trouble,
    failed: dg.DagsterRun | None,
    since: dt.datetime,
) -> bool:
    """Whether a run of the same job for the same, or more, was made since then and succeeded."""
    names = () if trouble.job in _READS_CHANGES else (_PARTITION, *RANGE_TAGS)
    tags = (
        {} if failed is None else {each: failed.tags[each] for each in names if each in failed.tags}
    )
    if failed is None and (trouble.partition or trouble.scope):
        return False  # Dagster has forgotten what it was for
    found = instance.get_runs(
        dg.RunsFilter(
            job_name=trouble.job,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            tags=tags,
            created_after=since,
        ),
        limit=_RUNS_LOOKED_AT,
    )
    return any(_covers(each, failed) for each in found)


def _covers(run: dg.DagsterRun, failed: dg.DagsterRun | None) -> bool:
    """Whether a run was for all that another one was for. A job without a selection is for all of it."""
    if run.asset_selection is None and run.asset_check_selection is None:
        return True
    if failed is None or failed.asset_selection is None:
        return False
    return failed.asset_selection <= (run.asset_selection or frozenset()) and (
        failed.asset_check_selection or frozenset()
    ) <= (run.asset_check_selection or frozenset())


def _planned(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[dg.AssetKey, set[str]]:
    """Give the assets that a run was to make, with the partitions; none for one without."""
    found: dict[dg.AssetKey, set[str]] = {}
    records = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    ).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        planned = event.asset_materialization_planned_data
        keys = found.setdefault(planned.asset_key, set())
        if planned.partition is not None:
            keys.add(planned.partition)
        if planned.partitions_subset is not None:
            keys.update(planned.partitions_subset.get_partition_keys())
    return found


def _made_by(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: set[str], since: dt.datetime
) -> list[str | None]:
    """Give by which run an asset, or each of some partitions, was last made; None if not since then."""
    if not partitions:
        newest = instance.fetch_materializations(key, limit=1).records
        return [_run_since(newest[0], since) if newest else None]
    ids = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, partitions
    )
    if partitions - set(ids):
        return [None]
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=list(ids.values())), limit=len(ids)
    ).records
    return [_run_since(each, since) for each in records]


def _run_since(record: dg.EventLogRecord, since: dt.datetime) -> str | None:
    return record.run_id if record.timestamp >= since.timestamp() else None
