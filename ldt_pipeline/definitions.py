"""The one place where everything that Dagster shows is assembled."""

from __future__ import annotations

import warnings

import dagster as dg

from ldt_pipeline.defs.alert_sensors import send_alerts
from ldt_pipeline.defs.allocation_assets import allocation_plan, applied_allocations
from ldt_pipeline.defs.allocation_runs import (
    ALLOCATION_JOBS,
    hourly_allocation_plan,
    read_after_apply,
)
from ldt_pipeline.defs.checks import CHECKS
from ldt_pipeline.defs.erasing_assets import raw_erasures
from ldt_pipeline.defs.export_assets import EXPORT_JOB, race_exports, race_week_exports
from ldt_pipeline.defs.freshness import freshness_sensor
from ldt_pipeline.defs.jobs import JOBS
from ldt_pipeline.defs.plot_assets import race_office_plots
from ldt_pipeline.defs.raw_assets import raw_assets
from ldt_pipeline.defs.resources import LetsDoThis, Storage
from ldt_pipeline.defs.sensors import SCHEDULES, SENSORS
from ldt_pipeline.defs.warehouse_assets import api_totals, marts, published, quality, tidy_tables
from ldt_pipeline.private_files import keep_private
from ldt_pipeline.settings import load_settings


def build_definitions() -> dg.Definitions:
    """Assemble the code location from the settings.

    Processes that load it run its assets: from here on what they write is their owner's alone.
    """
    keep_private()
    with warnings.catch_warnings():
        # `backfill_policy` has been beta since 2023: nothing else reads many months in one run.
        warnings.simplefilter("ignore", dg.BetaWarning)
        raw = raw_assets(load_settings())
    allocations = [allocation_plan, applied_allocations]
    return dg.Definitions(
        assets=[
            *raw,
            raw_erasures,
            tidy_tables,
            api_totals,
            marts,
            quality,
            published,
            race_exports,
            race_office_plots,
            *allocations,
        ],
        asset_checks=CHECKS,
        jobs=[*JOBS, EXPORT_JOB, *ALLOCATION_JOBS],
        schedules=[*SCHEDULES, race_week_exports, hourly_allocation_plan],
        sensors=[*SENSORS, freshness_sensor, read_after_apply, send_alerts],
        resources={"api": LetsDoThis(), "storage": Storage()},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
