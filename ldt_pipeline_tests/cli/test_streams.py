"""What becomes of a command whose output goes nowhere: a reader that has ended, a full disk, a closed stream.

And of one that is interrupted before it has begun.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import duckdb
import pytest

from ldt_pipeline_tests.cli.conftest import LDT, Ran, clean_environment

PRINTING = ("--help", "demo --help", "alerts example")


def run_in_shell(command: str, redirected: str, folder: Path, *, output: int | None = None) -> Ran:
    """Run a command whose streams a shell redirects; `output` is what it gets as its stdout."""
    settings = {"LDT_DATA_DIR": str(folder), "LDT_API_BASE_URL": "http://127.0.0.1:9/v0"}
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' '{LDT}' {command} {redirected}"],
        env={**clean_environment(), **settings},
        cwd=folder,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout or "", done.stderr)


@pytest.mark.parametrize("command", PRINTING)
def test_reader_that_has_ended(command: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = run_in_shell(command, "", tmp_path, output=writing)
    finally:
        os.close(writing)
    assert (ran.status, ran.err) == (141, "")


@pytest.mark.parametrize("command", PRINTING)
def test_output_that_has_no_room(command: str, tmp_path: Path) -> None:
    ran = run_in_shell(command, "> /dev/full", tmp_path)
    assert ran.status == 1
    assert "Free some space" in ran.sentence


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_keep_their_numbers(closed: str, tmp_path: Path) -> None:
    """A file that got the number of a closed stream would have in it what is printed."""
    ran = run_in_shell("check", closed, tmp_path)
    assert ran.status == 1, "there is no key"
    assert "unexpected" not in ran.err
    assert ("LDT_API_KEY is not set" in ran.out) == (">&-" not in closed.split())
    assert ran.err.startswith("Error: ") == ("2>&-" not in closed)


INTERRUPTING = """
import runpy, signal, sys

command, module, *arguments = sys.argv[1:]

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

sys.modules.pop(module, None)
sys.meta_path.insert(0, Interrupting())
sys.argv = [command, *arguments]
runpy.run_path(command, run_name="__main__")
"""


@pytest.mark.parametrize("module", ["click", "ldt_pipeline.cli.sync", "logging"])
def test_ctrl_c_while_modules_are_imported(module: str, tmp_path: Path) -> None:
    """That takes half a second on a slow machine, in which people see that they mistyped something."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTING, str(LDT), module, "start-list", "r1"],
        env={**clean_environment(), "LDT_DATA_DIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert "Aborted" not in done.stderr


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (b"n\n", (1, "Nobody was erased.")),
        (b"\x04", (1, "Nobody was erased: nobody can be asked here. Add --yes.")),
        (None, (130, "Interrupted. What was finished is kept; run it again to go on.")),
    ],
    ids=["no", "end of input", "ctrl-c"],
)
def test_who_does_not_say_yes(
    first_sync: Ran,
    folder: Path,
    settings: dict[str, str],
    answer: bytes | None,
    ending: tuple[int, str],
) -> None:
    """polars has reads go on after a signal: Ctrl-C at a question did nothing until Enter."""
    assert first_sync.status == 0, first_sync.err
    with duckdb.connect(str(folder / "data" / "ldt.duckdb"), read_only=True) as connection:
        query = "SELECT participant_id FROM start_list LIMIT 1"
        ((person,),) = connection.execute(query).fetchall()
    terminal, stdin = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(LDT), "erase", "participant", person],
        env={**clean_environment(), **settings},
        cwd=folder,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has them ignore Ctrl-C, and a child inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        try:
            assert process.stdout is not None
            while process.stdout.read(1) not in (b"]", b""):
                pass  # what is asked ends with [y/N]
            time.sleep(1)  # so that it waits for the answer
            if answer is None:
                process.send_signal(signal.SIGINT)
            else:
                os.write(terminal, answer)
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
            os.close(stdin)
            os.close(terminal)
    assert (process.returncode, error.decode().strip()) == (ending[0], f"Error: {ending[1]}")
