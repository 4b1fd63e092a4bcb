"""Ctrl-C while Dagster runs a job is Ctrl-C for whoever started it, wherever it was at work."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from ldt_pipeline.dagster_runs import RunFailedError, Runner


@dg.op
def query() -> None:
    raise RuntimeError("Query interrupted")  # DuckDB's word for it


@dg.op
def work() -> None:
    raise DagsterExecutionInterruptedError


@dg.resource
def interrupted_at_the_start() -> None:
    raise DagsterExecutionInterruptedError


@dg.op(required_resource_keys={"warehouse"})
def load() -> None: ...


@dg.op
def fail() -> None:
    raise ValueError("Something else")


def job_of(op: dg.OpDefinition) -> dg.JobDefinition:
    resources = {"warehouse": interrupted_at_the_start}
    graph = dg.GraphDefinition(name=f"{op.name}_job", node_defs=[op])
    return graph.to_job(resource_defs=resources)


def run(op: dg.OpDefinition) -> None:
    definitions = dg.Definitions(jobs=[job_of(op)])
    with dg.DagsterInstance.ephemeral() as instance:
        Runner(definitions, instance).run(f"{op.name}_job")


@pytest.mark.parametrize("op", [query, work, load], ids=lambda op: op.name)
def test_it_is_told_as_such(op: dg.OpDefinition) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(op)


def test_other_errors_are_not() -> None:
    with pytest.raises(RunFailedError, match="Something else"):
        run(fail)
