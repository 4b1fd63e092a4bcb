"""Drift fails a check with the diff; an approved plan is applied by its hash, and read right after."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from ldt_pipeline.allocations.exporting import document_of
from ldt_pipeline.allocations.live import read_live
from ldt_pipeline.api.client import Client
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.allocation_runs import apply_allocations, read_after_apply
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline.settings import load_settings


@pytest.fixture
def file(
    sandbox: Sandbox, account: SandboxAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    event_id = account.event_ids()[0]
    with Client(base_url=sandbox.base_url, api_key=sandbox.api_key) as client:
        document = document_of(read_live(client, [event_id]), [event_id])
    path = tmp_path / "allocations.yaml"
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("LDT_ALLOCATIONS_FILE", str(path))
    return path


def planned(instance: dg.DagsterInstance) -> Any:
    return defs.resolve_job_def("plan_allocations").execute_in_process(instance=instance)


def check_of(run: Any) -> Any:
    return run.get_asset_check_evaluations()[0]


def test_drift_shows_as_a_failing_check_and_an_approved_plan_mends_it(
    file: Path, account: SandboxAccount, instance: dg.DagsterInstance
) -> None:
    assert check_of(planned(instance)).passed
    group_id = account.group_ids(account.event_ids()[0])[0]
    before = (account.group(group_id) or {})["maxCapacity"]
    account.resize_group(group_id, before + 17)

    check = check_of(run := planned(instance))
    assert not check.passed
    diff = check.metadata["diff"].value
    assert diff.startswith("```diff")
    assert f"! 1. update group {group_id}" in diff
    assert f"maxCapacity {before + 17} → {before}" in diff

    # A plan holds contacts and addresses: one that nobody approved in a month goes.
    folder = load_settings().allocations_dir / "plans"
    for name, days in (("0123456789abcdef", 31), ("fedcba9876543210", 29)):
        path = folder / f"{name}.json"
        path.write_bytes(b"{}")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    planned(instance)
    kept = {path.stem for path in folder.iterdir()}
    assert "0123456789abcdef" not in kept
    assert {"fedcba9876543210"} < kept

    made = run.asset_materializations_for_node("allocation_plan")[0].metadata
    plan_hash = made["plan_hash"].value
    job = defs.resolve_job_def("apply_allocations")
    wrong = {"ops": {"applied_allocations": {"config": {"plan_hash": "0" * 16}}}}
    refused = job.execute_in_process(instance=instance, run_config=wrong, raise_on_error=False)
    assert not refused.success
    assert (account.group(group_id) or {})["maxCapacity"] == before + 17

    right = {"ops": {"applied_allocations": {"config": {"plan_hash": plan_hash}}}}
    applied = job.execute_in_process(instance=instance, run_config=right)
    assert applied.success
    assert (account.group(group_id) or {})["maxCapacity"] == before
    assert check_of(planned(instance)).passed

    success = dg.DagsterEventType.RUN_SUCCESS
    event = next(each for each in applied.all_events if each.event_type == success)
    context = dg.build_run_status_sensor_context(
        sensor_name="read_events_after_apply",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=applied.dagster_run,
    )
    result = read_after_apply(context)
    assert isinstance(result, dg.SensorResult)
    assert [each.job_name for each in result.run_requests or []] == ["read_events"]
    assert apply_allocations.name == "apply_allocations"


def test_nothing_personal_reaches_dagster(
    file: Path, account: SandboxAccount, instance: dg.DagsterInstance
) -> None:
    document = yaml.safe_load(file.read_text())
    allocation = next(a for a in document["events"][0]["allocations"] if a["partner"])
    allocation["groups"][0]["claim_links"] = ["ada.quill@example.org"]
    document["partners"].append(
        {"name": "Owl Rescue", "contacts": [{"emailAddress": "ada.quill@example.org"}]}
    )
    file.write_text(yaml.safe_dump(document))
    run = planned(instance)
    texts = "".join(repr(each) for each in run.all_events)
    assert "ada.quill" not in texts
    assert "quill" not in check_of(run).metadata["diff"].value


def test_without_a_file_it_says_what_to_set(instance: dg.DagsterInstance) -> None:
    run = defs.resolve_job_def("plan_allocations").execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert not run.success
    assert "LDT_ALLOCATIONS_FILE is not set" in repr(run.get_step_failure_events())
