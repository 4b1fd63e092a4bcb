"""JSON values to typed columns: text, whole numbers, numbers, flags, amounts and JSON text.

What belongs here: reading a list of JSON values to a polars Series of one type, quickly where all
of them have the usual type, and one by one where they don't. What can't be read becomes null and
is reported. What doesn't belong here: where the values come from (`items.py`), and instants
(`instants.py`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final, cast

import polars as pl

from ldt_pipeline.tables.types import MONEY
from ldt_pipeline.tidy.json_values import JsonFloat, TooDeep, safe_text

Lost = Callable[[int], None]
"""Told the index of each value that is present and can't be read."""

_UNREADABLE: Final = object()

_TEXT_TYPES: Final = {str, type(None)}
_WHOLE_TYPES: Final = {int, type(None)}
_FLAG_TYPES: Final = {bool, type(None)}

_TRUE: Final = frozenset({"true", "1", "yes", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "n"})

_INTEGRAL = re.compile(r"([+-]?\d{1,40})(?:\.0*)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_LEAST_WHOLE: Final = -(2**63)
_MOST_WHOLE: Final = 2**63 - 1
_MOST_AS_TEXT: Final = 10**18

_PLAIN_AMOUNT: Final = r"^-?\d{1,14}(\.\d{1,4})?$"
_MONEY_STEP: Final = Decimal("0.0001")
_MONEY_LIMIT: Final = Decimal(10) ** 14

_NAMING_KEYS: Final = ("label", "name", "title", "text", "value", "answer", "values")
_DEEPEST_ANSWER: Final = 8


def read_texts(values: Sequence[Any], lost: Lost) -> pl.Series:
    """Read texts: numbers and flags as JSON writes them; an empty text is null."""
    return _read(values, pl.String(), _TEXT_TYPES, as_text, lost)


def read_wholes(values: Sequence[Any], lost: Lost) -> pl.Series:
    """Read whole numbers, also from text such as "12" or "12.0"; nothing is rounded."""
    return _read(values, pl.Int64(), _WHOLE_TYPES, _as_whole, lost)


def read_numbers(values: Sequence[Any], lost: Lost) -> pl.Series:
    """Read numbers as 64-bit floats, also from text."""
    return _read(values, pl.Float64(), {type(None)}, _as_number, lost)


def read_flags(values: Sequence[Any], lost: Lost) -> pl.Series:
    """Read flags: true, 1, "true", "1", "yes" and their opposites."""
    return _read(values, pl.Boolean(), _FLAG_TYPES, _as_flag, lost)


def read_answers(values: Sequence[Any], lost: Lost) -> pl.Series:
    """Read answers as text: choices joined by "; ", objects by what names them, else as JSON."""
    return _read(values, pl.String(), _TEXT_TYPES, _as_answer, lost)


def read_amounts(values: Sequence[Any], lost: Lost, rounded: Lost) -> pl.Series:
    """Read amounts of money, digit by digit: never by way of a binary float.

    Args:
        values: JSON values.
        lost: Told which values are no amounts, or too large for the type.
        rounded: Told which ones had more digits than the type keeps.
    """
    texts = pl.Series([_amount_text(value) for value in values], dtype=pl.String)
    amounts = (
        texts.to_frame("t")
        .select(pl.when(pl.col("t").str.contains(_PLAIN_AMOUNT)).then("t").cast(MONEY))
        .to_series()
    )
    odd: list[int] = []
    found: list[Decimal] = []
    for index in amounts.is_null().arg_true().to_list():
        value = values[index]
        if _is_blank(value):
            continue
        exact = _as_decimal(texts[index])
        if exact is None:
            lost(index)
            continue
        amount = exact.quantize(_MONEY_STEP, ROUND_HALF_EVEN)
        if abs(amount) >= _MONEY_LIMIT:
            lost(index)
            continue
        if amount != exact:
            rounded(index)
        odd.append(index)
        found.append(amount)
    return amounts.scatter(odd, pl.Series(found, dtype=MONEY)) if odd else amounts


def as_text(value: Any) -> Any:
    """Give a value as text, None for nothing, or a marker where it has no plain text."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, list) and len(items := cast("list[Any]", value)) == 1:
        return as_text(items[0]) if not isinstance(items[0], list) else _UNREADABLE
    return _UNREADABLE


def _read(
    values: Sequence[Any],
    type_: pl.DataType,
    usual: set[type],
    convert: Callable[[Any], Any],
    lost: Lost,
) -> pl.Series:
    """Make the column at once where all values have a usual type, else value by value."""
    # polars takes True for 1 among integers, but refuses all but texts among texts.
    if usual is _TEXT_TYPES or set(map(type, values)) <= usual:
        try:
            series = pl.Series(values, dtype=type_)
        except (TypeError, OverflowError):
            pass  # other types, or an integer beyond 64 bits
        else:
            # An empty text says nothing, and as a key it would join what doesn't belong together.
            if usual is _TEXT_TYPES and "" in values:
                series = pl.Series([value or None for value in values], dtype=type_)
            return series

    def read(index: int, value: Any) -> Any:
        converted = convert(value)
        if converted is _UNREADABLE:
            lost(index)
            return None
        return converted

    plain: type = str if usual is _TEXT_TYPES else type(None)
    return pl.Series(
        [
            (value or None) if type(value) is plain else read(index, value)
            for index, value in enumerate(values)
        ],
        dtype=type_,
    )


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _float_text(value: float) -> str:
    """Give a number as it was written, but whole ones without a point: an id is "123"."""
    token = value.token if isinstance(value, JsonFloat) else repr(value)
    if math.isfinite(value) and value == int(value) and abs(value) < _MOST_AS_TEXT:
        return str(int(Decimal(token)))
    return token


def _single(value: Any) -> Any:
    """Take the only item out of a list of one."""
    if isinstance(value, list) and len(items := cast("list[Any]", value)) == 1:
        return items[0]
    return value


def _as_whole(value: Any) -> Any:
    value = _single(value)
    if _is_blank(value):
        return None
    if isinstance(value, bool):
        return _UNREADABLE
    whole: int | None = None
    if isinstance(value, int):
        whole = value
    elif isinstance(value, float):
        whole = int(value) if math.isfinite(value) and value == int(value) else None
    elif isinstance(value, str) and (match := _INTEGRAL.fullmatch(value.strip())):
        whole = int(match[1])
    return whole if whole is not None and _LEAST_WHOLE <= whole <= _MOST_WHOLE else _UNREADABLE


def _as_number(value: Any) -> Any:
    value = _single(value)
    if _is_blank(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _UNREADABLE
    if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()):
        return _UNREADABLE
    try:
        number = float(value)
    except OverflowError:
        return _UNREADABLE
    return number if math.isfinite(number) else _UNREADABLE


def _as_flag(value: Any) -> Any:
    value = _single(value)
    if _is_blank(value):
        return None
    if isinstance(value, bool):
        return value
    text = as_text(value)
    if isinstance(text, str):
        text = text.strip().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    return _UNREADABLE


def _amount_text(value: Any) -> str | None:
    value = _single(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value.token if isinstance(value, JsonFloat) else repr(value)


def _as_decimal(text: str | None) -> Decimal | None:
    if text is None or not _DECIMAL.fullmatch(text):
        return None
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    # Also keeps `quantize` from refusing: it works with 28 digits.
    return exact if exact.adjusted() < _MONEY_LIMIT.adjusted() else None


def _as_answer(value: Any, depth: int = 0) -> Any:
    if isinstance(value, list | dict) and depth >= _DEEPEST_ANSWER:
        return _UNREADABLE
    if isinstance(value, list):
        read = [_as_answer(item, depth + 1) for item in cast("list[Any]", value)]
        if any(item is _UNREADABLE for item in read):
            return _UNREADABLE
        return "; ".join(item for item in read if item is not None) or None
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        for key in _NAMING_KEYS:
            if members.get(key) is not None:
                return _as_answer(members[key], depth + 1)
        return _as_json(members)
    return as_text(value)


def _as_json(members: dict[str, Any]) -> Any:
    """Give an answer that is an object of its own, such as an address, as JSON text."""
    if not any(value is not None for value in members.values()):
        return None
    try:
        text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), default=_too_deep)
    except (RecursionError, ValueError):
        return _UNREADABLE
    return safe_text(text)


def _too_deep(value: Any) -> str:
    return f"({value.json_type})" if isinstance(value, TooDeep) else ""
