"""DuckDB that is kept while its file is not: nothing is locked, old, or lost between two uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from ldt_pipeline.warehouse import engine
from ldt_pipeline.warehouse.engine import attached

WRITE = (
    "import duckdb, sys; "
    "file = duckdb.connect(sys.argv[1]); file.execute('INSERT INTO t VALUES (?)', [int(sys.argv[2])])"
)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "it's a file.duckdb"
    with attached(path) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    yield path
    assert [each for each in engine._kept if each.users] == []


def rows(path: Path) -> list[int]:
    with attached(path) as connection:
        return [row[0] for row in connection.execute("SELECT a FROM t ORDER BY a").fetchall()]


def write_in_another_process(path: Path, value: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", WRITE, str(path), str(value)]
    return subprocess.run(command, capture_output=True, check=False)


def test_others_write_between_two_uses_and_not_within_one(path: Path) -> None:
    assert write_in_another_process(path, 1).returncode == 0
    with attached(path) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
        refused = write_in_another_process(path, 2)
        assert refused.returncode != 0
        assert b"lock" in refused.stderr
    assert write_in_another_process(path, 3).returncode == 0
    assert rows(path) == [1, 3]


def test_all_is_in_the_file_when_it_is_closed(path: Path) -> None:
    with attached(path) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (2)")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    copied = path.with_name("copy.duckdb")
    copied.write_bytes(path.read_bytes())
    assert rows(copied) == [1]


def test_what_replaces_the_file_is_read_next_time(path: Path, tmp_path: Path) -> None:
    with attached(path) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 2 AS a")
    other.replace(path)
    assert rows(path) == [2]


def test_one_use_within_another_sees_the_same_file(path: Path) -> None:
    with attached(path) as outer:
        with attached(path) as inner:
            inner.execute("INSERT INTO t VALUES (1)")
            inner.execute("CREATE TEMP TABLE only_here AS SELECT 1")
        assert outer.execute("SELECT a FROM t").fetchall() == [(1,)]
        with pytest.raises(duckdb.CatalogException):
            outer.execute("FROM only_here")
    assert rows(path) == [1]


def test_a_result_that_nobody_reads_to_the_end_holds_nothing(path: Path) -> None:
    with attached(path) as connection:
        connection.execute("INSERT INTO t SELECT range FROM range(100000)")
        cursor = connection.cursor()
        cursor.execute("SELECT a FROM warehouse.t").fetchone()
        connection.execute("SELECT a FROM t").fetchone()
    assert write_in_another_process(path, -1).returncode == 0
    assert rows(path)[0] == -1


def write_and(error: type[BaseException], path: Path) -> None:
    with attached(path) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_closed_and_rolled_back_whatever_happens(
    path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write_and(error, path)
    assert write_in_another_process(path, 2).returncode == 0
    assert rows(path) == [2]


def test_what_was_attached_beside_it_goes_with_an_interruption(path: Path, tmp_path: Path) -> None:
    """A sync that is interrupted in a notebook is not the last one of its process."""
    attach = f"ATTACH '{tmp_path / 'published.duckdb'}' AS published"

    def publish_and_interrupt() -> None:
        with attached(path) as connection:
            connection.execute(attach)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_and_interrupt()
    with attached(path) as connection:
        connection.execute(attach)


class Interrupted:
    """DuckDB whose user presses Ctrl-C while the file is closed."""

    def __init__(self, base: duckdb.DuckDBPyConnection) -> None:
        self._base = base

    def execute(self, sql: str) -> None:
        if sql.startswith("DETACH"):
            raise KeyboardInterrupt
        self._base.execute(sql)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._base.cursor()

    def close(self) -> None:
        self._base.close()


def test_no_file_stays_open_where_closing_was_interrupted(path: Path) -> None:
    engine._kept[0].base = Interrupted(engine._kept[0].base)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        rows(path)
    assert write_in_another_process(path, 1).returncode == 0
    assert rows(path) == [1]


@pytest.mark.parametrize("uses", ["", "with attached(path): pass"])
def test_a_process_that_is_forked_ends_as_any_other(path: Path, uses: str) -> None:
    """In a process of its own: nobody forks one that has threads of other people's."""
    lines = [
        "import os, sys; from pathlib import Path",
        "from ldt_pipeline.warehouse.engine import attached",
        "path = Path(sys.argv[1])",
        "with attached(path) as file: file.execute('FROM t').fetchall()",
        "child = os.fork()",
        f"if child == 0: exec({uses!r}); sys.exit(7)",
        "ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])",
        "with attached(path) as file: file.execute('FROM t').fetchall()",
        "print(ended)",
    ]
    command = [sys.executable, "-c", "\n".join(lines), str(path)]
    ended = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert ended.stdout == b"7\n"


def test_a_file_that_cannot_be_opened_spoils_nothing(path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"nothing of DuckDB's" * 1000)
    for _ in range(2):
        with pytest.raises(duckdb.IOException, match="not a valid DuckDB database"):
            rows(broken)
    assert rows(path) == []
    broken.unlink()
    with attached(broken) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    assert rows(broken) == []


def test_after_damage_it_begins_anew(path: Path) -> None:
    with attached(path) as connection:
        connection.execute("INSERT INTO t SELECT hash(range) % 1000000 FROM range(1000000)")
    before = engine._kept[0]
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * (path.stat().st_size // 2))
    for _ in range(2):
        with pytest.raises(duckdb.Error), attached(path) as connection:
            connection.execute("SELECT sum(a) FROM t").fetchall()
    assert before not in engine._kept
    path.unlink()
    with attached(path) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    assert rows(path) == []


def test_what_finds_no_room_in_memory_leaves_nothing_behind(path: Path) -> None:
    folder = path.with_name(f"{path.name}.tmp")
    for _ in range(2):
        with attached(path) as connection:
            connection.execute("SET memory_limit = '24MB'")
            connection.execute("SET threads = 1")
            connection.execute(
                "CREATE TEMP TABLE large AS "
                "SELECT hash(range)::VARCHAR || repeat('x', 90) AS a FROM range(400000)"
            )
            assert folder.exists(), "the control: it was too much"
        assert not folder.exists()


def test_only_the_engine_of_the_last_file_is_kept(path: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        with attached(tmp_path / f"{name}.duckdb"), attached(path):
            pass
    assert len(engine._kept) == 1
