"""The compact table of what exists: one short row for each participant, application and partner.

What belongs here: an SQLite database in memory that finds, counts and orders rows. What doesn't:
what a row looks like to a caller (`records`), what happens to it (`account`). A row is about forty
bytes where its record is three thousand; the record is rendered from it when somebody asks.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any, Literal, NamedTuple, get_args

from ldt_pipeline.sandbox.selection import Order, PageRequest, Selection, SortColumn

Table = Literal["participants", "applications", "partners"]
TABLES: tuple[Table, ...] = get_args(Table)

_SCHEMA = """
CREATE TABLE participants (
    number INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    scope INTEGER NOT NULL,          -- the race
    ticket INTEGER NOT NULL,
    reserved_group INTEGER,
    application INTEGER,
    party INTEGER NOT NULL,          -- how many places behind the leader of the booking
    bib INTEGER NOT NULL,            -- position on the bib sheet, 0 for none
    revision INTEGER NOT NULL DEFAULT 0,
    redacted INTEGER NOT NULL,
    changes TEXT                     -- JSON: what was set by hand
);
CREATE TABLE applications (
    number INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    scope INTEGER NOT NULL,          -- the event
    ticket INTEGER NOT NULL,
    participant INTEGER,
    status INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    redacted INTEGER NOT NULL,
    changes TEXT
);
CREATE TABLE partners (
    number INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    scope INTEGER NOT NULL DEFAULT 0,
    ticket INTEGER NOT NULL DEFAULT 0,
    search TEXT NOT NULL             -- the name, case folded
);
"""

# `number` is spelled out although SQLite would append it: a row value such as
# `(updated, number) > (?, ?)` then seeks on both, and thousands of records that were updated in
# the same millisecond cost no more than others.
_INDEX = "CREATE INDEX IF NOT EXISTS {table}_{name} ON {table} ({columns}, number)"

_ROWS_PER_INSERT = 60
_MOST_REMEMBERED_TOTALS = 200


class ParticipantRow(NamedTuple):
    """A row of `participants`."""

    number: int
    created: int
    updated: int
    race: int
    ticket: int
    reserved_group: int | None
    application: int | None
    party: int
    bib: int
    revision: int
    redacted: int
    changes: str | None


class ApplicationRow(NamedTuple):
    """A row of `applications`."""

    number: int
    created: int
    updated: int
    event: int
    ticket: int
    participant: int | None
    status: int
    revision: int
    redacted: int
    changes: str | None


class RecordIndex:
    """The tables, without any locking: whoever owns the index locks."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(
            ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.executescript(_SCHEMA)
        weakref.finalize(self, self._connection.close)
        self._next_numbers: dict[Table, int] = dict.fromkeys(TABLES, 0)
        self._prepared: set[tuple[Table, str]] = set()
        self._totals: dict[tuple[Table, Selection], int] = {}

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def load(self, table: Table, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert many rows at once.

        Args:
            table: Where to.
            columns: The names of the columns that the rows fill, separated by commas.
            rows: The rows, in the order of their numbers, which come first. They go in by the sixty: that halves the cost of each.
        """
        marks = f"({', '.join('?' * (columns.count(',') + 1))})"
        insert = f"INSERT INTO {table} ({columns}) VALUES"
        iterator = iter(rows)
        self._connection.execute("BEGIN")
        while batch := list(islice(iterator, _ROWS_PER_INSERT)):
            statement = f"{insert} {', '.join([marks] * len(batch))}"
            self._connection.execute(statement, list(chain.from_iterable(batch)))
            self._next_numbers[table] = batch[-1][0] + 1
        self._connection.execute("COMMIT")

    def link_applications(self, links: Iterable[tuple[int, int]]) -> None:
        """Tell participants their application: pairs of (application, participant)."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "UPDATE participants SET application = ? WHERE number = ?", links
        )
        self._connection.execute("COMMIT")

    def _prepare(self, table: Table, selection: Selection, column: SortColumn) -> None:
        """Make the SQL index that a query needs, the first time that one does.

        With a million rows each takes about a second: an account that is never asked for its
        races, say, starts that much sooner.
        """
        columns = column if selection.scope is None else f"scope, {column}"
        if (table, columns) not in self._prepared:
            name = columns.replace(", ", "_")
            self._connection.execute(_INDEX.format(table=table, name=name, columns=columns))
            self._prepared.add((table, columns))

    def page(
        self, table: Table, selection: Selection, order: Order, page: PageRequest, *, skip: int = 0
    ) -> tuple[list[tuple[Any, ...]], bool]:
        """Read one page of an ordered selection.

        Args:
            table: Where to look.
            selection: Which rows.
            order: In which order.
            page: How many, from where, in which direction.
            skip: How many rows to leave out first: a fault, for those who want one.

        Returns:
            The rows in the order asked for, and whether there are more beyond them in the
            direction of travel.
        """
        self._prepare(table, selection, order.column)
        conditions, values = selection.conditions()
        forwards_is_up = order.descending == page.backwards
        if page.position is not None:
            sign = ">" if forwards_is_up else "<"
            conditions.append(f"({order.column}, number) {sign} (?, ?)")
            values += [page.position.instant, page.position.number]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        direction = "ASC" if forwards_is_up else "DESC"
        rows = self._connection.execute(
            f"SELECT * FROM {table} {where}"  # noqa: S608 - names are literals, values are bound
            f" ORDER BY {order.column} {direction}, number {direction} LIMIT ? OFFSET ?",
            [*values, page.size + 1, skip],
        ).fetchall()
        more = len(rows) > page.size
        del rows[page.size :]
        if page.backwards:
            rows.reverse()
        return rows, more

    def total(self, table: Table, selection: Selection) -> int:
        """How many rows are selected: counted once, then kept up to date by each change."""
        key = (table, selection)
        total = self._totals.get(key)
        if total is None:
            conditions, values = selection.conditions()
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            query = f"SELECT count(*) FROM {table} {where}"  # noqa: S608 - as above
            total = int(self._connection.execute(query, values).fetchone()[0])
            if len(self._totals) >= _MOST_REMEMBERED_TOTALS:
                self._totals.clear()
            self._totals[key] = total
        return total

    def row(self, table: Table, number: int) -> tuple[Any, ...] | None:
        """One row, or None if there is none with this number."""
        query = f"SELECT * FROM {table} WHERE number = ?"  # noqa: S608 - a literal
        return self._connection.execute(query, [number]).fetchone()

    def exists(self, table: Table, number: int) -> bool:
        """Whether there is a row with this number."""
        return self.row(table, number) is not None

    def numbers(self, table: Table, selection: Selection | None = None) -> list[int]:
        """The numbers of all selected rows, in ascending order."""
        conditions, values = (selection or Selection()).conditions()
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"SELECT number FROM {table} {where} ORDER BY number"  # noqa: S608 - as above
        return [number for (number,) in self._connection.execute(query, values)]

    def nearest(self, table: Table, share: float) -> int | None:
        """The number of the row that lies so far, from 0 to 1, along the table."""
        number = int(self._next_numbers[table] * share)
        query = f"SELECT max(number) FROM {table} WHERE number <= ?"  # noqa: S608 - a literal
        found = self._connection.execute(query, [number]).fetchone()[0]
        if found is None:
            query = f"SELECT min(number) FROM {table}"  # noqa: S608 - a literal
            found = self._connection.execute(query).fetchone()[0]
        return None if found is None else int(found)

    def new_number(self, table: Table) -> int:
        """A number that no row has or ever had: ids of what was deleted don't come back."""
        number = self._next_numbers[table]
        self._next_numbers[table] = number + 1
        return number

    def put(self, table: Table, row: tuple[Any, ...]) -> None:
        """Insert a row, or replace the one with the same number."""
        before = self.row(table, row[0])
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608
        self._count(table, before, row)

    def remove(self, table: Table, number: int) -> None:
        """Delete a row."""
        before = self.row(table, number)
        self._connection.execute(f"DELETE FROM {table} WHERE number = ?", [number])  # noqa: S608
        self._count(table, before, None)

    def _count(
        self, table: Table, before: tuple[Any, ...] | None, after: tuple[Any, ...] | None
    ) -> None:
        """Correct the remembered totals: counting a million rows for each page is too slow."""
        for key, total in list(self._totals.items()):
            if key[0] != table:
                continue
            if key[1].search is not None:
                del self._totals[key]
                continue
            gone = before is not None and key[1].holds(before)
            come = after is not None and key[1].holds(after)
            self._totals[key] = total + come - gone
