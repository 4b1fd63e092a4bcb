"""Columns out of structs: one place where keys turn into typed series.

What belongs here: gathering the values of many objects of one shape by key, those of the objects in
them too, and reading them as typed series. What doesn't: reading values (`coerce.py`,
`instants.py`), what a column is made from (the modules named after feeds), and list columns
(`lists.py`).

Objects are added a few hundred at a time, while the processor's cache still holds them: taking one
key after the other from thousands of objects is seven times as slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, Final, cast

import msgspec
import polars as pl

from ldt_pipeline.tables.types import UTC_TIMESTAMP
from ldt_pipeline.tidy import coerce
from ldt_pipeline.tidy.answers import answers_in
from ldt_pipeline.tidy.decode import ABSENT, Layout
from ldt_pipeline.tidy.drift import Drift, path_of
from ldt_pipeline.tidy.instants import read_instants
from ldt_pipeline.tidy.json_values import json_type_of_text
from ldt_pipeline.tidy.shapes import Shape

_BARE: Final = {str, int, float}


class Items:
    """The values of objects of one shape, in the order of their records.

    Attributes:
        shape: Their shape.
        records: For each, the index of the record that it is in.
        lengths: For each parent, how many of these are in it, None where it has no list. Only for
            shapes in lists; else there is exactly one for each parent (an empty one if need be).
        nested: The objects in these, by key.
    """

    def __init__(self, shape: Shape, drift: Drift) -> None:
        self.shape = shape
        self.records: list[int] = []
        self.lengths: list[int | None] = []
        self.nested = {key: Items(each, drift) for key, each in shape.nested_by_key.items()}
        self._drift = drift
        self._rows: list[int] = []
        self._columns: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def add(self, structs: Sequence[Any], rows: Sequence[int], layout: Layout) -> None:
        """Add records.

        Args:
            structs: Their structs.
            rows: Where each of them stands in the raw frame, for drift.
            layout: Their types.
        """
        start = len(self.records)
        self._add(structs, range(start, start + len(structs)), rows, layout)

    def _add(
        self,
        structs: Sequence[Any],
        records: Sequence[int],
        rows: Sequence[int],
        layout: Layout,
    ) -> None:
        if not structs:
            return
        shape, before = self.shape, len(self.records)
        self.records.extend(records)
        self._rows.extend(rows)
        every = zip(*map(msgspec.structs.astuple, structs), strict=True)
        for key, values in zip(layout.keys[shape.path], every, strict=True):
            if key in self.nested:
                self.nested[key]._add_from(values, records, rows, layout)
            elif key not in shape.known:
                self._note_unknown(key, values, rows)
            else:
                column = self._columns.get(key)
                if column is None:
                    # The key was learned after the first records.
                    column = self._columns[key] = [None] * before
                column += map(_text_of, values) if key in shape.whole else values

    def _add_from(
        self, values: Sequence[Any], records: Sequence[int], rows: Sequence[int], layout: Layout
    ) -> None:
        """Add the objects that are in `values`, one value for each parent."""
        struct = layout.structs[self.shape.path]
        if not self.shape.is_list:
            singles = [
                value if type(value) is struct else self._single(value, struct, row)
                for value, row in zip(values, rows, strict=True)
            ]
            self._add(singles, records, rows, layout)
            return
        structs: list[Any] = []
        lengths: list[int] = []
        for value in values:
            if type(value) is list:
                structs += value
                lengths.append(len(cast("list[Any]", value)))
            elif value is None:
                lengths.append(0)
            elif type(value) is dict:
                answers = answers_in(cast("dict[str, Any]", value))
                structs += [struct(**answer) for answer in answers]
                lengths.append(len(answers))
            else:
                structs.append(value)
                lengths.append(1)
        self.lengths += [
            None if value is None else length for value, length in zip(values, lengths, strict=True)
        ]
        records = [each for each, n in zip(records, lengths, strict=True) for _ in range(n)]
        rows = [each for each, n in zip(rows, lengths, strict=True) for _ in range(n)]
        if not set(map(type, structs)) <= {struct}:
            structs = [
                value if type(value) is struct else self._wrap(value, struct, row)
                for value, row in zip(structs, rows, strict=True)
            ]
        self._add(structs, records, rows, layout)

    def _single(self, value: Any, struct: type[msgspec.Struct], row: int) -> Any:
        """Give the object where one was expected: of several, the first."""
        if type(value) is list:
            present = [item for item in cast("list[Any]", value) if item is not None]
            if len(present) > 1:
                self._drift.unreadable(self.shape.path, value, row)
            value = present[0] if present else None
        return value if type(value) is struct else self._wrap(value, struct, row)

    def _wrap(self, value: Any, struct: type[msgspec.Struct], row: int) -> Any:
        """Give an object for a bare value, and an empty one for null and for what can't be one."""
        if value is None:
            return struct()
        if self.shape.bare is None or type(value) not in _BARE:
            self._drift.unreadable(self.shape.path, value, row)
            return struct()
        is_email = type(value) is str and "@" in value
        key = self.shape.bare_email if is_email and self.shape.bare_email else self.shape.bare
        return struct(**{key: value})

    def _note_unknown(self, key: str, values: Sequence[Any], rows: Sequence[int]) -> None:
        present = [raw is not ABSENT for raw in values]
        for raw, row in zip(compress(values, present), compress(rows, present), strict=True):
            value_type = json_type_of_text(str(raw, "utf-8"))
            self._drift.unknown(self.shape.path, key, value_type, row)

    def values(self, *keys: str) -> list[Any]:
        """Give each object's value: the first of the keys that isn't null or missing."""
        columns = [self._columns[key] for key in keys if key in self._columns]
        if not columns:
            return [None] * len(self.records)
        values = columns[0]
        for column in columns[1:]:
            if None not in values:
                break
            values = [
                other if value is None else value
                for value, other in zip(values, column, strict=True)
            ]
        return values

    def text(self, *keys: str) -> pl.Series:
        """Give a column of text."""
        return self._column(coerce.read_texts, keys, pl.String())

    def whole(self, *keys: str) -> pl.Series:
        """Give a column of whole numbers."""
        return self._column(coerce.read_wholes, keys, pl.Int64())

    def number(self, *keys: str) -> pl.Series:
        """Give a column of floats."""
        return self._column(coerce.read_numbers, keys, pl.Float64())

    def flag(self, *keys: str) -> pl.Series:
        """Give a column of flags."""
        return self._column(coerce.read_flags, keys, pl.Boolean())

    def instant(self, *keys: str) -> pl.Series:
        """Give a column of UTC timestamps."""
        return self._column(read_instants, keys, UTC_TIMESTAMP)

    def answer(self, *keys: str) -> pl.Series:
        """Give a column of answers as text."""
        return self._column(coerce.read_answers, keys, pl.String())

    def amount(self, *keys: str) -> pl.Series:
        """Give a column of amounts of money."""

        def rounded(index: int) -> None:
            self._drift.note(self._path(keys, index), "rounded number", self._rows[index])

        def read(values: Sequence[Any], lost: coerce.Lost) -> pl.Series:
            return coerce.read_amounts(values, lost, rounded)

        return self._column(read, keys, coerce.MONEY)

    def by_type(self, type_: pl.DataType, key: str) -> pl.Series:
        """Give a column of this type."""
        readers: dict[type[pl.DataType], Callable[[str], pl.Series]] = {
            pl.String: self.text,
            pl.Int64: self.whole,
            pl.Float64: self.number,
            pl.Boolean: self.flag,
            pl.Datetime: self.instant,
        }
        return readers[type(type_)](key)

    def _column(
        self,
        read: Callable[[Sequence[Any], coerce.Lost], pl.Series],
        keys: tuple[str, ...],
        type_: pl.DataType,
    ) -> pl.Series:
        values = self.values(*keys)
        if values.count(None) == len(values):
            return nulls(len(values), type_)

        def lost(index: int) -> None:
            self._drift.unreadable(self._path(keys, index), values[index], self._rows[index])

        return read(values, lost)

    def _path(self, keys: tuple[str, ...], index: int) -> str:
        present = (
            key for key in keys if key in self._columns and self._columns[key][index] is not None
        )
        return path_of(self.shape.path, next(present))


def nulls(count: int, type_: pl.DataType) -> pl.Series:
    """Give a column of nothing but nulls."""
    return pl.Series([None], dtype=type_).new_from_index(0, count)


def _text_of(raw: Any) -> str | None:
    """Give what is kept whole as JSON text: byte for byte as received, but None where it's null."""
    text = str(raw, "utf-8")
    return None if text in {"", "null"} else text
