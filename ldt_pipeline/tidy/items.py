"""Columns out of structs: one place where keys turn into typed series.

What belongs here: gathering the values of many objects of one shape by key, those of the objects in
them too, and reading them as typed series. What doesn't: reading values (`coerce.py`,
`instants.py`), what a column is made from (the modules named after feeds), and list columns
(`lists.py`).

Objects are added a block of records at a time, while the processor's cache still holds them: taking one
key after the other from thousands of objects is seven times as slow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Final, cast

import msgspec
import polars as pl

from ldt_pipeline.tables.types import MONEY, UTC_TIMESTAMP
from ldt_pipeline.tidy import coerce
from ldt_pipeline.tidy.answers import answers_in
from ldt_pipeline.tidy.decode import ABSENT, Layout
from ldt_pipeline.tidy.drift import Drift, path_of, unreadable
from ldt_pipeline.tidy.instants import read_instants
from ldt_pipeline.tidy.json_columns import (
    ColumnBuilder,
    JsonColumn,
    all_null,
    first_present,
    nulls,
)
from ldt_pipeline.tidy.json_values import json_type_of_text
from ldt_pipeline.tidy.shapes import Shape

_BARE: Final = {str, int, float}


class Items:
    """The values of objects of one shape, in the order of their records.

    Attributes:
        shape: Their shape.
        nested: The objects in these, by key. For each parent there is exactly one (an empty one if
            need be), or, for shapes in lists, as many as `lengths` says.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.nested = {key: Items(each) for key, each in shape.nested_by_key.items()}
        self._count = 0
        self._lengths: list[int | None] = []
        self._builders: dict[str, ColumnBuilder] = defaultdict(ColumnBuilder)
        self._columns: dict[str, JsonColumn] = {}
        self._unknown: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._sightings: dict[tuple[str, str], list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return self._count

    def add(self, structs: Sequence[Any], layout: Layout) -> None:
        """Add objects: their structs, and the types of those."""
        if not structs:
            return
        shape = self.shape
        every = zip(*map(msgspec.structs.astuple, structs), strict=True)
        for key, values in zip(layout.keys[shape.path], every, strict=True):
            if key in self.nested:
                self.nested[key].add_from(values, layout)
            elif key in shape.whole:
                self._builders[key].extend(_texts_of(values), self._count)
            elif key in shape.read:
                self._builders[key].extend(values, self._count)
            elif key not in shape.known:
                self._note_unknown(key, values)
        self._count += len(structs)

    def flush(self) -> None:
        """Make what was added compact, so that the structs can be freed."""
        for builder in self._builders.values():
            builder.flush()
        for items in self.nested.values():
            items.flush()

    def report(self, drift: Drift, rows: Sequence[int]) -> None:
        """Report what was found to be unknown or unreadable, here and in nested objects.

        Args:
            drift: Where to.
            rows: Where the record of each object stands in the raw frame.
        """
        for (key, value_type), indexes in self._unknown.items():
            for index in indexes:
                drift.unknown(self.shape.path, key, value_type, rows[index])
        for (path, value_type), indexes in self._sightings.items():
            for index in indexes:
                drift.note(path, value_type, rows[index])
        for items in self.nested.values():
            if items.has_sightings:
                own = items.parents.to_list() if items.shape.is_list else range(len(items))
                items.report(drift, [rows[parent] for parent in own])

    @property
    def has_sightings(self) -> bool:
        """Whether there is anything to report, here or in nested objects."""
        own = bool(self._unknown or self._sightings)
        return own or any(items.has_sightings for items in self.nested.values())

    def add_from(self, values: Sequence[Any], layout: Layout) -> None:
        """Add the objects that are in `values`: what each parent has under this shape's key."""
        struct = layout.structs[self.shape.path]
        if self.shape.is_list:
            self._add_lists(values, layout)
        elif all_null(values):
            # As if empty objects were added; columns catch up when they are built.
            self._count += len(values)
        else:
            singles = [
                value if type(value) is struct else self._single(value, struct, self._count + index)
                for index, value in enumerate(values)
            ]
            self.add(singles, layout)

    def _add_lists(self, values: Sequence[Any], layout: Layout) -> None:
        struct = layout.structs[self.shape.path]
        if set(map(type, values)) != {list}:
            lists = [_listed(value, struct) for value in values]
            self._lengths += [None if each is None else len(each) for each in lists]
            values = [each for each in lists if each is not None]
        else:
            self._lengths += map(len, values)
        structs = list(chain.from_iterable(values))
        if not set(map(type, structs)) <= {struct}:
            structs = [
                value if type(value) is struct else self._wrap(value, struct, self._count + index)
                for index, value in enumerate(structs)
            ]
        self.add(structs, layout)

    def _single(self, value: Any, struct: type[msgspec.Struct], index: int) -> Any:
        """Give the object where one was expected: of several, the first."""
        if type(value) is list:
            present = [item for item in cast("list[Any]", value) if item is not None]
            if len(present) > 1:
                self._note_unreadable(self.shape.path, value, index)
            value = present[0] if present else None
        return value if type(value) is struct else self._wrap(value, struct, index)

    def _wrap(self, value: Any, struct: type[msgspec.Struct], index: int) -> Any:
        """Give an object for a bare value, and an empty one for null and for what can't be one."""
        if value is None:
            return struct()
        if self.shape.bare is None or type(value) not in _BARE:
            self._note_unreadable(self.shape.path, value, index)
            return struct()
        is_email = type(value) is str and "@" in value
        key = self.shape.bare_email if is_email and self.shape.bare_email else self.shape.bare
        return struct(**{key: value})

    def _note_unknown(self, key: str, values: Sequence[Any]) -> None:
        for index, raw in enumerate(values, start=self._count):
            if raw is not ABSENT:
                self._unknown[key, json_type_of_text(str(raw, "utf-8"))].append(index)

    def _note_unreadable(self, path: str, value: Any, index: int) -> None:
        self._sightings[path, unreadable(value)].append(index)

    @cached_property
    def lengths(self) -> pl.Series:
        """For shapes in lists: how many objects each parent has, null where it has no list."""
        return pl.Series(self._lengths, dtype=pl.Int32)

    @cached_property
    def parents(self) -> pl.Series:
        """For shapes in lists: the index of each object's parent."""
        counts = self.lengths.fill_null(0)
        parents = pl.int_range(counts.len(), dtype=pl.UInt32, eager=True)
        return pl.select(parents.repeat_by(counts).filter(counts > 0).explode()).to_series()

    @cached_property
    def positions(self) -> pl.Series:
        """For shapes in lists: each object's position in its list, from 0."""
        counts = self.lengths.fill_null(0)
        ranges = pl.select(pl.int_ranges(0, counts, dtype=pl.Int32)).to_series()
        return ranges.filter(counts > 0).explode()

    def column(self, *keys: str) -> JsonColumn:
        """Give each object's value: the first of the keys that isn't null or missing."""
        columns = [self._built(key) for key in keys if key in self._builders]
        return first_present(columns) if columns else JsonColumn(nulls(self._count, pl.String()))

    def _built(self, key: str) -> JsonColumn:
        if key not in self._columns:
            self._columns[key] = self._builders[key].build(self._count)
        return self._columns[key]

    def text(self, *keys: str) -> pl.Series:
        """Give a column of text."""
        return self._column(coerce.read_texts, keys, pl.String())

    def named(self, *keys: str) -> pl.Series:
        """Give a column of names as text, also where they stand in objects."""
        return self._column(coerce.read_names, keys, pl.String())

    def bib(self, *keys: str) -> pl.Series:
        """Give a column of bibs as text."""
        return self._column(coerce.read_bibs, keys, pl.String())

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
            self._sightings[self._path(keys, index), "rounded number"].append(index)

        def read(column: JsonColumn, lost: coerce.Lost) -> pl.Series:
            return coerce.read_amounts(column, lost, rounded)

        return self._column(read, keys, MONEY)

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
        read: Callable[[JsonColumn, coerce.Lost], pl.Series],
        keys: tuple[str, ...],
        type_: pl.DataType,
    ) -> pl.Series:
        column = self.column(*keys)
        if not column.present:
            return nulls(len(column), type_)

        def lost(index: int, value: Any) -> None:
            self._note_unreadable(self._path(keys, index), value, index)

        return read(column, lost)

    def _path(self, keys: tuple[str, ...], index: int) -> str:
        present = (key for key in keys if key in self._builders and self._built(key).has(index))
        return path_of(self.shape.path, next(present))


def _listed(value: Any, struct: type[msgspec.Struct]) -> list[Any] | None:
    """Give a list where one was expected: a single object is a list of one."""
    if value is None or type(value) is list:
        return cast("list[Any] | None", value)
    if type(value) is dict:
        return [struct(**answer) for answer in answers_in(cast("dict[str, Any]", value))]
    return [value]


def _texts_of(values: Sequence[Any]) -> list[str | None]:
    """Give what is kept whole as JSON text: byte for byte as received, but None for null."""
    texts = [str(raw, "utf-8") for raw in values]
    return [None if text in {"", "null"} else text for text in texts]
