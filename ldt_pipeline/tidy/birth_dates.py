"""Dates of birth, as people type them.

What belongs here: reading a text as a date of birth. What doesn't: instants from the API
(`instants.py`), and finding the answer (`questions.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import polars as pl

EARLIEST: Final = date(1900, 1, 1)

_ENGLISH_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_MONTHS: Final = {
    name[:length]: str(number)
    for number, name in enumerate(_ENGLISH_MONTHS, start=1)
    for length in range(3, len(name) + 1)
}

_PLAIN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO: Final = r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*)?$"
_MIDNIGHT_FURTHER_EAST: Final = r"^\d{4}\S+[t ]2[123]:00(?::00(?:\.0+)?)?(?:z|\+00:?00)$"
"""Midnight of the next day in British Summer Time, or further east in Europe, as a browser writes it."""

_COMPACT: Final = r"^(\d{4})(\d{2})(\d{2})$"
_DAY_FIRST: Final = r"^(\d{1,2}) ?[-/. ] ?(\d{1,2}) ?[-/. ] ?(\d{4})(?:,? \d{1,2}:\d{2}.*)?$"
_DAY_FIRST_NAMED: Final = (
    r"^(?:[a-z]+,? )?(\d{1,2})(?:st|nd|rd|th|\.)?[ -]+(?:of )?([a-z]{3,9})\.?,?[ -]+(\d{4})$"
)
_MONTH_NAMED_FIRST: Final = r"^([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})$"


def parse_birth_date(text: pl.Series) -> pl.Series:
    """Read texts as dates of birth.

    Read are ISO dates, days before months in numbers, as in the United Kingdom and most of Europe
    ("07/03/1990" is in March), each also with a time behind it, and months by their English names.
    Nobody states the hour of a birth: a time doesn't count, but where it is midnight in Europe, told
    in UTC, it is that of the next day. A year of two digits is none: who runs may be 5 or 105.

    Returns:
        Dates, null for what is none, for days that don't exist, and for those before 1900 or in
        the future.
    """
    # Nearly all are written like this, and are read in a tenth of the time of all the patterns.
    is_plain = text.str.contains(_PLAIN).fill_null(value=False)
    plain = text.set(~is_plain, None).str.to_date("%Y-%m-%d", strict=False)
    others = text.set(is_plain, None).drop_nulls().unique().to_frame("text")
    read = others.with_columns(_date_in_any_form(pl.col("text")).alias("read"))
    joined = pl.DataFrame({"text": text, "plain": plain}).join(
        read, on="text", how="left", maintain_order="left"
    )
    either = pl.coalesce("plain", "read")
    today = datetime.now(UTC).date()
    return joined.select(
        pl.when(either.is_between(EARLIEST, today)).then(either).alias(text.name)
    ).to_series()


def _date_in_any_form(text: pl.Expr) -> pl.Expr:
    clean = text.str.strip_chars().str.to_lowercase().str.replace_all(r"\s+", " ")
    iso = _date(clean, _ISO, year=1, month=2, day=3)
    candidates = [
        pl.when(clean.str.contains(_MIDNIGHT_FURTHER_EAST)).then(iso.dt.offset_by("1d")),
        iso,
        _date(clean, _DAY_FIRST, year=3, month=2, day=1),
        _date(clean, _COMPACT, year=1, month=2, day=3),
        _date(clean, _DAY_FIRST_NAMED, year=3, month=2, day=1),
        _date(clean, _MONTH_NAMED_FIRST, year=3, month=1, day=2),
    ]
    return pl.coalesce(candidates)


def _date(text: pl.Expr, pattern: str, *, year: int, month: int, day: int) -> pl.Expr:
    months = text.str.extract(pattern, month)
    # Padding and a strict format, as pl.date() raises where a day doesn't exist.
    parts = [
        text.str.extract(pattern, year),
        months.replace_strict(_MONTHS, default=months).str.zfill(2),
        text.str.extract(pattern, day).str.zfill(2),
    ]
    return pl.concat_str(parts, separator="-").str.to_date("%Y-%m-%d", strict=False)
