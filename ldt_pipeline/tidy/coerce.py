"""JSON columns to typed ones: text, whole numbers, numbers, flags, amounts and answers.

What belongs here: reading JSON values as one type, all at once where they have the usual type and
one by one where they don't. What can't be read becomes null and is reported. What doesn't belong
here: where the values come from (`items.py`), and instants (`instants.py`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, cast

import polars as pl

from ldt_pipeline.tables.types import MONEY
from ldt_pipeline.tidy.answer_objects import day_of, naming_value, says_nothing
from ldt_pipeline.tidy.json_columns import JsonColumn, nulls
from ldt_pipeline.tidy.json_values import JsonFloat, TooDeep, safe_text

Lost = Callable[[int, Any], None]
"""Told the row and the value of each value that is present and can't be read."""

UNREADABLE: Final = object()
"""Stands for what a value can't be read as."""

_TRUE: Final = frozenset({"true", "1", "yes", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "n"})

_INTEGRAL = re.compile(r"([+-]?\d{1,40})(?:\.0*)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_LEAST_WHOLE: Final = -(2**63)
_MOST_WHOLE: Final = 2**63 - 1
_MOST_AS_TEXT: Final = 10**18

_SAFE_TYPES: Final[dict[type[pl.DataType], set[type]]] = {
    pl.Int64: {int},
    pl.Boolean: {bool},
}
"""Values that polars takes as they are, so that they needn't be looked at one by one."""

_PLAIN_AMOUNT: Final = r"^-?\d{1,14}(\.\d{1,4})?$"
_MONEY_STEP: Final = Decimal("0.0001")
_MONEY_LIMIT: Final = Decimal(10) ** 14

_FIRST_NAME_KEYS: Final = ("firstName", "givenName")
_LAST_NAME_KEYS: Final = ("lastName", "familyName", "surname")
_NAME_KEYS: Final = ("label", "question", "name", "title", "text", "key")
_DEEPEST_ANSWER: Final = 8


def read_texts(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read texts: numbers and flags as JSON writes them; an empty text is null."""
    return _with_others(_without_empty(column.texts), column, as_text, lost)


def read_bibs(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read bibs as text: where an API has false in the place of one, there is none."""
    return _with_others(_without_empty(column.texts), column, _as_bib, lost)


def read_answers(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read answers as text: choices joined by "; ", objects by what names them, else as JSON.

    An object that says more than what names it is JSON, too, but a day, which is an ISO date. White
    space around an answer is nobody's; what is blank is null.
    """
    read = _with_others(_without_empty(column.texts), column, as_answer, lost)
    return _without_empty(read.str.strip_chars())


def read_names(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read what names something as text: of an object, such as a question, what that is called."""
    return _with_others(_without_empty(column.texts), column, _as_name, lost)


def read_wholes(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read whole numbers, also from text such as "12" or "12.0"; nothing is rounded."""
    return _with_others(_from_texts(column, pl.Int64(), as_whole, lost), column, as_whole, lost)


def read_numbers(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read numbers as 64-bit floats, also from text."""
    numbers = _from_texts(column, pl.Float64(), as_number, lost)
    if set(map(type, column.others)) <= {int, float, JsonFloat}:
        with suppress(OverflowError):
            others = list(map(float, column.others))
            if all(map(math.isfinite, others)):
                return _scattered(numbers, column.at, others)
    return _with_others(numbers, column, as_number, lost)


def read_flags(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read flags: true, 1, "true", "1", "yes" and their opposites."""
    return _with_others(_from_texts(column, pl.Boolean(), as_flag, lost), column, as_flag, lost)


def read_amounts(column: JsonColumn, lost: Lost, rounded: Callable[[int], None]) -> pl.Series:
    """Read amounts of money, digit by digit: never by way of a binary float.

    Args:
        column: JSON values.
        lost: Told which values are no amounts, or too large for the type.
        rounded: Told the rows of those that had more digits than the type keeps.
    """
    texts = _scattered(column.texts, column.at, _number_texts(column.others))
    plain = pl.col("t").str.contains(_PLAIN_AMOUNT)
    amounts = texts.to_frame("t").select(pl.when(plain).then("t").cast(MONEY)).to_series()
    if amounts.null_count() == len(column) - column.present:
        return amounts
    values = dict(zip(column.at, column.others, strict=True))
    odd: list[int] = []
    found: list[Decimal] = []
    for row in amounts.is_null().arg_true().to_list():
        text = texts[row]
        exact = _as_decimal(text)
        amount = None if exact is None else exact.quantize(_MONEY_STEP, ROUND_HALF_EVEN)
        if amount is None or abs(amount) >= _MONEY_LIMIT:
            if row in values or not is_blank(text):
                lost(row, values.get(row, text))
            continue
        if amount != exact:
            rounded(row)
        odd.append(row)
        found.append(amount)
    return _scattered(amounts, odd, found)


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
    single = _single(value)
    return UNREADABLE if isinstance(single, list | dict | TooDeep) else as_text(single)


def as_whole(value: Any) -> Any:
    """Give a value as a whole number of 64 bits."""
    if type(value) is int and _LEAST_WHOLE <= value <= _MOST_WHOLE:
        return value
    value = _single(value)
    if is_blank(value):
        return None
    if isinstance(value, bool):
        return UNREADABLE
    whole: int | None = None
    if isinstance(value, int):
        whole = value
    elif isinstance(value, float):
        whole = _whole_of(value)
    elif isinstance(value, str) and (match := _INTEGRAL.fullmatch(value.strip())):
        whole = int(match[1])
    return whole if whole is not None and _LEAST_WHOLE <= whole <= _MOST_WHOLE else UNREADABLE


def _whole_of(value: float) -> int | None:
    # By way of Decimal: beyond 2**53 the float has other digits than what was written.
    if not value.is_integer():
        return None
    exact = Decimal(_written(value))
    return int(exact) if exact == exact.to_integral_value() else None


def as_number(value: Any) -> Any:
    """Give a value as a finite float."""
    value = _single(value)
    if is_blank(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return UNREADABLE
    if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()):
        return UNREADABLE
    try:
        number = float(value)
    except OverflowError:
        return UNREADABLE
    return number if math.isfinite(number) else UNREADABLE


def as_flag(value: Any) -> Any:
    """Give a value as a flag."""
    value = _single(value)
    if isinstance(value, bool):
        return value
    if is_blank(value):
        return None
    text = as_text(value)
    if isinstance(text, str):
        text = text.strip().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    return UNREADABLE


def is_blank(value: Any) -> bool:
    """Say whether there is nothing to read."""
    return value is None or (isinstance(value, str) and not value.strip())


def _without_empty(texts: pl.Series) -> pl.Series:
    """Make empty texts null: as a key, one would join what doesn't belong together."""
    if (texts == "").any():
        return texts.to_frame("t").select(pl.when(pl.col("t") != "").then("t")).to_series()
    return texts


def _from_texts(
    column: JsonColumn, type_: pl.DataType, convert: Callable[[Any], Any], lost: Lost
) -> pl.Series:
    """Read the texts as a type that is none; distinct ones once, as they repeat."""
    result = nulls(len(column), type_)
    rows = column.texts.is_not_null().arg_true().to_list()
    if not rows:
        return result
    texts = column.texts.drop_nulls().to_list()
    read = {text: convert(text) for text in set(texts)}
    for row, text in zip(rows, texts, strict=True):
        if read[text] is UNREADABLE:
            lost(row, text)
    values = [None if read[text] is UNREADABLE else read[text] for text in texts]
    return _scattered(result, rows, values)


def _with_others(
    result: pl.Series, column: JsonColumn, convert: Callable[[Any], Any], lost: Lost
) -> pl.Series:
    """Read the values that are no texts, and add them to what was read of the texts."""
    if not column.at:
        return result
    if set(map(type, column.others)) <= _SAFE_TYPES.get(type(result.dtype), set()):
        with suppress(TypeError, OverflowError):  # beyond 64 bits
            series = pl.Series(column.others, dtype=result.dtype, strict=True)
            return _scattered(result, column.at, series)
    values = [convert(value) for value in column.others]
    if UNREADABLE in values:
        for index, row in enumerate(column.at):
            if values[index] is UNREADABLE:
                lost(row, column.others[index])
                values[index] = None
    return _scattered(result, column.at, values)


def _scattered(column: pl.Series, rows: list[int], values: list[Any] | pl.Series) -> pl.Series:
    """Give `column` with other values in some rows."""
    if not rows:
        return column
    series = pl.Series(values, dtype=column.dtype)
    # `scatter` changes the column in place.
    return series if len(rows) == column.len() else column.clone().scatter(rows, series)


def _single(value: Any) -> Any:
    """Take the only item out of a list of one."""
    if isinstance(value, list) and len(items := cast("list[Any]", value)) == 1:
        return items[0]
    return cast("Any", value)


def _float_text(value: float) -> str:
    """Give a number as it was written, but whole ones without a point: an id is "123"."""
    token = _written(value)
    if value.is_integer() and abs(value) < _MOST_AS_TEXT:
        whole = _whole_of(value)
        return token if whole is None else str(whole)
    return token


def _written(number: float) -> str:
    """Give a number's digits, as they came where that is known."""
    return number.token if isinstance(number, JsonFloat) else repr(number)


def _number_texts(values: list[Any]) -> list[str | None]:
    return [each.token if type(each) is JsonFloat else _number_text(each) for each in values]


def _number_text(value: Any) -> str | None:
    value = _single(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _written(value)


def _as_decimal(text: str | None) -> Decimal | None:
    if text is None or not _DECIMAL.fullmatch(text.strip()):
        return None
    exact = Decimal(text.strip())
    # Also keeps `quantize` from refusing: it works with 28 digits.
    return exact if exact.adjusted() < _MONEY_LIMIT.adjusted() else None


def _as_bib(value: Any) -> Any:
    single = _single(value)
    if isinstance(single, bool):
        return UNREADABLE if single else None
    return as_text(single)


def _as_name(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        named = (members[key] for key in _NAME_KEYS if members.get(key) is not None)
        return as_text(next(named, _of_person(members)))
    return as_text(value)


def _of_person(members: dict[str, Any]) -> Any:
    """Give a person's names, in an object of their own, as one; the object where they aren't in it."""
    names = [
        next((members[key] for key in keys if members.get(key) is not None), "")
        for keys in (_FIRST_NAME_KEYS, _LAST_NAME_KEYS)
    ]
    texts = [each.strip() for each in names if isinstance(each, str)]
    is_readable = len(texts) == len(names) and any(texts)
    return " ".join(filter(None, texts)) if is_readable else members


def as_answer(value: Any, depth: int = 0) -> Any:
    """Give an answer as text (see `read_answers`)."""
    if isinstance(value, list | dict) and depth >= _DEEPEST_ANSWER:
        return UNREADABLE
    if isinstance(value, list):
        read = [as_answer(item, depth + 1) for item in cast("list[Any]", value)]
        if UNREADABLE in read:
            return UNREADABLE
        return "; ".join(item for item in read if item is not None) or None
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        named = naming_value(members)
        return day_of(members) or (
            _as_json(members) if named is None else as_answer(named, depth + 1)
        )
    return as_text(value)


def _as_json(members: dict[str, Any]) -> Any:
    """Give an answer that is an object of its own, such as an address, as JSON text."""
    if all(map(says_nothing, members.values())):
        return None
    try:
        text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError, TypeError):
        return UNREADABLE  # too deep, or with a number that is
    return safe_text(text)
