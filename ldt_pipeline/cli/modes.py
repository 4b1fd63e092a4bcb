"""Whether files are for their owner alone, as lines of `ldt check`.

What belongs here: which folders are looked at, and the command that mends each. What doesn't: how
files come to be private (`private_files.py`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ldt_pipeline.cli.lines import Line
from ldt_pipeline.cli.text import counted
from ldt_pipeline.private_files import dagsters_folders, find_lax, is_lax

if TYPE_CHECKING:
    from ldt_pipeline.settings import Settings

_SUBJECT = "private files"


def mode_lines(settings: Settings) -> Iterator[Line]:
    """Say of the data folder, Dagster's home and `.env` whether others may use them."""
    folders = [settings.data_dir]
    if home := os.environ.get("DAGSTER_HOME"):
        folders += dagsters_folders(Path(home))
    problems = [line for folder in folders for line in _lines_of(folder)]
    yield from problems or [Line("✓", _SUBJECT, "readable by their owner alone")]
    if (dot_env := Path(".env")).is_file() and is_lax(dot_env):
        yield Line(
            "!", _SUBJECT, f"{dot_env.absolute()} may hold the key, and others can read it: "
            f"`chmod 600 {shlex.quote(str(dot_env.absolute()))}`",
        )  # fmt: skip


def _lines_of(folder: Path) -> Iterator[Line]:
    found = list(find_lax(folder))
    if not found:
        return
    first, *more = found
    command = f"chmod {first.wanted:o} {shlex.quote(str(first.path))}"
    others = ""
    if more:
        command = f"chmod -R go-rwx {shlex.quote(str(folder))}"
        others = f", and {counted(len(more), 'path')} in it or beside it"
    yield Line(
        "✗", _SUBJECT,
        f"others can use {first.path} (mode {first.mode:04o}){others}: `{command}` mends it",
    )  # fmt: skip
