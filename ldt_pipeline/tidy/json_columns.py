"""Values of one key in many objects, as compact columns: texts in polars, all others aside.

What belongs here: making such columns from JSON values, and the first of several of them. What
doesn't: where the values come from (`items.py`), and reading them as a type (`coerce.py`,
`instants.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

_NOTHING = type(None)


@dataclass(frozen=True)
class JsonColumn:
    """A column of JSON values.

    Attributes:
        texts: Those that are texts; null where there is another value or none.
        at: The rows of the other values, in ascending order.
        others: These values: neither texts nor None.
    """

    texts: pl.Series
    at: list[int] = field(default_factory=list[int])
    others: list[Any] = field(default_factory=list[Any])

    def __len__(self) -> int:
        return self.texts.len()

    @property
    def present(self) -> int:
        """How many rows have a value."""
        return self.texts.len() - self.texts.null_count() + len(self.at)

    def has(self, row: int) -> bool:
        """Say whether the row has a value."""
        # It is asked of each value that can't be read, which may be all of them.
        place = bisect_left(self.at, row)
        return self.at[place : place + 1] == [row] or self.texts[row] is not None


class ColumnBuilder:
    """Gathers the values of a JSON column, a batch at a time."""

    def __init__(self) -> None:
        self._count = 0
        self._parts: list[pl.Series] = []
        self._batch: list[Any] = []
        self._at: list[int] = []
        self._others: list[Any] = []

    def extend(self, values: Sequence[Any], before: int) -> None:
        """Add values, the first of them for row `before`; rows left out before it get none."""
        missing = before - self._count - len(self._batch)
        if missing:
            self._batch += [None] * missing
        self._batch += values

    def flush(self) -> None:
        """Turn the values that were added into polars', so that Python's can be freed."""
        values = self._batch
        if not values:
            return
        self._parts.append(self._texts(values))
        self._count += len(values)
        self._batch = []

    def build(self, count: int) -> JsonColumn:
        """Give the column, with as many rows as there are objects."""
        self.extend((), count)
        self.flush()
        texts = pl.concat(self._parts) if self._parts else nulls(0, pl.String())
        return JsonColumn(texts, self._at, self._others)

    def _texts(self, values: list[Any]) -> pl.Series:
        if all_null(values):
            return nulls(len(values), pl.String())
        # polars looks at the first value, and makes structs of some whatever type is asked for.
        if type(next(value for value in values if value is not None)) is str:
            try:
                return pl.Series(values, dtype=pl.String)
            except TypeError:
                pass  # not only texts
        odd = [
            row
            for row, type_ in enumerate(map(type, values))
            if type_ is not str and type_ is not _NOTHING
        ]
        self._at += [self._count + row for row in odd]
        self._others += [values[row] for row in odd]
        texts: list[str | None] = list(values)
        for row in odd:
            texts[row] = None
        return pl.Series(texts, dtype=pl.String)


def first_present(columns: Sequence[JsonColumn]) -> JsonColumn:
    """Give the values of the first column that has one, row by row; an empty text is none."""
    result = columns[0]
    for column in columns[1:]:
        if (result.texts == "").any():
            texts = result.texts.set(result.texts == "", None)
            result = JsonColumn(texts, result.at, result.others)
        if result.present == len(result):
            break
        if column.present:
            result = _filled(result, column) if result.present else column
    return result


def _filled(column: JsonColumn, other: JsonColumn) -> JsonColumn:
    taken = set(column.at)
    texts = column.texts.fill_null(other.texts)
    if taken:
        texts = texts.scatter(column.at, None)
    added = [
        (row, value)
        for row, value in zip(other.at, other.others, strict=True)
        if row not in taken and column.texts[row] is None
    ]
    values = sorted([*zip(column.at, column.others, strict=True), *added], key=lambda each: each[0])
    return JsonColumn(texts, [row for row, _ in values], [value for _, value in values])


def all_null(values: Sequence[Any]) -> bool:
    """Say whether there is nothing but None; where there is, the first one mostly tells."""
    return values[0] is None and values.count(None) == len(values)


def nulls(count: int, type_: pl.DataType) -> pl.Series:
    """Give a column of nothing but nulls."""
    return pl.Series([None], dtype=type_).new_from_index(0, count)
