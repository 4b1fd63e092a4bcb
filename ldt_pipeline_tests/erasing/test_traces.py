"""Exports that somebody is in are found, whatever they are written in."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from ldt_pipeline.erasing.traces import blank_records, delete_files, telling

ROW = "participant_id\tname\tbib\nabc-123\tZoë Ågren\t7\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    ("ids", "texts"), [({"abc-123"}, set()), (set(), {"Zoë Ågren"})], ids=["by id", "by name"]
)
def test_exports_in_any_encoding(
    tmp_path: Path, encoding: str, ids: set[str], texts: set[str]
) -> None:
    if encoding == "cp1252" and not ids:
        pytest.skip("a code page can't be told from the bytes: there the id has to tell")
    exported, other = tmp_path / "race" / "list.txt", tmp_path / "race" / "other.txt"
    exported.parent.mkdir()
    exported.write_text(ROW, encoding=encoding)
    other.write_text(ROW.replace("abc-123", "abc-1234").replace("Zoë", "Zoe"), encoding=encoding)
    assert delete_files(tmp_path, ids=ids, texts=texts) == [exported]
    assert other.exists()


@pytest.mark.parametrize("text", ["2026-05-01", "2026-05", "1.5.1987", "01/05/2026", "01-05-87"])
def test_dates_are_nobody_s(text: str) -> None:
    assert telling({text}) == []


@pytest.mark.parametrize("text", ["+44 7700 900123", "07700 900123", "(020) 7946-0123", "020.7946"])
def test_telephone_numbers_are_somebody_s(text: str) -> None:
    assert telling({text}) == [text]


def test_dagster_can_still_read_what_was_blanked(tmp_path: Path) -> None:
    """Its instants are text to SQLite, and somebody may have written the like."""
    secret = "Quite a secret illness"

    @dg.op
    def quote() -> None:
        raise ValueError(secret)

    @dg.job
    def failing() -> None:
        quote()

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    hour = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:}"
    assert blank_records(tmp_path, {secret, hour})
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        (record,) = instance.get_run_records()
        assert record.dagster_run.run_id == run_id
        assert instance.all_logs(run_id)


def test_a_text_across_two_pages_is_found(tmp_path: Path) -> None:
    """SQLite cuts long values into pages: such a text stands nowhere in the file as a whole."""
    secret, path = "first.last@secret.example", tmp_path / "events.db"
    for before in range(3000, 8000, len(secret) // 2):
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE events (body TEXT)")
            body = "x" * before + secret + "y" * (9000 - before)
            connection.execute("INSERT INTO events VALUES (?)", [body])
            connection.commit()
        if secret.encode() not in path.read_bytes():
            break
    else:
        raise AssertionError("the control: no value was cut in the middle of the text")
    assert blank_records(tmp_path, {secret}) == [path]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT instr(body, ?) FROM events", [secret]).fetchall() == [
            (0,)
        ]
    assert blank_records(tmp_path, {secret}) == []


def test_a_damaged_database_without_the_text_stops_no_erasure(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 9000)
    log = tmp_path / "b.err"
    log.write_text("first.last@secret.example")
    assert blank_records(tmp_path, {"first.last@secret.example"}) == [log]
