"""The published file in Python: always the newest, read-only, typed."""

from __future__ import annotations

import datetime as dt
import pydoc
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import ldt_pipeline as ldt
from ldt_pipeline.tables import TABLES, table
from ldt_pipeline.warehouse.schema import column_definitions

AT = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)


def publish(path: Path, bibs: dict[str, str | None]) -> None:
    """Make a file with these bibs beside the old one, and put it in its place."""
    building = path.with_name("new.duckdb")
    with duckdb.connect(str(building)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for each in TABLES.values():
            columns = column_definitions(each, list(each.schema))
            connection.execute(f"CREATE TABLE {each.name} ({columns})")
        for number, (name, bib) in enumerate(bibs.items()):
            for target, more in (("start_list", ""), ("participant_versions", ", 1 AS version")):
                connection.execute(
                    f"INSERT INTO {target} BY NAME SELECT ? AS participant_id, 'r1' AS race_id, "
                    f"?::VARCHAR AS bib_number, ?::TIMESTAMPTZ AS race_start_at {more}",
                    [name, bib, AT],
                )
            connection.execute(
                "UPDATE participant_versions SET valid_from = ? WHERE participant_id = ?",
                [AT + dt.timedelta(days=number), name],
            )
    building.replace(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path))
    publish(tmp_path / "ldt.duckdb", {"a": "10", "b": "9", "c": None})
    return tmp_path / "ldt.duckdb"


def test_always_the_newest(path: Path) -> None:
    """DuckDB gives the old database to a second connection while the first is open."""
    with ldt.connect() as old, duckdb.connect(str(path), read_only=True) as plain:
        publish(path, {"z": "1"})
        with ldt.connect() as new:
            assert new.sql("SELECT participant_id FROM start_list").fetchall() == [("z",)]
        assert len(old.sql("SELECT * FROM start_list").fetchall()) == 3
        assert len(plain.sql("SELECT * FROM start_list").fetchall()) == 3
        assert ldt.start_list("r1")["participant_id"].to_list() == ["z"]


def test_a_notebook_in_a_folder_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter starts it there: settings and data lie above, and the nearest ones count."""
    monkeypatch.delenv("LDT_DATA_DIR")
    notebooks = path.parent / "project" / "notebooks"
    notebooks.mkdir(parents=True)
    monkeypatch.chdir(notebooks)
    (path.parent / "data").mkdir()
    path.rename(path.parent / "data" / "ldt.duckdb")
    assert ldt.start_list("r1").height == 3
    (notebooks.parent / ".env").write_text("LDT_DATA_DIR=elsewhere")
    with pytest.raises(ldt.NotPublishedError, match="project/elsewhere"):
        ldt.connect()


def test_a_misspelt_table_is_not_put_down_to_the_file(path: Path) -> None:
    with pytest.raises(
        ldt.NotPublishedError, match=r"start_lists.*Unless that is misspelt, it was"
    ):
        ldt.read_frame("SELECT bib_number FROM start_lists", {}, {})


def test_help_and_completion_name_every_function() -> None:
    """They are looked up when they are used: without `__dir__`, neither would find one."""
    assert set(ldt.__all__) <= set(dir(ldt))
    described = pydoc.render_doc(ldt, renderer=pydoc.plaintext)
    for name in set(ldt.__all__) - {"NotPublishedError"}:
        assert f"    {name}(" in described


def test_nothing_can_be_written(path: Path) -> None:
    with ldt.connect() as db, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        db.execute("DELETE FROM start_list")


def test_frames_are_typed_and_in_order(path: Path) -> None:
    frame = ldt.start_list("r1")
    assert dict(frame.schema) == table("start_list").schema
    assert frame["participant_id"].to_list() == ["b", "a", "c"]
    assert frame["race_start_at"][0] == AT
    assert ldt.start_list("r1", on=AT.date()).height == 3
    # As `coming_starts` gives it: an instant is a date in Python, and was one that no start has.
    assert ldt.start_list("r1", on=AT).height == 3
    assert ldt.start_list("r1", on=AT.astimezone(dt.timezone(dt.timedelta(hours=17)))).height == 3
    assert ldt.start_list("r1", on=dt.date(2026, 1, 1)).height == 0
    for name in ("start_list_changes", "partner_allocations", "races", "data_issues"):
        assert dict(getattr(ldt, name)().schema) == table(name).schema
    assert ldt.participant_versions("a").height == 1
    assert ldt.start_list_changes("r1", since=AT).height == 0


@pytest.mark.parametrize("as_of", [None, AT + dt.timedelta(days=9)])
def test_those_whose_start_is_not_known(path: Path, as_of: dt.datetime | None) -> None:
    """They are on the list of a race's only day, as in exports, and of none where it has several."""

    def on_the_day(starts: dict[str, dt.datetime | None]) -> list[str]:
        with duckdb.connect(str(path)) as connection:
            for name, start in starts.items():
                for target in ("start_list", "participant_versions"):
                    connection.execute(
                        f"UPDATE {target} SET race_start_at = ? WHERE participant_id = ?",
                        [start, name],
                    )
        return ldt.start_list("r1", on=AT.date(), as_of=as_of)["participant_id"].to_list()

    assert on_the_day({"c": None}) == ["b", "a", "c"]
    assert on_the_day({"b": AT + dt.timedelta(days=1)}) == ["a"]
    assert on_the_day({"a": None, "b": None}) == []


@pytest.mark.parametrize("as_of", [AT + dt.timedelta(hours=1), dt.datetime(2027, 5, 9, 9)])  # noqa: DTZ001
def test_as_it_stood(path: Path, as_of: dt.datetime) -> None:
    found = ldt.start_list("r1", as_of=as_of)
    assert found["participant_id"].to_list() == ["a"]
    assert dict(found.schema) == table("start_list").schema


def test_what_is_not_there_is_said(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE start_list RENAME TO start_list_anonymous")
    with pytest.raises(ldt.NotPublishedError, match="LDT_PUBLISH_PERSONAL_DATA"):
        ldt.start_list("r1")
    path.unlink()
    with pytest.raises(ldt.NotPublishedError, match="ldt sync"):
        ldt.connect()
    with pytest.raises(AttributeError):
        ldt.nothing  # noqa: B018


@pytest.mark.parametrize("zeros", ["", "00"])
def test_an_id_may_be_a_number_and_is_one_id(path: Path, zeros: str) -> None:
    """A database compares a number with all ids as numbers: others failed it, and 0042 was 42."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE start_list SET race_id = ? WHERE participant_id = 'a'", [f"{zeros}42"]
        )
    assert ldt.start_list(42).height == (0 if zeros else 1)  # type: ignore[arg-type]
    assert ldt.participant_versions(42).height == 0  # type: ignore[arg-type]
    assert ldt.data_issues(42).height == 0  # type: ignore[arg-type]


DAY = AT.date()


@pytest.mark.parametrize(
    ("function", "arguments", "options"),
    [
        ("start_list", (None,), {}),
        ("start_list", (["r1"],), {}),
        ("start_list", (b"r1",), {}),
        ("start_list", ("r1",), {"as_of": DAY}),
        ("start_list", ("r1",), {"as_of": "2027-05-09T09:00"}),
        ("start_list", ("r1",), {"on": 9}),
        ("start_list", ("r1",), {"on": "9 May"}),
        ("start_list_changes", ("r1",), {"since": DAY}),
        ("partner_allocations", (["1"],), {}),
        ("coming_starts", (), {"at": DAY}),
        ("coming_starts", (), {"days": None}),
        ("coming_starts", (), {"days": dt.timedelta(days=14)}),
        ("changes_by_day", (), {"days": -1}),
        ("ages", (), {"days": 10**12}),
        ("ballots", (1.5,), {}),
        ("registration_pace", (), {"at": "today"}),
    ],
)
def test_what_is_not_meant_is_refused_in_a_sentence(
    path: Path, function: str, arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    name = next(iter(options), "race_id" if function == "start_list" else "event_id")
    with pytest.raises((TypeError, ValueError), match=rf"`{name}` (has to be|is no) .*\.$"):
        getattr(ldt, function)(*arguments, **options)


def test_a_folder_is_no_published_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ldt.NotPublishedError, match=r"is a folder: name the published file"):
        ldt.races(path=path.parent)
    monkeypatch.setenv("HOME", str(path.parent))
    assert ldt.start_list("r1", path="~/ldt.duckdb", on=str(DAY)).height == 3  # type: ignore[arg-type]


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import ldt_pipeline, sys; print({'duckdb', 'polars', 'dagster'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout.strip() == b"set()"
