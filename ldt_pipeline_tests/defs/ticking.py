"""Sensors, evaluated by hand."""

from __future__ import annotations

import dagster as dg

from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.resources import LetsDoThis, Storage

RESOURCES = {"api": LetsDoThis(), "storage": Storage()}


def tick(sensor, instance) -> dg.SensorResult | dg.SkipReason:
    """Evaluate a sensor once, with the resources that it asks for."""
    wanted = {name: RESOURCES[name] for name in sensor.required_resource_keys}
    with dg.build_sensor_context(instance=instance, resources=wanted, definitions=defs) as context:
        return sensor(context)


def run_it(request: dg.RunRequest, instance: dg.DagsterInstance) -> None:
    """Do what a sensor has asked for."""
    job = defs.resolve_job_def(request.job_name)
    result = job.execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags
    )
    assert result.success
