"""What a table and a column are, for the registry in this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import polars as pl
from polars._typing import PolarsDataType

UTC_TIMESTAMP = pl.Datetime("us", "UTC")
"""The one type of instants: microseconds, UTC."""

MONEY = pl.Decimal(18, 4)
"""The one type of amounts; its currency stands in a column beside it."""


class Layer(StrEnum):
    """Where a table is made."""

    TIDY = "tidy"
    MART = "marts"
    VIEW = "views"


class Personal(StrEnum):
    """What kind of personal data a column holds.

    Ids of entries and applications, and bibs, are pseudonyms and have no kind: tables are joined
    by them, and without the organiser's account or a results list they name nobody.
    """

    NAME = "name"
    CONTACT = "contact"
    BIRTH = "birth"
    SPECIAL = "special"
    """Could reveal health, beliefs or origin: emergency contacts, gender, any free answer."""
    LINK = "link"
    """A secret or personal address, such as a claim link or a code that only one person has."""
    IDENTITY = "identity"
    """An id that a person has elsewhere too: an account, a booking, a payment."""
    FREE = "free"
    """Text or JSON kept as received, which nobody has looked through: it may hold any of these."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `source` is the key in the API's record that it comes from, if one does.

    `personal` is None only where somebody has decided so: a test names each of those columns.
    """

    name: str
    type: pl.DataType
    description: str
    source: str | None = None
    personal: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table. `key` names the columns that are unique together."""

    name: str
    layer: Layer
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column names to polars types, in order; a dictionary of the caller's own."""
        return {column.name: column.type for column in self.columns}

    @cached_property
    def personal_columns(self) -> tuple[str, ...]:
        """The names of the columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.personal)

    @cached_property
    def forgotten_columns(self) -> tuple[str, ...]:
        """The names of the columns that go blank when a person asks to be forgotten.

        Ids are left to what stays of the record (`erasing/forms.py`), which has no booking.
        """
        return tuple(
            column.name
            for column in self.columns
            if column.personal and column.personal is not Personal.IDENTITY
        )

    @cached_property
    def anonymous(self) -> Table | None:
        """This table without its personal columns; None where it has none of them."""
        if not self.personal_columns:
            return None
        return replace(
            self,
            name=f"{self.name}_anonymous",
            description=f"{self.description} Without the columns that are personal data.",
            columns=tuple(column for column in self.columns if not column.personal),
        )

    def empty(self) -> pl.DataFrame:
        """Give the table without rows."""
        return pl.DataFrame(schema=self.schema)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give `frame` with exactly this table's columns, in order and typed.

        Raises:
            ValueError: A column is missing or one is unknown. (DuckDB would store NULL for a
                missing one without a word.)
        """
        missing = [name for name in self.schema if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in self.schema]
        if missing or unknown:
            raise ValueError(
                f"A frame for table {self.name} does not fit: "
                f"missing columns {missing}, unknown columns {unknown}."
            )
        return frame.select(
            pl.col(name).cast(type_, strict=True) for name, type_ in self.schema.items()
        )


_DUCKDB_TYPES: Mapping[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}


def duckdb_type(type_: pl.DataType) -> str:
    """Give DuckDB's name for a polars type of the registry.

    Raises:
        TypeError: The registry has no use for this type (yet).
    """
    if isinstance(type_, pl.Decimal):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if isinstance(type_, pl.List):
        return f"{duckdb_type(_instance(type_.inner))}[]"
    if isinstance(type_, pl.Struct):
        fields = ", ".join(
            f'"{field.name}" {duckdb_type(_instance(field.dtype))}' for field in type_.fields
        )
        return f"STRUCT({fields})"
    if type(type_) not in _DUCKDB_TYPES:
        raise TypeError(f"No DuckDB type is chosen for the polars type {type_!r}.")
    return _DUCKDB_TYPES[type(type_)]


def _instance(type_: PolarsDataType) -> pl.DataType:
    return type_ if isinstance(type_, pl.DataType) else type_()
