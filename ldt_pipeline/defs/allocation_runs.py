"""When allocations are planned, and what follows an apply."""

from typing import Any, cast

import dagster as dg

from ldt_pipeline.allocations.agreed import approved_plan
from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.defs.allocation_assets import APPLIED, PLAN
from ldt_pipeline.defs.jobs import JOBS, READ_EVENTS
from ldt_pipeline.defs.partitions import EVENT_KEYS, EVENTS, contiguous_ranges, key_of, range_tags
from ldt_pipeline.settings import load_settings

plan_allocations = dg.define_asset_job(
    "plan_allocations",
    selection=dg.AssetSelection.assets(PLAN),
    description="Compare the agreed allocations with the account.",
)
apply_allocations = dg.define_asset_job(
    "apply_allocations",
    selection=dg.AssetSelection.assets(APPLIED),
    description="Do what an approved plan says: its hash is the configuration.",
)

hourly_allocation_plan = dg.ScheduleDefinition(
    name="hourly_allocation_plan",
    job=plan_allocations,
    cron_schedule="23 * * * *",
    execution_timezone="UTC",
    default_status=(
        dg.DefaultScheduleStatus.RUNNING
        if load_settings().allocations_file is not None
        else dg.DefaultScheduleStatus.STOPPED
    ),
    description=(
        "Shows drift between the agreed allocations and the account; it runs by itself where "
        "LDT_ALLOCATIONS_FILE is set."
    ),
)


@dg.run_status_sensor(
    name="read_events_after_apply",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[apply_allocations],
    request_jobs=[job for job in JOBS if job.name == READ_EVENTS],
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Has the groups of the events read again that were just changed.",
)
def read_after_apply(
    context: dg.RunStatusSensorContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the runs that read the plan's events."""
    ops = cast("dict[str, Any]", context.dagster_run.run_config["ops"])
    config = ops[APPLIED]["config"]
    try:
        plan = approved_plan(load_settings().allocations_dir, config["plan_hash"])
    except AllocationsFileError as error:
        return dg.SkipReason(str(error))
    keys = [key_of(each.event_id) for each in plan.totals]
    existing = list(context.instance.get_dynamic_partitions(EVENT_KEYS))
    new = [key for key in keys if key not in existing]
    ranges = contiguous_ranges(keys, [*existing, *new])
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                job_name=READ_EVENTS,
                run_key=f"{context.dagster_run.run_id}/{first}",
                tags=range_tags(first, last),
            )
            for first, last in ranges
        ],
        dynamic_partitions_requests=[EVENTS.build_add_request(new)] if new else [],
    )


ALLOCATION_JOBS = [plan_allocations, apply_allocations]
