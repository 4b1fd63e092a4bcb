"""What is made harmless before it is printed, and what becomes of errors."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import io
import json
import re
from importlib import import_module

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldt_pipeline.cli import command
from ldt_pipeline.cli.cells import cell_width
from ldt_pipeline.cli.exports import defuse, pieces, table_lines
from ldt_pipeline.cli.key_claims import read_claims
from ldt_pipeline.cli.published import Rows
from ldt_pipeline.cli.text import clean, text_table, without_secrets
from ldt_pipeline.sandbox import issue_key
from ldt_pipeline.tables import table

COLUMNS = tuple(table("start_list").schema)


def row(**values: object) -> tuple[object, ...]:
    return tuple(values.get(name) for name in COLUMNS)


def rows(*given: tuple[object, ...]) -> Rows:
    return Rows(table_name="start_list", columns=COLUMNS, rows=list(given))


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    cleaned = clean(text)
    assert not set(cleaned) & {*map(chr, range(32)), *map(chr, range(127, 160)), "\u202e"}


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), max_size=5), st.data())
def test_tables_fit(cells: list[list[str]], data: st.DataObject) -> None:
    width = data.draw(st.integers(20, 120))
    laid_out = text_table(["a", "b", "c"], cells, width=width)
    assert len(laid_out.lines) == len(cells) + 1
    assert all(cell_width(line) <= width for line in laid_out.lines)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\uff1d", "\uff0b", "\u200d@"])
def test_formulas_are_defused(start: str) -> None:
    assert defuse(f"{start}1+1") == f"'{start}1+1"
    text = "".join(pieces(rows(row(first_name=f"{start}HYPERLINK(1)")), "csv"))
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    assert cells[0]["first_name"] == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('=HYPERLINK("http://x.example")', '\'=HYPERLINK("http://x.example")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@SUM(A1:A9)", "'@SUM(A1:A9)"),
        ("-2+3", "'-2+3"),
        ("+44-7700-900123", "'+44-7700-900123"),
        ("Jo;=1+1", "Jo;'=1+1"),
        ("Jo; =1+1", "Jo;' =1+1"),
        ("Jo|@SUM(1)", "Jo|'@SUM(1)"),
        ("a\r\n=1", "a =1"),
        ("\t=1", "' =1"),
        ("+44 7700 900123", "+44 7700 900123"),
        ("+44 (0)7700.900.123", "+44 (0)7700.900.123"),
        ("+447700900123", "+447700900123"),
        ("jo@runner.example", "jo@runner.example"),
        ("Anne-Marie; fast", "Anne-Marie; fast"),
        ("1990-01-02", "1990-01-02"),
        ("\x1b]8;;http://x.example\x07Jo", "\ufffd]8;;http://x.example\ufffdJo"),
    ],
)
def test_cells_of_a_csv(text: str, expected: str) -> None:
    written = "".join(pieces(rows(row(club=text)), "csv"))
    (cell,) = [each["club"] for each in csv.DictReader(io.StringIO(written, newline=""))]
    assert cell == expected


@given(st.text("=+-@;|\t\r\n 1a()\uff1d\u200d'\"", max_size=12))
def test_no_part_of_a_cell_is_a_formula(text: str) -> None:
    """Wherever a spreadsheet may cut it: at what separates lists in any country."""
    written = "".join(pieces(rows(row(club=text)), "csv"))
    assert written.count("\r\n") == 2, "a row is a line"
    (cell,) = [each["club"] for each in csv.DictReader(io.StringIO(written, newline=""))]
    for part in re.split(r"[;|]", cell):
        start = part.strip(" \u200d")[:1]
        harmless = re.fullmatch(r"\+[0-9][0-9 ().]*", cell)
        assert harmless or start not in {"=", "+", "-", "@", "\uff1d"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_csv_and_json_give_back_what_they_were_given(text: str) -> None:
    given_rows = rows(row(last_name=text, age_on_race_day=7, is_redacted=False))
    written = "".join(pieces(given_rows, "csv"))
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert read[1][COLUMNS.index("last_name")] == defuse(clean(text))
    assert read[1][COLUMNS.index("is_redacted")] == "false"
    as_json = "".join(pieces(given_rows, "json"))
    assert json.loads(as_json)[0]["last_name"] == text
    assert clean(as_json.replace("\n", "")) == as_json.replace("\n", "")


def test_no_rows() -> None:
    assert "".join(pieces(rows(), "csv")) == ",".join(COLUMNS) + "\r\n"
    assert json.loads("".join(pieces(rows(), "json"))) == []
    assert list(table_lines(rows(), width=80))[-1] == "(no rows)"


def test_instants_and_dates() -> None:
    moment = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
    given_rows = rows(row(race_start_at=moment, date_of_birth=dt.date(1990, 2, 3)))
    record = json.loads("".join(pieces(given_rows, "json")))[0]
    assert record["race_start_at"] == "2026-03-01T09:30:00.000Z"
    assert record["date_of_birth"] == "1990-02-03"


def test_names_can_not_play_tricks() -> None:
    evil = "[red]\x1b[31mRed\x07\u202e\nname"
    lines = list(table_lines(rows(row(first_name=evil, bib_number="1")), width=120))
    assert len(lines) == 3
    assert "[red]" in lines[1]
    assert not any(mark in lines[1] for mark in ("\x1b", "\x07", "\u202e"))


def test_keys_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDT_API_KEY", "secret-key\r")
    assert without_secrets("Invalid header value b'Bearer secret-key\\r'") == (
        "Invalid header value b'Bearer …'"
    )
    key = issue_key()
    assert key not in without_secrets(f"got {key}, then nothing")


OURS = {
    "AuthenticationError": "api.errors",
    "ChecksFailedError": "warehouse.checking",
    "CommandError": "cli.command",
    "ContractError": "api.contract",
    "DamagedExtractError": "raw.store",
    "IncompleteWalkError": "api.errors",
    "OutdatedWarehouseError": "warehouse.schema",
    "QuestionsFileError": "tidy",
    "RunFailedError": "dagster_runs",
    "SettingsError": "settings",
    "WarehouseBusyError": "warehouse.connection",
}


@pytest.mark.parametrize("name", OURS)
def test_errors_that_are_explained(name: str) -> None:
    kind = getattr(import_module(f"ldt_pipeline.{OURS[name]}"), name)
    error = kind("Do this,\nthen that.")
    failure = command._failure_of(error)
    assert failure.exit_code == 1
    assert failure.message == "Do this, then that."


@pytest.mark.parametrize(
    ("error", "status", "part"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (RuntimeError("Query interrupted"), 130, "Interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/raw"), 1, "Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), 1, "LDT_DATA_DIR"),
        (OSError(errno.EMFILE, "Too many open files", "/data/raw"), 1, "ulimit -n 1024"),
        (command.CommandError("[Errno 24] Too many open files: '/raw'"), 1, "ulimit -n 1024"),
        (KeyError("somebody@example.org"), 1, "unexpected went wrong (KeyError)"),
    ],
)
def test_other_errors(error: BaseException, status: int, part: str) -> None:
    failure = command._failure_of(error)
    assert isinstance(failure, click.ClickException)
    assert failure.exit_code == status
    assert part in failure.message
    assert "somebody" not in failure.message


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"organiserId": "1", "organiserName": "A"}, "A (organiser 1)"),
        ({"organizer": {"id": 7, "name": "B"}}, "B (organiser 7)"),
        ({"organisation_name": "C"}, "C"),
        ({"sub": "9"}, "organiser 9"),
        ({"organiserName": None, "organiserId": []}, "an organiser it doesn't name"),
    ],
)
def test_claims(claims: dict[str, object], shown: str) -> None:
    import jwt

    found = read_claims(jwt.encode(claims, "a secret that is long enough for it", "HS256"))
    assert found is not None
    assert found.organiser == shown


@given(st.text(max_size=200))
def test_any_key_can_be_looked_at(key: str) -> None:
    read_claims(key)
