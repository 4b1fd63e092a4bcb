"""By itself, in race week: when, which races, and what lies there afterwards."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from unittest import mock

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.defs.export_assets import race_exports, race_week_exports
from ldt_pipeline.defs.partitions import RACE_KEYS
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.exporting.race_week import (
    NoPeopleError,
    _file_name,
    due_races,
    export_race,
    is_due,
)
from ldt_pipeline.instants import now
from ldt_pipeline.settings import Settings, load_settings
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.schema import column_definitions
from ldt_pipeline_tests.exporting.test_race_lists import put, row

START = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("before_start", "times_an_hour"),
    [
        (dt.timedelta(days=8), 0),
        (dt.timedelta(days=3), 1),
        (dt.timedelta(hours=20), 4),
        (dt.timedelta(hours=3), 60),
        (dt.timedelta(minutes=-61), 0),
    ],
)
def test_the_rhythm(before_start: dt.timedelta, times_an_hour: int) -> None:
    minutes = [START - before_start + dt.timedelta(minutes=each) for each in range(60)]
    assert sum(is_due(START, each) for each in minutes) == times_an_hour


def publish(folder: Path, rows: list[dict[str, object]], *, people: bool = True) -> Settings:
    folder.mkdir(parents=True)
    names = ("start_list", "participant_versions")
    with duckdb.connect(str(folder / "ldt.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in names:
            made = table(name)
            columns = column_definitions(made, list(made.schema))
            connection.execute(f"CREATE TABLE {name} ({columns})")
        put(connection, rows)
        if not people:
            connection.execute("ALTER TABLE start_list RENAME TO start_list_anonymous")
    return Settings(_env_file=None, data_dir=folder, export_presets=("csv", "zone4"))  # type: ignore[call-arg]


def test_nearest_races_first(tmp_path: Path) -> None:
    starts = {"far": 9 * 24, "week": 48, "day": 10, "soon": 1, "over": -3}
    rows = [
        row(key, race_id=key, race_start_at=START + dt.timedelta(hours=hours))
        for key, hours in starts.items()
    ]
    settings = publish(tmp_path / "data", rows)
    assert due_races(settings, START) == ["soon", "day", "week"]
    assert due_races(settings, START + dt.timedelta(minutes=1)) == ["soon"]
    assert due_races(settings.model_copy(update={"export_presets": ()}), START) == []


def test_without_personal_data_nothing_is_written(tmp_path: Path) -> None:
    settings = publish(tmp_path / "data", [row("a", race_start_at=START)], people=False)
    with pytest.raises(NoPeopleError):
        export_race(settings, "r1", START)
    assert not settings.exports_dir.exists()


def test_to_any_address_that_fsspec_knows(tmp_path: Path) -> None:
    from upath import UPath

    settings = publish(tmp_path / "data", [row("a", race_start_at=START)])
    settings = settings.model_copy(update={"export_target": "memory://lists"})
    assert [each.rows for each in export_race(settings, "r1", START)] == [1, 1]
    assert "Lee" in UPath("memory://lists/r1-2027-05-09-zone4.csv").read_text()


def test_the_schedule_asks_and_the_asset_writes(tmp_path: Path) -> None:
    moment = now().replace(minute=0)
    starts_at = moment + dt.timedelta(hours=2)
    publish(tmp_path / "data", [row("a", race_start_at=starts_at)])
    environment = {"LDT_DATA_DIR": str(tmp_path / "data"), "LDT_EXPORT_PRESETS": "csv,zone4"}
    with dg.instance_for_test() as instance, mock.patch.dict(os.environ, environment):
        instance.add_dynamic_partitions(RACE_KEYS, ["r1"])
        with dg.build_schedule_context(instance, scheduled_execution_time=moment) as context:
            requests = list(race_week_exports(context))
        assert [each.partition_key for each in requests] == ["r1"]
        ran = dg.materialize(
            [race_exports], instance=instance, partition_key="r1", resources={"storage": Storage()}
        )
        found = sorted(load_settings().exports_dir.iterdir())
    assert ran.success
    day = starts_at.date()
    assert [each.name for each in found] == [f"r1-{day}-csv.csv", f"r1-{day}-zone4.csv"]
    assert all(each.stat().st_mode & 0o777 == 0o600 for each in found)
    metadata = ran.asset_materializations_for_node("race_exports")[0].metadata
    assert metadata["dagster/partition_row_count"].value == 2
    assert "Lee" not in repr(metadata)


def test_odd_race_ids_do_not_share_a_file() -> None:
    names = {_file_name(each) for each in ("a/b", "a_b", "a\\b", ".a_b", "..", "../a")}
    assert len(names) == 6
    assert not any(set("/\\") & set(each) or each.startswith(".") for each in names)
    assert _file_name("3517810009") == "3517810009"
