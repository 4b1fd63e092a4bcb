"""Settings that say nothing because of how they are written, as lines of `ldt check`.

What belongs here: names that nearly are those of settings, and lines of `.env` that can't be read.
What doesn't: what settings mean (`settings.py`).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import parse_stream

from ldt_pipeline.cli.lines import Line
from ldt_pipeline.settings import Settings

_PREFIX = "LDT_"
_NEARLY = 0.8
"""So much alike are two names of which one is probably the other, misspelt: of 1. Names that a file of
alerts or of Dagster uses may begin with LDT_, too."""


def misspelt_lines(env_file: Path = Path(".env")) -> Iterator[Line]:
    """Say what stands in the environment and in `.env` and is no setting, but seems to be meant as one."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    in_file: list[str] = []
    if env_file.is_file():
        with env_file.open(encoding="utf-8-sig") as text:
            for each in parse_stream(text):
                if each.error or (each.key in known and each.value is None):
                    yield Line(
                        "✗", env_file.name, f"line {each.original.line} is left out, as it can't be "
                        "read: write NAME=value, and close what is quoted",
                    )  # fmt: skip
                elif each.key:
                    in_file.append(each.key)
    for name in sorted({*os.environ, *in_file}):
        if name.upper() in known or not name.upper().startswith(_PREFIX):
            continue
        if meant := difflib.get_close_matches(name.upper(), known, n=1, cutoff=_NEARLY):
            yield Line(
                "!", "settings", f"{name} is no setting, and does nothing: is {meant[0]} meant?"
            )
