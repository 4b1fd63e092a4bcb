"""Runs that ended long ago go out of Dagster's records; what pages and sensors go by stays."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from sqlalchemy import select

from ldt_pipeline import old_runs
from ldt_pipeline.dead_runs import our_tags
from ldt_pipeline.defs.sensors import poll_sensor
from ldt_pipeline.home import home_folder, open_instance
from ldt_pipeline.home_storage import HomeRuns
from ldt_pipeline.instants import now
from ldt_pipeline.old_runs import forget_old_runs
from ldt_pipeline.sandbox import SandboxAccount
from ldt_pipeline.settings import load_settings
from ldt_pipeline_tests.defs.conftest import run_sync
from ldt_pipeline_tests.defs.remote_runs import run_of
from ldt_pipeline_tests.defs.ticking import tick
from ldt_pipeline_tests.deploy.postgres import postgres_server

ROOT = Path(__file__).parents[2]
FILES, POSTGRES = "files", "Postgres"
PARTS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="whole")])
def whole() -> Iterator[dg.MaterializeResult[object]]:
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name="holds", passed=True)],
    )


@dg.asset(partitions_def=PARTS)
def parted() -> None:
    pass


@dg.asset
def broken() -> None:
    raise ValueError


@pytest.fixture
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance with its records in files, or on Postgres as in a deployment."""
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with ExitStack() as running:
        if getattr(request, "param", FILES) == POSTGRES:
            server = running.enter_context(postgres_server())
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            home = tmp_path / "home"
            home.mkdir()
            shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
            monkeypatch.setenv("DAGSTER_HOME", str(home))
        yield running.enter_context(open_instance())


def made(
    instance: dg.DagsterInstance, asset: Any, part: str | None = None, *, is_ours: bool = True
) -> str:
    return dg.materialize(
        [asset],
        instance=instance,
        partition_key=part,
        raise_on_error=False,
        tags=our_tags(load_settings()) if is_ours else {},
    ).run_id


def pass_days(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the records as if so many days had passed."""
    later = now() + dt.timedelta(days=days)
    monkeypatch.setattr(old_runs, "now", lambda: later)
    for note in (old_runs._NOTE, old_runs._NOTE_OF_COMMANDS):
        (home_folder() / note).unlink(missing_ok=True)


def known(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_run_ids())


def traces(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Give where anything of a run is left, in the index and in files."""
    storage: Any = instance.event_log_storage
    checks, events = AssetCheckExecutionsTable.c, SqlEventLogStorageTable.c
    with storage.index_connection() as connection:
        found = [
            *connection.execute(select(checks.check_name).where(checks.run_id == run_id)),
            *connection.execute(select(events.dagster_event_type).where(events.run_id == run_id)),
        ]
    files = [str(each) for each in home_folder().rglob("*") if run_id in each.name]
    return [str(row[0]) for row in found] + files


@pytest.mark.parametrize(
    "instance", [FILES, pytest.param(POSTGRES, marks=pytest.mark.slow)], indirect=True
)
def test_the_last_run_of_each_asset_partition_and_check_stays(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    superseded = {
        *(made(instance, whole) for _ in range(2)),
        made(instance, parted, "a"),
        made(instance, broken),
    }
    printed = home_folder() / "logs" / min(superseded) / "compute_logs" / "step.out"
    printed.parent.mkdir(parents=True, exist_ok=True)
    printed.write_text("what it printed")
    last = {made(instance, whole), made(instance, parted, "a"), made(instance, parted, "b")}
    keys = [dg.AssetKey(each) for each in ("whole", "parted")]
    before = instance.get_asset_records(keys)
    settings = load_settings()

    pass_days(settings.keep_runs_days - 0.1, monkeypatch)
    assert forget_old_runs(instance, settings) == 0
    assert known(instance) == superseded | last
    pass_days(settings.keep_runs_days + 0.1, monkeypatch)
    assert forget_old_runs(instance, settings) == len(superseded)
    assert known(instance) == last
    assert [traces(instance, run_id) for run_id in superseded] == [[]] * len(superseded)
    assert all(traces(instance, run_id) for run_id in last)
    assert instance.get_asset_records(keys) == before
    assert instance.get_materialized_partitions(dg.AssetKey("parted")) == {"a", "b"}
    [check] = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey("whole"), "holds")]
    ).values()
    assert check.run_id in last


def test_runs_of_other_projects_in_the_same_instance_stay(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DAGSTER_HOME may be everybody's: what is ours says so, as a command's run or a location's."""
    theirs = {made(instance, whole, is_ours=False), made(instance, broken, is_ours=False)}
    last = made(instance, whole)
    pass_days(99, monkeypatch)
    for location in ("", "ldt_pipeline"):
        assert forget_old_runs(instance, load_settings(), location=location) == 0
    assert known(instance) == {*theirs, last}


def test_the_daemons_runs_go_where_their_code_location_is_named(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command looks after commands' runs alone, and doesn't keep the daemon from looking."""
    ended = dg.DagsterRunStatus.SUCCESS
    _, theirs = (run_of(location, instance, ended) for location in ("ours", "others"))
    pass_days(99, monkeypatch)
    assert forget_old_runs(instance, load_settings()) == 0
    assert forget_old_runs(instance, load_settings(), location="ours") == 1
    assert known(instance) == {theirs.run_id}


def test_a_run_that_is_under_way_is_not_old(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(
        dg.Definitions([broken]).resolve_implicit_global_asset_job_def(),
        tags=our_tags(load_settings()),
    )
    instance.report_run_canceling(run)
    pass_days(99, monkeypatch)
    assert forget_old_runs(instance, load_settings()) == 0
    assert known(instance) == {run.run_id}


def test_many_go_some_at_a_time_and_are_looked_for_once_a_day(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_runs, "_AT_ONCE", 2)
    for _ in range(4):
        made(instance, whole)
    pass_days(8, monkeypatch)
    assert [forget_old_runs(instance, load_settings()) for _ in range(3)] == [2, 1, 0]
    made(instance, whole)
    assert forget_old_runs(instance, load_settings()) == 0, "it was looked for today"


def test_killed_in_between_it_is_found_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, last = made(instance, whole), made(instance, whole)
    pass_days(8, monkeypatch)
    with monkeypatch.context() as killed:
        killed.setattr(HomeRuns, "delete_run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget_old_runs(instance, load_settings())
    assert forget_old_runs(instance, load_settings()) == 1
    assert known(instance) == {last}
    assert traces(instance, old) == []


def test_nothing_is_read_or_made_again_because_runs_are_gone(
    synced: dg.DagsterInstance, account: SandboxAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.update_participants(account.participant_ids()[:3])
    run_sync(synced)
    pass_days(8, monkeypatch)
    before = known(synced)
    assert run_sync(synced).was_quiet
    assert known(synced) < before
    assert run_sync(synced).was_quiet
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)
