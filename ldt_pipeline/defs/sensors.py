"""Sensors and schedules: what happens by itself, and how often.

The poll sensor asks each list for its newest record alone, and starts a run only where something
changed. The partition sensor turns events and races that were seen for the first time into
partitions, and has their groups and tickets read when they are due. The nightly reconcile reads
everything, as the safety net under both.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from ldt_pipeline.alerting.polls import poll_noted
from ldt_pipeline.api.errors import ApiError
from ldt_pipeline.dead_runs import end_dead_runs, end_silent_runs
from ldt_pipeline.defs.jobs import (
    ERASE,
    JOBS,
    PUBLISH,
    READ_EVENTS,
    RECONCILE,
    changes_config,
    fetch_job_name,
    reconcile_config,
    remake_config,
)
from ldt_pipeline.defs.partitions import (
    EVENT_KEYS,
    EVENTS,
    RACES,
    clamp_months,
    contiguous_ranges,
    due_keys,
    missing_partitions,
    range_tags,
)
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.defs.uneven import reconcile_requests
from ldt_pipeline.defs.unfinished import ASSETS_BY_THEMSELVES, has_ended, is_running, rests
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS
from ldt_pipeline.instants import now
from ldt_pipeline.old_runs import forget_old_runs
from ldt_pipeline.organiser import OtherOrganiserError
from ldt_pipeline.settings import load_settings
from ldt_pipeline.sync.asking import ask
from ldt_pipeline.sync.lock import is_syncing
from ldt_pipeline.sync.plan import FeedPlan
from ldt_pipeline.sync.state import State, read_state
from ldt_pipeline.warehouse.connection import DamagedWarehouseError, WarehouseBusyError
from ldt_pipeline.warehouse.schema import OutdatedWarehouseError

POLL_SECONDS = 60
_REMAKE_TAGS = {"ldt/remake": "warehouse"}
_AGAIN_AFTER = dt.timedelta(minutes=10)
"""What failed by itself isn't tried every minute: a warehouse that can't be made anew, because the book
of erasures is damaged, or one that may not be published."""


@dg.sensor(
    name="poll_lets_do_this",
    jobs=JOBS,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks each list for its newest record, and starts a sync only on a change.",
)
def poll_sensor(
    context: dg.SensorEvaluationContext, storage: Storage
) -> dg.SensorResult | dg.SkipReason:
    """Start the runs that what changed calls for."""
    # First of all: what waits for a run that is dead would wait for ever.
    end_dead_runs(context.instance, storage.settings)
    origin = context.code_location_origin
    location = origin.location_name if origin else ""
    end_silent_runs(context.instance, storage.settings, location=location)
    forget_old_runs(context.instance, storage.settings, location=location)
    if storage.settings.api_key is None:
        return dg.SkipReason("LDT_API_KEY is not set.")
    if is_syncing(storage.settings):
        return dg.SkipReason("`ldt sync` is under way.")
    if any(is_running(context.instance, name) for name in _RUNS_OF_A_SYNC):
        return dg.SkipReason("A sync is under way.")
    try:
        state = read_state(storage.settings, wait_seconds=0)
    except WarehouseBusyError as error:
        return dg.SkipReason(str(error))
    except (DamagedWarehouseError, OutdatedWarehouseError) as error:
        return _remake(context.instance, error)
    try:
        with poll_noted(storage.settings):
            # Dagster ends a tick after a minute, and would say that our code can't be reached.
            plans = ask(storage.settings, state, is_hasty=True).plans
    except (ApiError, OtherOrganiserError) as error:
        return dg.SkipReason(str(error))
    requests = list(_requests(context.instance, plans, state, storage))
    if (
        state.erasures
        and not is_running(context.instance, ERASE)
        and not rests(context.instance, ERASE, now())
    ):
        requests.insert(0, dg.RunRequest(job_name=ERASE))
    if not requests:
        return dg.SkipReason(_why_nothing(context.instance, plans, state))
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    name="follow_events_and_races",
    jobs=JOBS,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns new events and races into partitions, and has groups and tickets read.",
)
def partition_sensor(
    context: dg.SensorEvaluationContext, storage: Storage
) -> dg.SensorResult | dg.SkipReason:
    """Add partitions, and start the runs that read what hangs off due events."""
    settings = storage.settings
    if is_syncing(settings):
        return dg.SkipReason("`ldt sync` is under way.")
    try:
        state = read_state(settings, wait_seconds=0)
    except (WarehouseBusyError, DamagedWarehouseError, OutdatedWarehouseError) as error:
        return dg.SkipReason(str(error))
    new_events, new_races = missing_partitions(context.instance, state)
    added = [
        partitions.build_add_request(keys)
        for partitions, keys in ((EVENTS, new_events), (RACES, new_races))
        if keys
    ]
    requests: list[dg.RunRequest] = []
    is_failing = rests(context.instance, READ_EVENTS, now())
    if (
        settings.api_key is not None
        and not is_failing
        and not is_running(context.instance, READ_EVENTS)
    ):
        due = due_keys(settings, state)
        existing = [*context.instance.get_dynamic_partitions(EVENT_KEYS), *new_events]
        requests = [
            dg.RunRequest(job_name=READ_EVENTS, tags=range_tags(first, last))
            for first, last in contiguous_ranges(due, existing)
        ]
    if not added and not requests:
        return dg.SkipReason(
            "Reading events has just failed: see its last run, and why. It is tried again later."
            if is_failing
            else "No new event or race, and no event is due."
        )
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=added)


def _why_nothing(instance: dg.DagsterInstance, plans: list[FeedPlan], state: State) -> str:
    if state.is_settled and all(plan.is_quiet for plan in plans):
        return "Nothing changed."
    if is_running(instance, ASSETS_BY_THEMSELVES):
        return "Assets are being made: what is left is looked at again after that."
    return (
        "What is to be done has just failed, or explained nothing: see the last runs, and why. It is "
        "tried again later."
    )


def _remake(instance: dg.DagsterInstance, error: Exception) -> dg.SensorResult | dg.SkipReason:
    """Have a useless warehouse made anew from the raw store, and published."""
    # Queued or running it is seen by its job's name, as each run of a sync is.
    if has_ended(instance, PUBLISH, _REMAKE_TAGS, since=now() - _AGAIN_AFTER):
        return dg.SkipReason(f"{error} The last run that was to do so failed: see why.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(job_name=PUBLISH, run_config=remake_config(), tags=_REMAKE_TAGS)
        ]
    )


_RUNS_OF_A_SYNC = (*(fetch_job_name(feed.name) for feed in CHANGE_FEEDS), RECONCILE, PUBLISH)


def _requests(
    instance: dg.DagsterInstance, plans: list[FeedPlan], state: State, storage: Storage
) -> Iterator[dg.RunRequest]:
    for plan in plans:
        job_name = fetch_job_name(plan.feed.name)
        if plan.months is not None and not rests(instance, job_name, now()):
            first, last = clamp_months(storage.settings, *plan.months)
            yield dg.RunRequest(
                job_name=job_name,
                run_config=changes_config(plan.feed.name),
                tags=range_tags(first, last),
            )
    reconciles = list(reconcile_requests(instance, plans, state))
    yield from reconciles
    # What a killed run left: extracts that no automation will hear of again. And what nothing explained
    # while it was waited for: nobody would be told before the list is looked at again.
    is_left = (
        state.pending_extracts
        or state.wait_is_over
        or (not state.is_published and not any(plan.is_short_or_long for plan in plans))
    )
    if (
        is_left
        and not reconciles
        and all(plan.months is None for plan in plans)
        and not is_running(instance, ASSETS_BY_THEMSELVES)
        and not has_ended(instance, PUBLISH, since=now() - _AGAIN_AFTER)
    ):
        yield dg.RunRequest(job_name=PUBLISH)


nightly_reconcile = dg.ScheduleDefinition(
    name="nightly_reconcile",
    job_name=RECONCILE,
    cron_schedule="17 3 * * *",
    execution_timezone="UTC",
    run_config=reconcile_config(whole=True),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads every list whole: finds deletions, late rows and silent changes.",
)

nightly_retention = dg.ScheduleDefinition(
    name="nightly_retention",
    job_name=ERASE,
    cron_schedule="47 2 * * *",
    execution_timezone="UTC",
    default_status=(
        dg.DefaultScheduleStatus.RUNNING
        if load_settings().retention_days is not None
        else dg.DefaultScheduleStatus.STOPPED
    ),
    description=(
        "Erases what is personal of entries whose race lies longer ago than LDT_RETENTION_DAYS; "
        "it runs by itself where that is set."
    ),
)

automation_sensor = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    minimum_interval_seconds=30,
    # The one that Dagster makes by itself is stopped.
    default_status=dg.DefaultSensorStatus.RUNNING,
)

SENSORS = [poll_sensor, partition_sensor, automation_sensor]
SCHEDULES = [nightly_reconcile, nightly_retention]
