"""Records to structs: fast where they have the usual shape, patiently where they don't.

What belongs here: reading JSON by a shape, and falling back record by record. A record with an
unknown key fails the fast reader; it is read patiently, and its keys are learned, so that the next
one with them is fast again and unknown keys can still be counted. What doesn't belong here: what
the values mean (`items.py` and up).

Structs hold values as JSON has them (any type anywhere), bare values where objects were expected,
and lists as well as single objects: both readers give the same, and all that follows is shared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Union, cast

import msgspec

from ldt_pipeline.tidy.drift import Drift, unreadable
from ldt_pipeline.tidy.json_values import (
    JsonFloat,
    JsonObject,
    NotAnObjectError,
    NotJsonError,
    TooDeep,
    json_type,
    read_object,
)
from ldt_pipeline.tidy.shapes import Shape

ABSENT: Final = msgspec.Raw()
"""Stands for a missing key among those that are kept as JSON text."""

MOST_LEARNED_KEYS: Final = 64
"""How many unknown keys of one object the fast reader learns; more are only read patiently."""

_UNFIT = re.compile(r'[\\"\x00-\x1f]')
"""Keys with these can't be learned: msgspec would have to escape them."""

NOT_UTF8: Final = "The record is not valid UTF-8."
NOT_JSON: Final = "The record is not valid JSON."
NOT_AN_OBJECT: Final = "The record is valid JSON, but not an object."

_Learned = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Layout:
    """The structs that records of one shape are read into, by path, and the reader.

    Attributes:
        structs: A struct type for each object of the shape.
        keys: The keys that each of them has, in the order of its attributes.
    """

    decoder: msgspec.json.Decoder[Any]
    structs: dict[str, type[msgspec.Struct]]
    keys: dict[str, tuple[str, ...]]


@lru_cache(maxsize=128)
def layout_for(shape: Shape, learned: _Learned) -> Layout:
    """Make structs with the usual keys and those that were learned."""
    structs: dict[str, type[msgspec.Struct]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for each in shape.tree:
        also = sorted(key for path, key in learned if path == each.path)
        known = (*each.usual, *(key for key in also if key in each.known))
        # Unknown keys can be any text, so they can't be attributes under their own names.
        unknown = {
            f"unknown_{index}": key
            for index, key in enumerate(key for key in also if key not in each.known)
        }
        fields: list[tuple[str, Any, Any]] = []
        for key in known:
            nested = each.nested_by_key.get(key)
            if nested is not None:
                fields.append((key, _loose(structs[nested.path], nested), None))
            elif key not in each.read or key in each.whole:
                fields.append((key, msgspec.Raw, ABSENT))
            else:
                fields.append((key, Any, None))
        fields += [(name, msgspec.Raw, ABSENT) for name in unknown]
        structs[each.path] = msgspec.defstruct(
            "Object",
            fields,
            rename=unknown,
            forbid_unknown_fields=True,
            # Structs hold no cycles; tracking millions of them would cost a fifth of the time.
            gc=False,
            eq=False,
        )
        keys[each.path] = (*known, *unknown.values())
    # JsonFloat keeps an amount's digits; a float would be rounded to binary.
    decoder = msgspec.json.Decoder(structs[shape.path], float_hook=JsonFloat)
    return Layout(decoder, structs, keys)


def _loose(struct: type[msgspec.Struct], shape: Shape) -> Any:
    """Give the type of a place for objects: one, a list, or bare values."""
    bare = (str, int, float, bool, None)
    one = dict[str, Any] if shape.is_mapping else struct
    # `Union[...]` on purpose: `|` can't be applied to a tuple of types.
    return Union[(list[Union[(struct, *bare)]], one, *bare)]


@dataclass
class Decoded:
    """What became of some records.

    Attributes:
        layout: The types that the structs have.
        structs: One for each record that could be read, else None.
        reasons: Why a record could not be read, by its index.
    """

    layout: Layout
    structs: list[Any]
    reasons: dict[int, str]


class Reader:
    """Reads records of one shape, and remembers the keys that it learned.

    Attributes:
        slow: How many records were read patiently.
    """

    def __init__(self, shape: Shape, drift: Drift) -> None:
        self.slow = 0
        self._met: set[tuple[str, str]] = set()
        self._room = {each.path: MOST_LEARNED_KEYS for each in shape.tree}
        self._shape = shape
        self._drift = drift
        self._learned: _Learned = frozenset()

    def read(self, records: Sequence[bytes | None], rows: Sequence[int]) -> Decoded:
        """Read a block of records; `rows` says where they stand in the raw frame."""
        layout = first_layout = layout_for(self._shape, self._learned)
        decode = layout.decoder.decode
        structs: list[Any] = []
        sources: dict[int, JsonObject] = {}
        reasons: dict[int, str] = {}
        patient = _PatientReader(self._drift)
        for index, record in enumerate(records):
            if record is not None and not _needs_care(record):
                try:
                    structs.append(decode(record))
                except (msgspec.MsgspecError, ValueError, RecursionError):
                    pass
                else:
                    continue
            structs.append(None)
            try:
                source = sources[index] = patient.parse(record)
            except ValueError as error:
                reasons[index] = str(error)
                continue
            structs[index] = patient.build(self._shape, source, layout, rows[index])
            if self._learn(patient.met):
                layout = layout_for(self._shape, self._learned)
                decode = layout.decoder.decode
        if layout is not first_layout:
            # All of them need the same types: read them again, now that the keys are known.
            for index, record in enumerate(records):
                if index in sources:
                    structs[index] = patient.build(self._shape, sources[index], layout, rows[index])
                elif record is not None and index not in reasons:
                    structs[index] = decode(record)
        self.slow += len(sources)
        return Decoded(layout, structs, reasons)

    def _learn(self, met: dict[tuple[str, str], bool]) -> bool:
        """Learn the keys that a record showed, and forget that it did; say whether any is new.

        Known keys are learned at once, unknown ones when they come again: where an object is a
        dictionary, its keys are all different, and there is nothing to be gained.
        """
        before = self._learned
        for place, is_known in met.items():
            path, key = place
            fits = self._room[path] > 0 and not _UNFIT.search(key)
            if place not in self._learned and (is_known or (fits and place in self._met)):
                self._room[path] -= not is_known
                self._learned |= {place}
            self._met.add(place)
        met.clear()
        return self._learned is not before


def _needs_care(record: bytes) -> bool:
    r"""Say whether a record must not be read fast, as it would let through what is in it.

    It does not look into values that are kept whole, so that these could be no UTF-8; and it takes
    the escape `\u0000` for the character NUL. Most records are settled by the first two looks, which
    cost next to nothing.
    """
    if not record.isascii():
        try:
            record.decode()
        except UnicodeDecodeError:
            return True
    return b"\\" in record and rb"\u0000" in record


class _PatientReader:
    """Reads one record at a time, whatever is in it."""

    def __init__(self, drift: Drift) -> None:
        self._drift = drift
        self.met: dict[tuple[str, str], bool] = {}
        """Paths and keys that the layout does not have, and whether they are known."""

    def parse(self, record: bytes | None) -> JsonObject:
        """Take a record apart.

        Raises:
            ValueError: It is no JSON object; the text is the reason, without values.
        """
        if record is None:
            raise ValueError(NOT_JSON)
        try:
            return read_object(record.decode())
        except UnicodeDecodeError:
            raise ValueError(NOT_UTF8) from None
        except NotAnObjectError:
            raise ValueError(NOT_AN_OBJECT) from None
        except NotJsonError:
            raise ValueError(NOT_JSON) from None

    def build(self, shape: Shape, source: JsonObject, layout: Layout, row: int) -> msgspec.Struct:
        """Make the record's struct, noting what does not fit."""
        whole = {
            key: msgspec.Raw(source.text(key).encode())
            for key in source.values
            if key in shape.whole
        }
        return self._object(shape, source.values, layout, row, whole)

    def _object(
        self,
        shape: Shape,
        source: dict[str, Any],
        layout: Layout,
        row: int,
        whole: dict[str, msgspec.Raw] | None = None,
    ) -> msgspec.Struct:
        values: dict[str, Any] = {} if whole is None else dict(whole)
        keys = layout.keys[shape.path]
        for key, value in source.items():
            if key in values:
                continue
            if key not in shape.known:
                self.met[shape.path, key] = False
                self._drift.unknown(shape.path, key, json_type(value), row)
                continue
            if key not in keys:
                # Not in this layout: the record is built again once its keys are learned.
                self.met[shape.path, key] = True
                continue
            nested = shape.nested_by_key.get(key)
            if nested is not None:
                values[key] = self._loose(nested, value, layout, row)
            elif key in shape.read:
                values[key] = value
        return layout.structs[shape.path](**values)

    def _loose(self, shape: Shape, value: Any, layout: Layout, row: int) -> Any:
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if not shape.is_list:
                # Only the first object counts; the fast reader does not look into others either.
                present = [item for item in items if item is not None]
                first = [self._one(shape, item, layout, row) for item in present[:1]]
                return [*first, *(layout.structs[shape.path]() for _ in present[1:])]
            return [self._one(shape, item, layout, row) for item in items]
        if isinstance(value, dict) and shape.is_mapping:
            return cast("dict[str, Any]", value)
        return self._one(shape, value, layout, row)

    def _one(self, shape: Shape, value: Any, layout: Layout, row: int) -> Any:
        if isinstance(value, dict):
            return self._object(shape, cast("dict[str, Any]", value), layout, row)
        if isinstance(value, float):
            # As the fast reader has it here, where a number's digits are not remembered.
            value = float(value)
        unfit = isinstance(value, list | TooDeep)
        if unfit or (isinstance(value, float) and not math.isfinite(value)):
            self._drift.note(shape.path, unreadable(value), row)
            return None
        return value
