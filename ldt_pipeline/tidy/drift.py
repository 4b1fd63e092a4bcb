"""What records hold that finds no place: unknown keys, and values that a column can't take.

What belongs here: collecting such sightings and counting them. What doesn't: deciding what is
known (`shapes.py`) or readable (`coerce.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final, cast

import polars as pl

from ldt_pipeline.tidy.frames import DRIFT_SCHEMA
from ldt_pipeline.tidy.json_values import json_type

MOST_KEYS_PER_OBJECT: Final = 200
"""An object with more unknown keys than this is a dictionary of its own: its keys are data.

They are then counted together, under `*`: a table of drift with a row for each of a million ids
would help nobody, and could hold personal data.
"""

_LONGEST_KEY: Final = 100


class Drift:
    """A tally of sightings by path and type; a record that shows one twice counts once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._keys: dict[str, set[str]] = defaultdict(set)

    def unknown(self, parent: str, key: str, value_type: str, row: int) -> None:
        """Note that an object (at `parent`, "" for the record) has a key that we don't know."""
        keys = self._keys[parent]
        if "@" in key:  # an e-mail address: people's own, where nobody looks for them
            key = "*"
        elif key not in keys:
            if len(keys) < MOST_KEYS_PER_OBJECT:
                keys.add(key)
            else:
                key = "*"
        self.note(path_of(parent, key[:_LONGEST_KEY]), value_type, row)

    def note(self, path: str, value_type: str, row: int) -> None:
        """Note a sighting in the raw frame's row `row`."""
        self._rows[path, value_type].add(row)

    def frame(self, extracted_at: pl.Series, *, without: Collection[int]) -> pl.DataFrame:
        """Give the tally (see `Tidied.drift`), not counting the rows in `without`."""
        tally: list[tuple[str, str, int, Any, Any]] = []
        for (path, value_type), seen in sorted(self._rows.items()):
            rows = sorted(seen.difference(without))
            if rows:
                times = extracted_at.gather(rows)
                first, last = cast("Any", times.min()), cast("Any", times.max())
                tally.append((path, value_type, len(rows), first, last))
        return pl.DataFrame(tally, schema=DRIFT_SCHEMA, orient="row")


def unreadable(value: Any) -> str:
    """Name the type of a value that was lost, as its column can't take it."""
    return f"unreadable {json_type(value)}"


def path_of(parent: str, key: str) -> str:
    """Give the path of `key` in the object at `parent`."""
    return f"{parent}.{key}" if parent else key
