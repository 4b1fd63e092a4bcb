"""What becomes of a command whose output goes nowhere: a reader that has ended, a full disk, a closed stream.

And of one that is interrupted before it has begun.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
