"""Runs that a daemon started, as it writes them down."""

from __future__ import annotations

import dagster as dg
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)


def run_of(
    location: str,
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> dg.DagsterRun:
    """Give a run of a code location, that has said nothing yet."""
    server = GrpcServerCodeLocationOrigin(host="localhost", port=1, location_name=location)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(server, "__repository__"), "fetch_partners")
    return instance.add_run(
        dg.DagsterRun(job_name="fetch_partners", status=status, remote_job_origin=origin)
    )
