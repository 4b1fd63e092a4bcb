"""`ldt start-list` and `ldt allocations`, as people and programs use them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

from ldt_pipeline.cli.exports import defuse
from ldt_pipeline.sandbox import Sandbox
from ldt_pipeline.tables import table
from ldt_pipeline_tests.cli.conftest import LDT, Run, clean_environment


@pytest.fixture
def race_id(synced: Run, folder: Path) -> str:
    with duckdb.connect(str(folder / "data" / "ldt.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT race_id FROM races ORDER BY participants DESC, race_id"
        ).fetchall()
    return rows[0][0]


def test_csv_holds_every_column_in_order(synced: Run, race_id: str, sandbox: Sandbox) -> None:
    ran = synced("start-list", race_id, "--format", "csv", LDT_API_KEY="")
    assert ran.status == 0
    assert "choose one with --on" in ran.err, "the race starts every year"
    rows = list(csv.reader(io.StringIO(ran.out, newline="")))
    assert rows[0] == list(table("start_list").schema)
    assert {row[0] for row in rows[1:]} == set(sandbox.account.participant_ids(race_id=race_id))
    assert ran.out.count("\r\n") >= len(rows)
    assert all(defuse(cell) == cell for row in rows for cell in row)


def test_json_holds_every_column_with_instants(synced: Run, race_id: str) -> None:
    ran = synced("start-list", race_id, "--format", "json")
    assert ran.status == 0
    records = json.loads(ran.out)
    assert list(records[0]) == list(table("start_list").schema)
    assert records[0]["race_id"] == race_id
    assert records[0]["updated_at"].endswith("Z")


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_table_fits_the_terminal(synced: Run, race_id: str, columns: str) -> None:
    ran = synced("start-list", race_id, COLUMNS=columns)
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("bib_number")
    assert all(len(line) <= int(columns) for line in lines[:-1])
    assert lines[-1].endswith("more columns in --format csv)")


def test_file_appears_whole_and_private(synced: Run, race_id: str, tmp_path: Path) -> None:
    path = tmp_path / "lists" / "start.csv"
    ran = synced("start-list", race_id, "--format", "csv", "--out", str(path))
    assert ran.status == 0
    assert str(path) in ran.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().decode() == synced("start-list", race_id, "--format", "csv").out
    assert list(path.parent.iterdir()) == [path]


def test_file_that_can_not_be_written(synced: Run, race_id: str, tmp_path: Path) -> None:
    ran = synced("start-list", race_id, "--out", str(tmp_path))
    assert ran.status == 1
    assert "is a folder" in ran.sentence
    (tmp_path / "file").touch()
    ran = synced("start-list", race_id, "--out", str(tmp_path / "file" / "start.csv"))
    assert ran.status == 1
    assert "can't be written" in ran.sentence


def test_unknown_race_lists_those_that_there_are(synced: Run, race_id: str) -> None:
    ran = synced("start-list", "99")
    assert ran.status == 1
    assert "There is no race '99'" in ran.sentence
    assert race_id in ran.sentence


def test_race_is_needed(ldt: Run) -> None:
    ran = ldt("start-list")
    assert ran.status == 2
    assert "RACE_ID" in ran.err


def test_unknown_format(ldt: Run) -> None:
    assert ldt("start-list", "1", "--format", "dbf").status == 2


def test_excel_is_a_file(synced: Run, tmp_path: Path) -> None:
    for command in (("start-list", "1"), ("allocations",)):
        ran = synced(*command, "--format", "xlsx")
        assert (ran.status, "--out" in ran.err) == (2, True)
    listed = json.loads(synced("allocations", "--format", "json").out)
    file = tmp_path / "allocations.xlsx"
    assert synced("allocations", "--format", "xlsx", "--out", str(file)).status == 0
    with zipfile.ZipFile(file) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    assert sheet.count(b"<row ") == 1 + len(listed)
    assert b"<f>" not in sheet
    assert file.stat().st_mode & 0o777 == 0o600


def test_pace_is_a_view_of_the_published_file(synced: Run, folder: Path) -> None:
    listed = json.loads(synced("allocations", "--pace", "--format", "json").out)
    path = folder / "data" / "ldt.duckdb"
    connection = duckdb.connect()  # as a notebook in another zone opens it
    connection.execute(f"SET TimeZone = 'Pacific/Auckland'; ATTACH '{path}' AS ldt (READ_ONLY)")
    rows = connection.sql(
        "SELECT reserved_entry_group_id, claims_last_7_days, days_to_race FROM ldt.allocation_pace"
    ).fetchall()
    connection.close()
    names = ("reserved_entry_group_id", "claims_last_7_days", "days_to_race")
    assert set(rows) == {tuple(each[name] for name in names) for each in listed}


def test_allocations_of_all_and_of_one_event(synced: Run) -> None:
    everything = json.loads(synced("allocations", "--format", "json").out)
    event_id = everything[0]["event_id"]
    of_event = json.loads(synced("allocations", event_id, "--format", "json").out)
    assert of_event == [each for each in everything if each["event_id"] == event_id]
    assert 0 < len(of_event) < len(everything)
    assert list(everything[0]) == list(table("partner_allocations").schema)


def test_what_stands_behind_an_event_is_not_passed_over(synced: Run) -> None:
    ran = synced("allocations", "99", "export", "--out", "allocations.yaml")
    assert ran.status == 2
    assert "unexpected extra argument (export)" in ran.err


def test_the_name_of_a_file_says_its_format(synced: Run, race_id: str, tmp_path: Path) -> None:
    """A table cut to a terminal's width is not what somebody wants who asks for list.csv."""
    for command in (("start-list", race_id), ("allocations",)):
        for ending in ("csv", "json", "xlsx", "CSV"):
            named, asked = tmp_path / f"named.{ending}", tmp_path / "asked"
            assert synced(*command, "--out", str(named)).status == 0
            options = ("--format", ending.lower(), "--out", str(asked))
            assert synced(*command, *options).status == 0
            assert named.read_bytes()[:400] == asked.read_bytes()[:400]
        table_file = tmp_path / "list.txt"
        assert synced(*command, "--out", str(table_file)).status == 0
        assert "more columns in --format csv" in table_file.read_text()
        assert synced(*command, "--format", "table", "--out", str(table_file)).status == 0
        other = tmp_path / "list.parquet"
        ran = synced(*command, "--out", str(other))
        assert (ran.status, other.exists()) == (2, False)
        assert "list.parquet: a list is written as .csv, .xlsx or .json" in ran.err


def test_what_is_no_text_is_wrong_usage(synced: Run) -> None:
    for command in (("start-list",), ("allocations",), ("erase", "participant"), ("partner",)):
        ran = synced(*command, os.fsdecode(b"Zo\xeb"))
        assert ran.status == 2
        assert "is not text in UTF-8" in ran.err


def test_allocations_filtered_and_sorted(synced: Run) -> None:
    def listed(*options: str) -> list[dict[str, object]]:
        return json.loads(synced("allocations", "--format", "json", *options).out)

    everything = listed()
    low = listed("--below", "50%")
    shares = [each["utilisation"] for each in everything]
    assert 0 < len(low) < len(everything)
    assert len(low) == sum(isinstance(each, float) and each < 0.5 for each in shares)
    by_places = [each["max_capacity"] for each in listed("--sort", "-max_capacity")]
    assert by_places == sorted(by_places, reverse=True)
    paced = listed("--pace")
    days = [each["days_to_race"] for each in paced]
    soon = listed("--race-within", "3w", "--pace")
    assert len(soon) == sum(isinstance(each, int) and each <= 21 for each in days) > 0
    for each in paced:
        if each["remaining_capacity"] and each["claims_last_7_days"]:
            assert each["projected_full_on"] is not None
        elif each["remaining_capacity"]:
            assert each["projected_full_on"] is None
    assert "days_to_race" in synced("allocations", "--pace", COLUMNS="300").out
    unsorted = synced("allocations", "--sort", "colour")
    assert unsorted.status == 2
    assert "There is no column 'colour'" in unsorted.err
    assert synced("allocations", "--below", "half").status == 2
    assert "write 50% or 0.5" in synced("allocations", "--below", "50").err, "not 5,000%"


def test_a_terminal_shows_what_was_asked_for(synced: Run) -> None:
    """Pace, and the column by which the list is sorted, before whatever else there is room for."""
    paced = synced("allocations", "--pace", COLUMNS="80").out.splitlines()
    assert paced[0].split()[2:] == ["claims_last_7_days", "days_to_race"]
    for sort in ("utilisation", "-first_claimed_at"):
        headings = synced("allocations", "--sort", sort, COLUMNS="80").out.splitlines()[0].split()
        assert headings[2] == sort.removeprefix("-")
    by_name = synced("allocations", "--sort", "partner_name", COLUMNS="80").out.splitlines()[0]
    assert by_name.split()[:3] == ["partner_name", "reserved_entry_grou…", "max_capacity"]


def test_unknown_event(synced: Run) -> None:
    ran = synced("allocations", "99")
    assert ran.status == 1
    assert "Known events: " in ran.sentence


def test_nothing_is_published_yet(ldt: Run, tmp_path: Path) -> None:
    ran = ldt("allocations", LDT_DATA_DIR=str(tmp_path))
    assert ran.status == 1
    assert "Run `ldt sync` first" in ran.sentence


def test_published_without_personal_data(
    synced: Run, folder: Path, tmp_path: Path, race_id: str
) -> None:
    """A start list is nothing but people; allocations name none."""
    shutil.copytree(folder / "data", tmp_path / "data")
    settings = {"LDT_DATA_DIR": str(tmp_path / "data"), "LDT_PUBLISH_PERSONAL_DATA": "false"}
    ran = synced("sync", **settings)
    assert ran.status == 0, ran.err
    assert "Published" in ran.out
    ran = synced("start-list", race_id, **settings)
    assert ran.status == 1
    assert "LDT_PUBLISH_PERSONAL_DATA" in ran.sentence
    assert "start_list_anonymous" in ran.sentence
    assert synced("allocations", **settings).status == 0
    assert synced("sync", **settings).status == 0


def test_file_that_is_no_duckdb(ldt: Run, tmp_path: Path) -> None:
    (tmp_path / "ldt.duckdb").write_bytes(b"no database at all" * 1000)
    ran = ldt("allocations", LDT_DATA_DIR=str(tmp_path))
    assert ran.status == 1
    assert "can't be read" in ran.sentence


def test_file_of_another_version(ldt: Run, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "ldt.duckdb")) as connection:
        connection.execute("CREATE TABLE start_list (race_id VARCHAR)")
    ran = ldt("start-list", "1", LDT_DATA_DIR=str(tmp_path))
    assert ran.status == 1
    assert "another version" in ran.sentence


def test_reader_that_has_had_enough(
    synced: Run, race_id: str, folder: Path, settings: dict[str, str]
) -> None:
    done = subprocess.run(
        f"'{LDT}' start-list {race_id} --format csv | true",
        shell=True,
        env={**clean_environment(), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_imports_no_dagster(folder: Path, settings: dict[str, str], synced: Run) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(LDT), "allocations"],
        env={**clean_environment(), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "duckdb" in done.stderr
    for heavy in ("dagster", "sqlalchemy", "aiohttp", "requests"):
        assert f"| {heavy}\n" not in done.stderr.replace("|   ", "| ")
        assert f" {heavy}." not in done.stderr


def test_every_preset_writes_the_largest_race(
    synced: Run, race_id: str, tmp_path: Path, folder: Path
) -> None:
    from ldt_pipeline.exporting.presets import preset_names

    with duckdb.connect(str(folder / "data" / "ldt.duckdb"), read_only=True) as connection:
        (day, listed, with_bib) = connection.execute(
            "SELECT race_start_at::DATE AS day, count(*), count(bib_number) FROM start_list "
            "WHERE race_id = ? GROUP BY day ORDER BY count(*) DESC LIMIT 1",
            [race_id],
        ).fetchall()[0]
    for name in preset_names(None):
        path = tmp_path / f"{name}.out"
        arguments = ("--on", str(day), "--preset", name, "--out", str(path))
        ran = synced("start-list", race_id, *arguments, "--recipient", "Timing Ltd")
        assert ran.status == 0, ran.err
        expected = with_bib if name == "race-result" else listed
        assert f"Wrote {expected:,} participant" in ran.out
        assert path.stat().st_size > 0
    arguments = ("--preset", "csv", "--recipient", "Timing Ltd", "--changes-since", "last")
    path = tmp_path / "changes.csv"
    ran = synced("start-list", race_id, "--on", str(day), *arguments, "--out", str(path))
    assert ran.status == 0, ran.err
    assert "Wrote 0 participants" in ran.out


def test_presets_and_recipients_that_there_are_not(
    synced: Run, race_id: str, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "x.csv"))
    ran = synced("start-list", race_id, "--preset", "nothing", *out)
    assert ran.status == 1
    assert "race-result" in ran.sentence
    ran = synced("start-list", race_id, "--preset", "csv", *out, "--changes-since", "last")
    assert ran.status == 2
    assert "--recipient" in ran.err


def test_a_table_on_the_terminal_is_for_no_recipient(synced: Run, race_id: str) -> None:
    ran = synced("start-list", race_id, "--recipient", "Timing Ltd")
    assert ran.status == 2
    assert "--out" in ran.err


def test_the_list_as_it_stood(synced: Run, race_id: str) -> None:
    whole = json.loads(synced("start-list", race_id, "--format", "json").out)
    registered = sorted(each["registered_at"] for each in whole)
    middle = registered[len(registered) // 2]
    then = json.loads(
        synced("start-list", race_id, "--format", "json", "--as-of", middle.rstrip("Z")).out
    )
    known = {each["participant_id"] for each in whole if each["registered_at"] <= middle}
    assert known <= {each["participant_id"] for each in then}
    assert all(each["registered_at"] <= middle for each in then)
    assert (
        json.loads(synced("start-list", race_id, "--format", "json", "--as-of", "2100-01-01").out)
        == whole
    )
    for no_instant in ("soon", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"):
        refused = synced("start-list", race_id, "--as-of", no_instant)
        assert (refused.status, "is no instant" in refused.err) == (2, True)
