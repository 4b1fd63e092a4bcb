"""Lines of `ldt check`: a mark, what was looked at, and what was found.

What belongs here: what a line is and how it is laid out. What doesn't: finding things.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from typing import Literal

import click

from ldt_pipeline.cli.text import clean, terminal_width, without_secrets

Mark = Literal["✓", "✗", "!", "·"]
"""Good, failed, worth a look, and good to know."""

_COLOURS = {"✓": "green", "✗": "red", "!": "yellow", "·": None}
_SUBJECT_WIDTH = 33
_NARROWEST_TEXT = 30


@dataclass(frozen=True)
class Line:
    """One line."""

    mark: Mark
    subject: str
    text: str


def show(line: Line) -> None:
    """Print a line; in a terminal it is wrapped beside its subject, else it stays one line."""
    start = f"{line.subject:<{_SUBJECT_WIDTH}} "
    text = f"{start}{clean(without_secrets(line.text))}"
    width = terminal_width() - 2
    if sys.stdout.isatty() and width - len(start) >= _NARROWEST_TEXT:
        pieces = textwrap.wrap(
            text,
            width,
            subsequent_indent=" " * len(start),
            break_on_hyphens=False,
        )
        text = "\n  ".join(pieces)
    click.echo(f"{click.style(line.mark, fg=_COLOURS[line.mark])} {text}")
