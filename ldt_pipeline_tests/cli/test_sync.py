"""`ldt sync` and `ldt rebuild`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import jwt
import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline.sandbox.keys import SANDBOX_SECRET
from ldt_pipeline_tests.cli.conftest import LDT, Ran, Run, clean_environment, run_ldt

IMPATIENT = {"LDT_REQUEST_RETRIES": "1"}
"""People wait longer than tests."""


def test_first_sync_publishes_and_says_what(first_sync: Ran, folder: Path) -> None:
    assert first_sync.status == 0, first_sync.err
    assert first_sync.err == ""
    assert "Reading participants" in first_sync.out
    assert "150  150 read" in first_sync.out
    assert first_sync.out.splitlines()[-1] == f"Published {folder / 'data' / 'ldt.duckdb'}"


def test_second_sync_is_quiet(synced: Run, folder: Path) -> None:
    before = (folder / "data" / "ldt.duckdb").stat()
    ran = synced("sync")
    after = (folder / "data" / "ldt.duckdb").stat()
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].startswith("Nothing new: ")
    assert " read" not in ran.out
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_questions_file_with_a_mistake_is_told_where_nothing_is_new(
    synced: Run, tmp_path: Path
) -> None:
    """Who has just changed it would take "up to date" to mean that it is applied."""
    path = tmp_path / "questions.yaml"
    path.write_text("extends: default\ncolumns:\n  clubb:\n    - Club?\n")
    ran = synced("sync", LDT_QUESTIONS_FILE=str(path))
    assert ran.status == 1
    assert "questions.yaml, line 3: `clubb`" in ran.sentence


def test_a_quiet_sync_does_without_dagster(
    synced: Run, folder: Path, settings: dict[str, str]
) -> None:
    """Importing it takes longer than asking the API."""
    program = (
        "import sys\n"
        "from ldt_pipeline.cli import main\n"
        "main(['sync'], prog_name='ldt', standalone_mode=False)\n"
        "assert 'dagster' not in sys.modules"
    )
    ran = run_ldt(folder=folder, settings=settings, command=[sys.executable, "-c", program])
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.count("Asking what changed") == 1


@pytest.mark.slow
def test_a_whole_sync_finds_what_no_timestamp_and_no_total_tells_of(tmp_path: Path) -> None:
    """A row that was committed months late, while another one went."""
    account = SandboxAccount(30, seed=5, applications=5, history_years=1, events=1)
    with Sandbox(account) as sandbox:
        settings = {"LDT_API_KEY": sandbox.api_key, "LDT_API_BASE_URL": sandbox.base_url}
        assert run_ldt("sync", folder=tmp_path, settings=settings).status == 0
        account.delete_participant(account.participant_ids()[0])
        account.insert_late_participant(updated_at=account.now - timedelta(days=60))
        ran = run_ldt("sync", "--whole", folder=tmp_path, settings=settings)
        assert (ran.status, ran.err) == (0, "")
        with duckdb.connect(str(tmp_path / "data" / "ldt.duckdb"), read_only=True) as connection:
            rows = connection.execute("SELECT participant_id FROM start_list").fetchall()
        assert sorted(row[0] for row in rows) == sorted(account.participant_ids())
    account.close()


@pytest.mark.slow
def test_a_disk_that_takes_no_more(synced: Run, folder: Path, settings: dict[str, str]) -> None:
    """Files may not grow beyond a size: DuckDB, Dagster's SQLite or we notice it first."""
    path = folder / "data" / "ldt.duckdb"
    before = path.read_bytes()
    for size in (1_000, 100_000):
        limited = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
            "from ldt_pipeline.cli import main\n"
            "main(['sync', '--whole'], prog_name='ldt')"
        )
        ran = run_ldt(folder=folder, settings=settings, command=[sys.executable, "-c", limited])
        assert ran.status == 1
        assert "space" in ran.sentence
    assert path.read_bytes() == before


def test_key_is_in_no_file(synced: Run, folder: Path, settings: dict[str, str]) -> None:
    key = settings["LDT_API_KEY"].encode()
    signature = key.rsplit(b".", 1)[-1]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert key not in content, path
        assert signature not in content, path


def test_needs_a_key(ldt: Run) -> None:
    ran = ldt("sync", LDT_API_KEY="")
    assert ran.status == 1
    assert "LDT_API_KEY is not set" in ran.sentence


def test_refused_key(ldt: Run, sandbox: Sandbox) -> None:
    key = sandbox.issue_key(organiser_name="The same one, with another key")
    sandbox.revoke_key(key)
    ran = ldt("sync", LDT_API_KEY=key)
    assert ran.status == 1
    assert "refused the key" in ran.sentence


def test_a_key_of_another_organiser(
    synced: Run, folder: Path, sandbox: Sandbox, settings: dict[str, str]
) -> None:
    """People of two accounts must not get into one start list."""
    before = (folder / "data" / "ldt.duckdb").read_bytes()
    sandbox.clear_requests()
    other = sandbox.issue_key(organiser_id="9")
    ran = synced("sync", LDT_API_KEY=other)
    assert ran.status == 1
    assert "organiser '9'" in ran.sentence
    assert "organiser '8421'" in ran.sentence
    assert other not in ran.out + ran.err
    assert sandbox.requests == []
    assert "organiser '9'" in synced("check", LDT_API_KEY=other).out
    assert (folder / "data" / "ldt.duckdb").read_bytes() == before
    note = folder / "data" / "organiser.json"
    note.write_text("[]")
    assert "can't be read" in synced("sync").sentence
    note.unlink()
    assert synced("sync").status == 0
    assert note.exists()


def test_another_api_where_the_key_names_no_organiser(
    synced: Run, folder: Path, sandbox: Sandbox
) -> None:
    """Its people would take the place of those who are there, and these count as deleted."""
    note = folder / "data" / "organiser.json"
    note.unlink()
    nameless = jwt.encode({"sub": "1"}, SANDBOX_SECRET, algorithm="HS256")
    assert synced("sync", LDT_API_KEY=nameless).status == 0
    assert json.loads(note.read_text()) == {"organiser_id": None, "api": "this machine"}
    local = sandbox.base_url.replace("127.0.0.1", "localhost")
    assert synced("check", LDT_API_KEY=nameless, LDT_API_BASE_URL=local).status == 0
    # As if the data had come from the real API, and somebody then pasted the sandbox's two lines.
    note.write_text('{"organiser_id": null, "api": "api.letsdothis.com"}')
    sandbox.clear_requests()
    for key in (nameless, sandbox.issue_key()):
        ran = synced("sync", LDT_API_KEY=key)
        assert ran.status == 1
        assert "LDT_API_BASE_URL is on this machine" in ran.sentence
        assert "of api.letsdothis.com" in ran.sentence
    assert sandbox.requests == []
    # A note from before this, and two keys that name the same organiser.
    note.write_text('{"organiser_id": "8421"}')
    assert synced("sync").status == 0
    assert json.loads(note.read_text()) == {"organiser_id": "8421", "api": "this machine"}


def test_settings_that_make_no_sense(ldt: Run) -> None:
    ran = ldt("sync", LDT_HISTORY_START="2020-02-02", LDT_MAX_CONCURRENCY="many")
    assert ran.status == 1
    assert "LDT_HISTORY_START" in ran.sentence
    assert "LDT_MAX_CONCURRENCY" in ran.sentence


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_shows_where_but_never_the_key(ldt: Run, place: str) -> None:
    arguments = ("--verbose", "sync") if place == "before" else ("sync", "--verbose")
    ran = ldt(*arguments, LDT_HISTORY_START="2020-02-02")
    assert ran.status == 1
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("Error: The settings can't be used.")


def test_api_that_is_down(folder: Path, settings: dict[str, str]) -> None:
    address = {"LDT_API_BASE_URL": "http://127.0.0.1:9/v0"}
    ran = run_ldt("sync", folder=folder, settings={**settings, **address, **IMPATIENT})
    assert ran.status == 1
    assert "Check the network and LDT_API_BASE_URL" in ran.sentence


def test_key_that_no_header_can_hold(folder: Path, settings: dict[str, str]) -> None:
    key = "a-secret-that-nobody-may-see\r"
    ran = run_ldt(
        "--verbose",
        "sync",
        folder=folder,
        settings={**settings, "LDT_API_KEY": key, "key": key.strip(), **IMPATIENT},
    )
    assert ran.status == 1
    assert ran.err.splitlines()[-1].startswith("Error: ")


def test_interrupted_in_the_middle_of_a_step(tmp_path: Path) -> None:
    with Sandbox(SandboxAccount(5)) as sandbox:
        sandbox.fail_next("hang", path_contains="/participants", after_requests=2, times=20)
        settings = {"LDT_API_KEY": sandbox.api_key, "LDT_API_BASE_URL": sandbox.base_url}
        with subprocess.Popen(
            [str(LDT), "sync"],
            env={**clean_environment(), **settings},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if line.startswith("Reading participants"):
                    break
            time.sleep(1)  # so that it is in the middle of a step
            process.send_signal(signal.SIGINT)
            error = process.stderr.read()
            status = process.wait(60)
    assert (status, error) == (
        130,
        "Error: Interrupted. What was finished is kept; run it again to go on.\n",
    )


@pytest.mark.slow
def test_rebuild_needs_no_key_and_no_network_and_gives_the_same_rows(
    synced: Run, folder: Path
) -> None:
    path = folder / "data" / "ldt.duckdb"

    def start_list() -> list[tuple[object, ...]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute("SELECT * FROM start_list ORDER BY ALL").fetchall()

    before = start_list()
    ran = synced("rebuild", LDT_API_KEY="", LDT_API_BASE_URL="http://127.0.0.1:9/v0")
    assert (ran.status, ran.err) == (0, "")
    assert before
    assert start_list() == before


def test_rebuild_from_nothing(ldt: Run, tmp_path: Path) -> None:
    ran = ldt("rebuild", LDT_DATA_DIR=str(tmp_path))
    assert ran.status == 1
    assert "nothing" in ran.sentence
