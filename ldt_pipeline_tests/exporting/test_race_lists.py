"""Exports for other systems: what is in the files, and that changes add up to the whole list."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.erasing import ledger
from ldt_pipeline.exporting.presets import PACKAGED, PresetError, load_preset, preset_names
from ldt_pipeline.exporting.race_lists import NothingSentError
from ldt_pipeline.exporting.writing import UnencodableError, columns_of
from ldt_pipeline_tests.exporting.lists import make_tables, people, put, read_rows, row, run

NAMES = ["Zoë", "李小龍", "محمد", "Ōta", "Анна", "नीलम", "👩‍🚀 Ann", "=HYPERLINK(1)", "O'Neil; Jr"]


def test_every_preset_can_be_read_and_has_the_stable_id() -> None:
    assert len(preset_names(None)) == len(list(PACKAGED.glob("*.yaml"))) == 9
    for name in preset_names(None):
        sources = [column.from_ for column in columns_of(load_preset(name, None), changes=False)]
        assert "participant_id" in sources, name


@pytest.mark.parametrize("name", preset_names(None))
def test_a_name_in_any_script_survives_and_no_formula_does(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    put(database, [row(f"p{n}", first_name=each) for n, each in enumerate(NAMES)])
    path = run(database, tmp_path, name)
    preset = load_preset(name, None)
    assert path.stat().st_mode & 0o777 == 0o600
    heading = next(
        column.name for column in columns_of(preset, changes=False) if column.from_ == "first_name"
    )
    if preset.format == "csv":
        found = [each[heading] for each in read_rows(path, name)]
        assert sorted(found) == sorted([*NAMES[:-2], "'=HYPERLINK(1)", NAMES[-1]])
    elif preset.format == "json":
        found = [each[heading] for each in json.loads(path.read_bytes())]
        assert sorted(found) == sorted(NAMES)
    elif preset.format == "parquet":
        assert sorted(pl.read_parquet(path)[heading]) == sorted(NAMES)
    else:
        with zipfile.ZipFile(path) as archive:
            texts = archive.read("xl/sharedStrings.xml").decode()
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert all(each in texts for each in NAMES)
        assert "<f>" not in sheet


def test_race_result_invents_no_bib(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    put(database, [row("a"), row("b", bib_number=None)])
    found = read_rows(run(database, tmp_path, "race-result"), "race-result")
    assert [(each["RegNo"], each["Bib"], each["Status"]) for each in found] == [("a", "007", "0")]
    assert found[0]["DateOfBirth"] == "28.02.1990"
    put(database, [row("a"), row("b", bib_number="1")], 1)
    path = run(database, tmp_path, "race-result", changes_only=True)
    assert [each["RegNo"] for each in read_rows(path, "race-result")] == ["b"]


def test_withdrawn_entries_without_a_status_get_a_file(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b")])
    run(database, tmp_path, "zone4")
    put(database, [row("a")], 1)
    path = run(database, tmp_path, "zone4", changes_only=True)
    assert read_rows(path, "zone4") == []
    gone = read_rows(path.with_name("zone4-withdrawn.out"), "zone4")
    assert [(each["external_id"], each["first_name"]) for each in gone] == [("b", "Ann")]


def test_changes_need_an_export_to_the_same_recipient(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a")])
    run(database, tmp_path, "csv")
    with pytest.raises(NothingSentError, match="'Other' yet"):
        run(database, tmp_path, "csv", recipient="Other", changes_only=True)
    with pytest.raises(NothingSentError):
        run(database, tmp_path, "zone4", changes_only=True)


def test_an_export_that_fails_is_not_taken_for_one_that_was_received(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "old.yaml").write_text(
        "{description: x, format: csv, encoding: cp1252, columns: [{name: n, from: first_name}]}"
    )
    put(database, [row("a", first_name="Zoë")])
    run(database, tmp_path, "old")
    put(database, [row("a", first_name="李"), row("b")], 1)
    with pytest.raises(UnencodableError, match=r"1 participants \(a\)") as caught:
        run(database, tmp_path, "old", changes_only=True)
    assert "李" not in str(caught.value)
    assert len(ledger.receipts(tmp_path / "ledger")) == 1
    put(database, [row("a", first_name="Zoe"), row("b")], 2)
    path = run(database, tmp_path, "old", changes_only=True)
    assert {each["n"] for each in read_rows(path, "old", tmp_path)} == {"Zoe", "Ann"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{description: x, format: pdf}", "pdf"),
        ("{description: x, format: csv, columns: [{name: a, from: shoe_size}]}", "shoe_size"),
        ("{description: x, format: csv, columns: [{name: a}]}", "either"),
        (
            "{description: x, format: csv,"
            " columns: [{name: a, from: race_start_at, date: '%Y-%m-%d'}]}",
            "'a' has `date`, which is for days alone: date_of_birth",
        ),
        ("{description: x, format: csv, columns: [{name: a, value: x, date: '%d'}]}", "`date`"),
        ("{description: x, format: csv, delimiter: ';;'}", "one character"),
        ("{description: x, format: csv, encoding: klingon}", "klingon"),
        ("{description: x, format: csv, delimiter: '\"'}", "no quote"),
        ("{description: x, format: csv, encoding: rot13}", "rot13"),
        (
            "{description: x, format: csv, encoding: latin-1, columns: [{name: Číslo, value: x}]}",
            "latin-1 can't write the columns' names",
        ),
        ("{description: x, format: csv, encoding: undefined}", "undefined"),
        ("{description: x, format: csv, require: [shoe_size]}", "shoe_size"),
        ("[", "can't be used"),
    ],
)
def test_a_preset_that_makes_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(PresetError, match=problem):
        load_preset("mine", tmp_path)


def test_an_unknown_preset_lists_those_that_there_are(tmp_path: Path) -> None:
    for name in ("nothing", "../presets/csv"):
        with pytest.raises(PresetError, match="race-result"):
            load_preset(name, tmp_path)


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(states=st.lists(people, min_size=2, max_size=5))
def test_changes_add_up_to_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, Any]]
) -> None:
    """A timing system that applies each file holds what the list is, and nothing came twice."""
    folder = tmp_path_factory.mktemp("changes")
    held: dict[str, tuple[str, str]] = {}
    with duckdb.connect() as connection:
        make_tables(connection)
        for number, state in enumerate(states):
            rows = [row(key, bib_number=bib, first_name=n) for key, (bib, n) in state.items()]
            put(connection, rows, number)
            path = run(connection, folder, "csv", changes_only=number > 0)
            wanted = {key: (bib or "", name or "") for key, (bib, name) in state.items()}
            for each in read_rows(path, "csv"):
                key, shown = each["participant_id"], (each["bib_number"], each["first_name"])
                change = each.get("change", "added")
                assert (key in held) == (change != "added")
                if change == "withdrawn":
                    assert held.pop(key)[0] == each["old_bib"]
                    is_taken = each["old_bib"] in [bib for bib, _ in state.values()]
                    assert each["bib_number"] == ("" if is_taken else each["old_bib"])
                    continue
                if change == "changed":
                    assert held[key] != shown
                    assert held[key][0] == each["old_bib"]
                held[key] = shown
            assert held == wanted
