"""Those who left a list: what a file of changes says of them, by layout."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ldt_pipeline.exporting.reading import listed, undated
from ldt_pipeline_tests.exporting.lists import (
    START,
    exported,
    put,
    read_rows,
    row,
    run,
)

OF_ONE_DAY = {"about": {"race_id": "r1", "on": "2027-05-09"}}


def moved(participant_id: str, **others: Any) -> dict[str, Any]:
    return row(
        participant_id, **{"race_id": "r2", "race_name": "5k", "bib_number": "501", **others}
    )


@pytest.mark.parametrize(("preset", "key"), [("race-result", "RegNo"), ("zone4", "external_id")])
def test_who_runs_another_race_is_not_withdrawn_from_it(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, preset: str, key: str
) -> None:
    put(database, [row("a"), row("b", bib_number="8"), row("c", bib_number="9")])
    run(database, tmp_path, preset)
    put(database, [row("a"), moved("b")], 1)
    done = exported(database, tmp_path, preset, changes_only=True)
    path = tmp_path / "exports" / f"{preset}.out"
    assert (done.withdrawn, done.moved) == (1, 1)
    gone = read_rows(path, preset) if preset == "race-result" else []
    if preset == "zone4":
        gone = read_rows(path.with_name("zone4-withdrawn.out"), preset)
    assert [each[key] for each in gone] == ["c"]
    (found,) = read_rows(path.with_name(f"{preset}-moved.out"), preset)
    # Whoever takes it in all the same has the runner in the race that they run.
    race, bib = ("Contest", "Bib") if preset == "race-result" else ("category", "bib")
    assert (found[key], found[race], found[bib]) == ("b", "5k", "501")
    assert found.get("Status", "0") == "0"
    done = exported(database, tmp_path, preset, changes_only=True)
    assert (done.rows, done.withdrawn, done.moved) == (0, 0, 0)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_layout_with_the_race_says_which_one_was_left(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b", bib_number="8")])
    run(database, tmp_path, "csv")
    put(database, [row("a"), moved("b")], 1)
    (found,) = read_rows(run(database, tmp_path, "csv", changes_only=True), "csv")
    assert (found["participant_id"], found["change"], found["race_id"], found["bib_number"]) == (
        *("b", "withdrawn", "r1", "8"),
    )


def test_an_entry_put_off_by_a_year_is_withdrawn(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b", bib_number="8", last_name="Old")])
    run(database, tmp_path, "race-result", **OF_ONE_DAY)
    later = START + dt.timedelta(days=364)
    put(database, [row("a"), row("b", race_start_at=later, last_name="New", bib_number="1")], 1)
    path = run(database, tmp_path, "race-result", on=START.date(), changes_only=True, **OF_ONE_DAY)
    (found,) = read_rows(path, "race-result")
    assert (found["RegNo"], found["Status"], found["Bib"], found["Lastname"]) == (
        *("b", "4", "8", "Old"),
    )


def test_who_moved_and_has_no_bib_yet_is_told_of_later(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b", bib_number="8")])
    run(database, tmp_path, "race-result")
    put(database, [row("a"), moved("b", bib_number=None)], 1)
    done = exported(database, tmp_path, "race-result", changes_only=True)
    assert (done.rows, done.withdrawn, done.moved, done.left_out) == (0, 0, 0, 1)
    put(database, [row("a"), moved("b")], 2)
    assert exported(database, tmp_path, "race-result", changes_only=True).moved == 1


def test_a_starter_who_loses_the_bib_for_a_moment_has_not_left(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a", bib_number="1"), row("b", bib_number="2")])
    run(database, tmp_path, "race-result")
    put(database, [row("a", bib_number=None), row("b", bib_number="1")], 1)
    path = run(database, tmp_path, "race-result", changes_only=True)
    assert [
        (each["RegNo"], each["Bib"], each["Status"]) for each in read_rows(path, "race-result")
    ] == [("b", "1", "0")]
    # What the recipient has of them is remembered, over any number of exports.
    assert exported(database, tmp_path, "race-result", changes_only=True).rows == 0
    put(database, [row("b", bib_number="1")], 2)
    (found,) = read_rows(run(database, tmp_path, "race-result", changes_only=True), "race-result")
    assert (found["RegNo"], found["Bib"], found["Status"]) == ("a", "", "4")


def test_a_bib_that_comes_back_is_sent(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    put(database, [row("a", bib_number="1")])
    run(database, tmp_path, "race-result")
    put(database, [row("a", bib_number=None)], 1)
    run(database, tmp_path, "race-result", changes_only=True)
    put(database, [row("a", bib_number="3")], 2)
    path = run(database, tmp_path, "race-result", changes_only=True)
    assert [(each["RegNo"], each["Bib"]) for each in read_rows(path, "race-result")] == [("a", "3")]


def test_the_file_of_withdrawn_entries_goes_with_the_changes_before(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b")])
    run(database, tmp_path, "zone4")
    put(database, [row("a")], 1)
    beside = run(database, tmp_path, "zone4", changes_only=True).with_name("zone4-withdrawn.out")
    assert beside.exists()
    run(database, tmp_path, "zone4", changes_only=True)
    assert not beside.exists()


def test_a_start_that_became_unknown_is_no_withdrawal(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b", bib_number="8")])
    run(database, tmp_path, "csv", **OF_ONE_DAY)
    put(database, [row("a"), row("b", bib_number="8", race_start_at=None)], 1)
    done = exported(
        database,
        tmp_path,
        "csv",
        on=START.date(),
        not_of_list=undated(database, "r1"),
        changes_only=True,
        **OF_ONE_DAY,
    )
    assert (done.rows, done.withdrawn, done.undated) == (0, 0, 1)
    assert len(listed(database, "r1")) == 2
