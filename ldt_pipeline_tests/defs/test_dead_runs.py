"""Runs whose process is no more, whoever started them: the daemon must not wait for them for ever."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import pytest

from ldt_pipeline.dagster_runs import Runner
from ldt_pipeline.dead_runs import alive, end_silent_runs, our_tags
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import LOAD
from ldt_pipeline.defs.partitions import range_tags
from ldt_pipeline.defs.sensors import partition_sensor, poll_sensor
from ldt_pipeline.defs.unfinished import rests
from ldt_pipeline.home import open_instance
from ldt_pipeline.instants import now
from ldt_pipeline.sandbox import Faults
from ldt_pipeline.settings import load_settings
from ldt_pipeline_tests.defs.conftest import STARTED_AT, run_sync
from ldt_pipeline_tests.defs.remote_runs import run_of
from ldt_pipeline_tests.defs.ticking import tick
from ldt_pipeline_tests.forked import processes

pytestmark = pytest.mark.slow

MONTH = f"{STARTED_AT:%Y-%m}"


def fetch(environment: Mapping[str, str]) -> None:
    """Read what changed, as a run of the daemon does: without the tags of a command."""
    os.environ.clear()
    os.environ.update(environment)
    with open_instance() as instance:
        defs.resolve_job_def("fetch_participants").execute_in_process(
            instance=instance, tags=range_tags(MONTH, MONTH)
        )


def killed_run(instance: dg.DagsterInstance, sandbox) -> dg.DagsterRun:
    """Give a run that was killed while it asked the API, as when its container was ended."""
    sandbox.faults = Faults(rates={"hang": 1.0}, hang_seconds=3)
    sandbox.clear_requests()
    process = processes().Process(target=fetch, args=(dict(os.environ),))
    process.start()
    deadline = time.monotonic() + 60
    while not sandbox.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    assert "under way" in tick(poll_sensor, instance).skip_message, "it is alive"
    process.kill()
    process.join()
    sandbox.faults = Faults()
    return run


def test_a_poll_ends_a_run_whose_process_was_killed(synced, account, sandbox) -> None:
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    run = killed_run(synced, sandbox)
    assert synced.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
    assert "has just failed" in tick(poll_sensor, synced).skip_message
    assert not rests(synced, "fetch_participants", now() + timedelta(minutes=1)), "and then again"
    assert synced.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    pools = synced.event_log_storage.get_concurrency_info("lets_do_this_api")
    assert pools.active_slot_count == 0, "its place in the pool is free"
    tick(partition_sensor, synced)
    Runner(defs, synced).run(LOAD)
    tick(poll_sensor, synced)
    assert synced.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_command_does_not_wait_for_a_killed_run_of_the_daemon(synced, account, sandbox) -> None:
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    run = killed_run(synced, sandbox)
    run_sync(synced)
    assert synced.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_run_that_was_killed_without_a_file_is_ended_once_it_was_silent_for_long(synced) -> None:
    """Killed right after it started, or right before it ended: no file tells of it."""
    run_of("ours", synced)
    young, others = (run_of(location, synced) for location in ("ours", "others"))
    synced.report_engine_event("It has just started.", young)
    command = dg.DagsterRun(
        job_name="reconcile", status=dg.DagsterRunStatus.STARTED, tags=our_tags(load_settings())
    )
    synced.add_run(command)
    alive_run = run_of("ours", synced)
    with alive(load_settings(), alive_run.run_id):
        assert end_silent_runs(synced, load_settings(), location="ours") == 2
    running = synced.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    assert {each.run_id for each in running} == {young.run_id, others.run_id, alive_run.run_id}


def test_a_poll_does_not_wait_for_ever_for_a_run_that_never_came_to_its_file(synced) -> None:
    command = dg.DagsterRun(
        job_name="reconcile", status=dg.DagsterRunStatus.STARTED, tags=our_tags(load_settings())
    )
    synced.add_run(command)
    assert tick(poll_sensor, synced).skip_message == "Nothing changed."
