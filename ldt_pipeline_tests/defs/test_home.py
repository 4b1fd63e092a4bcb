"""Dagster's home is made once, whoever comes first."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.schedules.schema import AssetDaemonAssetEvaluationsTable

from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.home import open_instance
from ldt_pipeline.home_storage import HomeEvents
from ldt_pipeline.instants import now
from ldt_pipeline.settings import SettingsError

SCRIPT = """
import sys, time
from pathlib import Path
from ldt_pipeline.home import open_instance
started = Path(sys.argv[1])
while not started.exists():
    time.sleep(0.001)
with open_instance() as instance:
    assert instance.get_runs() == []
"""


def test_why_something_was_started_is_kept_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick that finds something new writes a megabyte of that; Dagster keeps it for a month."""
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    moment = now()
    ages = [dt.timedelta(minutes=10), dt.timedelta(hours=30), dt.timedelta(days=40)]
    with open_instance() as instance:
        storage = instance.schedule_storage
        assert isinstance(storage, SqliteScheduleStorage)
        table = AssetDaemonAssetEvaluationsTable
        with storage.connect() as connection:
            for number, age in enumerate(ages):
                at = (moment - age).replace(tzinfo=None)
                row = {"evaluation_id": number, "asset_key": "[]", "create_timestamp": at}
                connection.execute(table.insert().values(row))
        # As its daemon asks for it in each tick.
        storage.purge_asset_evaluations((moment - dt.timedelta(days=30)).timestamp())
        with storage.connect() as connection:
            left = connection.execute(table.select()).fetchall()
    assert [row.evaluation_id for row in left] == [0]


@pytest.mark.slow
def test_many_commands_make_it_at_once(tmp_path: Path) -> None:
    start = tmp_path / "start"
    environment = {**os.environ, "LDT_DATA_DIR": str(tmp_path / "data")}
    environment.pop("DAGSTER_HOME", None)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(start)], env=environment, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    start.touch()
    outcomes = [(process.communicate()[1], process.returncode) for process in processes]
    assert [status for _, status in outcomes] == [0] * 4, outcomes


@pytest.mark.parametrize("home", ["relative", "/proc/not-there", "~nobody-of-this-name/home"])
def test_dagster_home_that_is_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative").mkdir()
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", home)
    with pytest.raises(SettingsError, match="DAGSTER_HOME has to be the whole path of a folder"):
        open_instance()


def tables_of(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        made = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        [journal] = connection.execute("PRAGMA journal_mode").fetchall()
    finally:
        connection.close()
    return {tuple(map(str, row)) for row in [*version, *made, journal]}


def test_the_file_of_a_run_is_as_dagster_makes_it(tmp_path: Path) -> None:
    files: list[Path] = []
    for storage in (
        SqliteEventLogStorage(str(tmp_path / "theirs" / "history" / "runs")),
        HomeEvents(str(tmp_path / "ours")),
    ):
        with storage.run_connection("a-run"):
            pass
        files.append(Path(storage.path_for_shard("a-run")))
        storage.dispose()
    assert tables_of(files[0]) == tables_of(files[1])


def planned(run_id: str, table: str) -> dg.EventLogEntry:
    return dg.EventLogEntry(
        error_info=None,
        level=10,
        user_message="",
        run_id=run_id,
        timestamp=1.0,
        dagster_event=DagsterEvent.build_asset_materialization_planned_event(
            "a_job", "a_step", AssetMaterializationPlannedData(dg.AssetKey(table))
        ),
    )


def rows_of(path: Path, table: str) -> list[dict[str, object]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
    finally:
        connection.close()
    return [
        {key: row[key] for key in row.keys() if key != "create_timestamp"}  # noqa: SIM118
        for row in rows
    ]


@dg.multi_asset(
    specs=[dg.AssetSpec("one"), dg.AssetSpec("two", deps=["one"])],
    check_specs=[dg.AssetCheckSpec("holds", asset="one"), dg.AssetCheckSpec("fails", asset="two")],
)
def checked() -> Iterator[dg.MaterializeResult[object] | dg.AssetCheckResult]:
    yield dg.MaterializeResult(asset_key="one", metadata={"rows": 3}, tags={"a": "tag"})
    yield dg.MaterializeResult(asset_key="two", data_version=dg.DataVersion("7"))
    yield dg.AssetCheckResult(check_name="holds", asset_key="one", passed=True)
    yield dg.AssetCheckResult(check_name="fails", asset_key="two", passed=False)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def parted(context) -> dg.MaterializeResult[object]:
    context.log.info("A line of its own.")
    return dg.MaterializeResult(metadata={"rows": 1})


def check_of_parts() -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=parted, partitions_def=parted.partitions_def)
    def holds_in_part() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return holds_in_part


@dg.asset
def observing(context) -> None:
    context.log_event(dg.AssetObservation("elsewhere", metadata={"seen": 1}))
    raise ValueError("It fails.")


@pytest.mark.filterwarnings("ignore:Specifying a partitions_def on an AssetCheckSpec")
def test_what_is_stored_is_what_dagster_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind of event, twice: what is known of an asset and a check by then is brought up to date."""
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance() as instance:
        for _ in range(2):
            dg.materialize([checked], instance=instance)
            for part in ("a", "b"):
                dg.materialize([parted, check_of_parts()], instance=instance, partition_key=part)
            dg.materialize([observing], instance=instance, raise_on_error=False)
        runs = sorted(instance.get_runs(), key=lambda run: run.run_id)
        events = [each for run in runs for each in instance.all_logs(run.run_id)]
    theirs = SqliteEventLogStorage(str(tmp_path / "theirs" / "history" / "runs"))
    ours = HomeEvents(str(tmp_path / "ours"))
    for storage in (theirs, ours):
        for each in events:
            storage.store_event(each)
        storage.dispose()
    kinds = {each.dagster_event_type for each in events}
    assert {"ASSET_OBSERVATION", "ASSET_CHECK_EVALUATION", "PIPELINE_FAILURE", "STEP_OUTPUT"} <= {
        each.value for each in kinds if each is not None
    }
    for table in ("event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"):
        for shard in ("index", *(run.run_id for run in runs)):
            expected, found = (
                rows_of(Path(storage.path_for_shard(shard)), table) for storage in (theirs, ours)
            )
            assert found == expected, (table, shard)
        if table != "event_logs":
            assert rows_of(Path(ours.path_for_shard("index")), table), table


def test_events_that_belong_together_are_stored_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = HomeEvents(str(tmp_path))
    events.store_event_batch([planned("a-run", "tickets"), planned("a-run", "races")])
    assert len(events.get_logs_for_run("a-run")) == 2
    assert set(events.all_asset_keys()) == {dg.AssetKey("tickets"), dg.AssetKey("races")}

    store = HomeEvents.store_event

    def break_at_events(storage: HomeEvents, event: dg.EventLogEntry) -> None:
        if event.get_dagster_event().asset_key == dg.AssetKey("events"):
            raise OSError("no space left")
        store(storage, event)

    monkeypatch.setattr(HomeEvents, "store_event", break_at_events)
    with pytest.raises(OSError, match="no space left"):
        events.store_event_batch([planned("a-run", "partners"), planned("a-run", "events")])
    assert len(events.get_logs_for_run("a-run")) == 2
    assert dg.AssetKey("partners") not in events.all_asset_keys()
    events.store_event(planned("a-run", "partners"))
    assert len(events.get_logs_for_run("a-run")) == 3
    events.dispose()


def test_records_that_can_not_be_written_together_are_written_one_by_one_and_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command's stderr is for the one sentence of why it failed."""

    def fail(storage: HomeEvents, events: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(HomeEvents, "store_event_batch", fail)
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")])
    def both() -> Iterator[dg.MaterializeResult[object]]:
        yield dg.MaterializeResult(asset_key="one")
        yield dg.MaterializeResult(asset_key="two")

    definitions = dg.Definitions(assets=[both], jobs=[dg.define_asset_job("all")])
    with open_instance() as instance:
        Runner(definitions, instance).run("all")
        assert set(instance.all_asset_keys()) == {dg.AssetKey("one"), dg.AssetKey("two")}
    assert capsys.readouterr().err == ""


def test_generators_that_do_not_end_leave_no_stack_beside_the_sentence(
    monkeypatch, tmp_path: Path, capsys
) -> None:
    """On a full disk Dagster's own do that: its records can't be written while a step is ended."""
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)

    def unwilling():
        while True:
            with suppress(GeneratorExit):
                yield

    @dg.asset
    def short_of_space() -> None:
        next(unwilling())
        text = "No space is left."
        raise OSError(text)

    definitions = dg.Definitions(assets=[short_of_space], jobs=[dg.define_asset_job("all")])
    with open_instance() as instance, pytest.raises(RunFailedError, match="No space is left"):
        Runner(definitions, instance).run("all")
    assert capsys.readouterr().err == ""
