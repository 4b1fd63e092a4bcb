"""Text for a terminal: what came from elsewhere is made harmless, and secrets are taken out.

What belongs here: cleaning and shortening text, numbers and instants as people read them, tables
that fit a terminal. What doesn't: files (`exports.py`).

Names of people and races come from strangers. A control character in one could move the cursor,
change colours or hide text; none reaches the terminal.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ldt_pipeline.cli.cells import cell_width, fit
from ldt_pipeline.plain_text import BLANKS, UNPRINTABLE, clean

__all__ = ["clean"]

_TOKEN = re.compile(r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)(bearer\s+)(?!<key>)[^\s'\",;]+")
_HIDDEN = "…"
_SHORTEST_KEY = 6

_GAP = "  "
_CELL_MOST = 32
_CELL_LEAST = 12
_WIDTH_WITHOUT_TERMINAL = 120


def escape_unprintable(json_text: str) -> str:
    """Write what JSON lets stand, but a terminal may obey, as escapes that mean the same."""
    found = UNPRINTABLE.sub(_as_json_escape, json_text)
    return BLANKS.sub(_as_json_escape, found)


def _as_json_escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def lines_of(text: str) -> str:
    """Give a text of several lines, each made harmless."""
    return "\n".join(clean(line) for line in text.split("\n"))


def one_line(text: str) -> str:
    """Give an error's text as one line."""
    return clean(" ".join(text.split()))


def without_secrets(text: str) -> str:
    """Take the key, and whatever looks like one, out of a text that is about to be printed."""
    for secret in _secrets():
        for form in {secret, secret.strip(), repr(secret)[1:-1]}:
            if len(form) >= _SHORTEST_KEY:
                text = text.replace(form, _HIDDEN)
    return _BEARER.sub(rf"\1{_HIDDEN}", _TOKEN.sub(_HIDDEN, text))


def _secrets() -> Iterator[str]:
    if value := os.environ.get("LDT_API_KEY"):
        yield value
    settings = sys.modules.get("ldt_pipeline.settings")
    if settings is not None:
        try:
            key = settings.load_settings().api_key
        except ValueError:
            return  # settings that can't be used were never used
        if key is not None:
            yield key.get_secret_value()


def number(value: int) -> str:
    """Write a whole number with separators."""
    return f"{value:,}"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number(count)} {singular if count == 1 else plural or singular + 's'}"


def terminal_width() -> int:
    """Give the width that tables have to fit."""
    return max(40, shutil.get_terminal_size((_WIDTH_WITHOUT_TERMINAL, 24)).columns)


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Rows as lines of text: `lines` are the heading and the rows, `left_out` what did not fit."""

    lines: tuple[str, ...]
    left_out: tuple[str, ...]


def text_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    numeric: frozenset[str] = frozenset(),
) -> TextTable:
    """Lay rows out in as many columns, from the left, as fit the width.

    Columns that are empty in every row are left out first. At least one column stays.
    """
    columns: list[tuple[str, list[str], int]] = []
    left_out: list[str] = []
    used = 0
    cell_most = min(_CELL_MOST, max(_CELL_LEAST, width // 4))
    for position, heading in enumerate(headings):
        cells = [clean(row[position]) for row in rows]
        if rows and not any(cells):
            left_out.append(heading)
            continue
        widest = max([cell_width(heading), *(cell_width(cell) for cell in cells)])
        needed = min(cell_most, widest)
        if columns and used + len(_GAP) + needed > width:
            left_out.append(heading)
            continue
        columns.append((heading, cells, min(needed, width)))
        used += (len(_GAP) if len(columns) > 1 else 0) + needed
    lines: list[str] = []
    for index in range(-1, len(rows)):
        parts = [
            fit(heading if index < 0 else cells[index], size, to_the_right=heading in numeric)
            for heading, cells, size in columns
        ]
        lines.append(_GAP.join(parts).rstrip())
    return TextTable(lines=tuple(lines), left_out=tuple(left_out))
