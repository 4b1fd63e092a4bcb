"""By itself, in race week: when, which races, and what lies there afterwards."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from unittest import mock

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.export_assets import EXPORT_RACES, race_exports, race_week_exports
from ldt_pipeline.defs.jobs import PUBLISH
from ldt_pipeline.defs.partitions import RACE_KEYS
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.erasing import ledger
from ldt_pipeline.exporting.race_week import (
    NoPeopleError,
    _file_name,
    due_races,
    export_race,
    is_due,
)
from ldt_pipeline.instants import now
from ldt_pipeline.settings import Settings, load_settings
from ldt_pipeline_tests.exporting.lists import START, publish, republish, row


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


@pytest.mark.parametrize(
    ("presets", "why"), [("csv", "Nothing is published yet"), ("", "LDT_EXPORT_PRESETS is not set")]
)
def test_by_hand_before_there_is_anything_to_write_it_says_what_is_missing(
    presets: str, why: str, tmp_path: Path
) -> None:
    environment = {"LDT_DATA_DIR": str(tmp_path / "data"), "LDT_EXPORT_PRESETS": presets}
    with mock.patch.dict(os.environ, environment), dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(RACE_KEYS, ["r1"])
        with pytest.raises(dg.Failure, match=why):
            dg.materialize(
                [race_exports],
                instance=instance,
                partition_key="r1",
                resources={"storage": Storage()},
            )


def test_what_says_the_same_is_neither_written_nor_entered(tmp_path: Path) -> None:
    settings = publish(tmp_path / "data", [row("a"), row("b", bib_number=None)])

    def having(**others: object) -> Settings:
        return settings.model_copy(update=others)

    def again(settings: Settings = settings) -> list[tuple[str, bool]]:
        done = export_race(settings, "r1", START)
        assert [each.rows for each in done] == [2, 2]
        return [(Path(each.files[0]).suffixes[-1], each.unchanged) for each in done]

    def entries() -> int:
        return len(ledger.receipts(settings.ledger_dir))

    assert again() == [(".csv", False)] * 2
    assert (again(), entries()) == ([(".csv", True)] * 2, 2)
    one, _ = sorted(settings.exports_dir.iterdir())
    before = one.read_bytes()
    one.unlink()
    assert (again(), entries()) == ([(".csv", False), (".csv", True)], 3)
    assert one.read_bytes() == before
    republish(settings, [row("a", club="Hares"), row("b", bib_number=None)])
    assert (again(), entries()) == ([(".csv", False)] * 2, 5)
    # A layout of one's own in the place of ours, and somebody else to send it to.
    (tmp_path / "csv.yaml").write_text("{description: x, format: csv, delimiter: ';'}")
    settings = having(presets_dir=tmp_path)
    assert (again(settings), entries()) == ([(".csv", False), (".csv", True)], 6)
    settings = having(export_recipient="Chip Timing Ltd")
    assert (again(settings), entries()) == ([(".csv", False)] * 2, 8)
    settings = having(export_recipient="Other Ltd")
    with mock.patch.object(ledger, "mark_in_place"):
        again(settings)
    assert again(settings) == [(".csv", False)] * 2
    assert again(settings) == [(".csv", True)] * 2


def test_a_list_that_was_saved_from_a_spreadsheet_is_written_again(tmp_path: Path) -> None:
    """Excel takes 007 for 7: the bibs would stay so until something else changes."""
    settings = publish(tmp_path / "data", [row("a")])
    for each in export_race(settings, "r1", START):
        file = Path(each.files[0])
        written = file.read_bytes()
        file.write_bytes(written.replace(b"007", b"7"))
        export_race(settings, "r1", START)
        assert file.read_bytes() == written


def test_those_whose_start_is_not_known(tmp_path: Path) -> None:
    rows = [row("a"), row("b", race_start_at=None)]
    settings = publish(tmp_path / "data", rows)
    done = export_race(settings, "r1", START)
    assert [(each.rows, each.undated) for each in done] == [(2, 0)] * 2
    republish(settings, [*rows, row("c", race_start_at=START + dt.timedelta(days=1))])
    done = export_race(settings, "r1", START)
    assert [(each.rows, each.undated) for each in done] == [(1, 1)] * 4


@pytest.mark.parametrize("later", [dt.timedelta(days=1), dt.timedelta(days=30)])
def test_a_start_that_is_put_off_leaves_nobody_on_the_old_list(
    tmp_path: Path, later: dt.timedelta
) -> None:
    moment = START - dt.timedelta(hours=26)
    settings = publish(tmp_path / "data", [row("a"), row("b", race_start_at=None)])
    export_race(settings, "r1", moment)
    old = settings.exports_dir / "r1-2027-05-09-zone4.csv"
    assert "Lee" in old.read_text()
    republish(settings, [row("a", race_start_at=START + later), row("b", race_start_at=None)])
    assert due_races(settings, moment) == ["r1"]
    export_race(settings, "r1", moment)
    assert "Lee" not in old.read_text()
    assert len(old.read_text().splitlines()) == 1
    is_near = later < dt.timedelta(days=7)
    assert (settings.exports_dir / "r1-2027-05-10-zone4.csv").exists() == is_near
    # Once is enough.
    assert due_races(settings, moment) == (["r1"] if is_near else [])
    assert all(each.unchanged for each in export_race(settings, "r1", moment))
    # Put back, they are on it again.
    republish(settings, [row("a"), row("b", race_start_at=None)])
    export_race(settings, "r1", moment)
    assert len(old.read_text().splitlines()) == 3


def test_what_is_due_without_personal_data(tmp_path: Path) -> None:
    """People were published once, and exported; the schedule has to go on all the same."""
    settings = publish(tmp_path / "data", [row("a")])
    export_race(settings, "r1", START)
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("ALTER TABLE start_list RENAME TO start_list_anonymous")
    assert due_races(settings, START) == ["r1"]


def test_a_list_of_a_start_that_is_over_stays(tmp_path: Path) -> None:
    settings = publish(tmp_path / "data", [row("a"), row("b")])
    export_race(settings, "r1", START)
    before = (settings.exports_dir / "r1-2027-05-09-zone4.csv").read_bytes()
    for hours in (3, 30):
        moment = START + dt.timedelta(hours=hours)
        assert due_races(settings, moment) == []
        assert export_race(settings, "r1", moment) == []
    republish(settings, [row("a", race_start_at=START + dt.timedelta(days=364))])
    assert due_races(settings, START + dt.timedelta(days=2)) == []
    assert (settings.exports_dir / "r1-2027-05-09-zone4.csv").read_bytes() == before


def test_a_race_whose_last_run_is_not_over_is_not_asked_for(tmp_path: Path) -> None:
    moment = now().replace(minute=0)
    starts_at = moment + dt.timedelta(hours=2)
    publish(tmp_path / "data", [row(key, race_id=key, race_start_at=starts_at) for key in "rs"])
    environment = {"LDT_DATA_DIR": str(tmp_path / "data"), "LDT_EXPORT_PRESETS": "csv"}
    with dg.instance_for_test() as instance, mock.patch.dict(os.environ, environment):
        instance.add_dynamic_partitions(RACE_KEYS, ["r", "s"])
        for job, key in ((EXPORT_RACES, "r"), (PUBLISH, "s")):
            instance.create_run_for_job(
                defs.resolve_job_def(job),
                status=dg.DagsterRunStatus.STARTED,
                tags={"dagster/partition": key},
            )
        with dg.build_schedule_context(instance, scheduled_execution_time=moment) as context:
            assert [each.partition_key for each in race_week_exports(context)] == ["s"]


def test_odd_race_ids_do_not_share_a_file() -> None:
    names = {_file_name(each) for each in ("a/b", "a_b", "a\\b", ".a_b", "..", "../a")}
    assert len(names) == 6
    assert not any(set("/\\") & set(each) or each.startswith(".") for each in names)
    assert _file_name("3517810009") == "3517810009"


def test_long_race_ids_fit_into_a_name_and_do_not_share_a_file(tmp_path: Path) -> None:
    ids = [f"{'é' * 150}{end}" for end in ("1", "2")]
    settings = publish(tmp_path / "data", [row(f"p{each[-1]}", race_id=each) for each in ids])
    files = [each.files[0] for race_id in ids for each in export_race(settings, race_id, START)]
    assert len({Path(each) for each in files if Path(each).is_file()}) == 4
