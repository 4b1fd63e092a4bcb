"""Whose rows changed: what an entry's rows follow from, as one number, beside that of last time.

What belongs here: the comparison, and who still has to act on it (a mart, the published file). What
doesn't: what that number is made of, and making rows.

Nothing notes changes while they happen: whichever way rows were loaded, deleted or forgotten, the
numbers tell. They are compared in the transaction that acts on them, so nobody is lost by a kill.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.schema import children

_FEW = 4
"""Up to a quarter of the entries are dealt with one by one; more, and everything is made anew."""

_BUCKETS = 2**14
"""So many groups of entries are compared as a whole first; more of them take longer to count."""

_SLICE = 61_440
"""Of so many entries rows are made at once: some 200 MB of frames."""

PUBLISHED = "published"
"""The file for people, as the last one that acts on changes."""

WHOSE = "whose"
"""The temporary table with the ids that `take` gives."""


def note_changed(
    connection: duckdb.DuckDBPyConnection, entity: str, parts: str, *, actors: Collection[str]
) -> None:
    """Find the entries whose state is another one than last time, and owe them to the actors.

    Inside the caller's transaction.

    Args:
        connection: The warehouse.
        entity: `participants` or `applications`.
        parts: SQL that gives `id`, `part` and `is_entry`: a row for each entry, and others for whatever
            else its rows follow from. A part is a number that no other id has. The state of an entry is
            all its parts in one number, whatever their order.
        actors: Who acts on changes of them.
    """
    # What is the same twice is nothing: an entry that is as last time leaves 0, and so do some hundred
    # of them together. Only where these don't is one looked at by itself. DuckDB's hash of several
    # values changes by the same bits wherever the last of them changes alike, and what changes alike
    # twice would be nothing, too: another hash around it mends that.
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW parts AS
        SELECT id, hash(part) AS part, is_entry FROM ({parts})
        UNION ALL SELECT id, state, NULL FROM ops.entry_states WHERE entity = '{entity}'
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE suspects AS
        SELECT hash(id) & {_BUCKETS - 1} AS bucket FROM parts GROUP BY bucket HAVING bit_xor(part) <> 0
        """
    )
    # The ids of those that are gone count, too: their rows have to go.
    (row,) = connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE changed AS
        SELECT id, CASE WHEN bool_or(is_entry) THEN bit_xor(part) FILTER (is_entry IS NOT NULL) END
            AS state
        FROM parts WHERE hash(id) & {_BUCKETS - 1} IN (SELECT bucket FROM suspects)
        GROUP BY id
        HAVING state IS DISTINCT FROM any_value(part) FILTER (is_entry IS NULL)
        """
    ).fetchall()
    changed = row[0]
    if changed:
        connection.execute(
            f"DELETE FROM ops.entry_states AS known USING changed "
            f"WHERE known.entity = '{entity}' AND known.id = changed.id"
        )
        kept = _count(connection, entity)
        connection.execute(
            f"INSERT INTO ops.entry_states SELECT '{entity}', id, state FROM changed "
            "WHERE state IS NOT NULL"
        )
        is_few = changed * _FEW <= kept + changed
        for actor in actors:
            owe(connection, actor, entity, "changed" if is_few else None)
    connection.execute("DROP VIEW parts")
    connection.execute("DROP TABLE suspects")
    connection.execute("DROP TABLE changed")


def owe(connection: duckdb.DuckDBPyConnection, actor: str, entity: str, ids: str | None) -> None:
    """Owe to an actor the entries in a table with `id`; without one, all there are."""
    owed = f"entity = '{entity}' AND actor = '{actor}'"
    if ids is None:
        connection.execute(f"DELETE FROM ops.owed WHERE {owed}")
        connection.execute(f"INSERT INTO ops.owed VALUES ('{actor}', '{entity}', NULL)")
    elif not connection.execute(f"SELECT 1 FROM ops.owed WHERE {owed} AND id IS NULL").fetchall():
        connection.execute(
            f"INSERT INTO ops.owed SELECT '{actor}', '{entity}', id FROM {ids} "
            f"ANTI JOIN (SELECT id FROM ops.owed WHERE {owed}) AS known USING (id)"
        )


def take(connection: duckdb.DuckDBPyConnection, actor: str, entity: str) -> int | None:
    """Put what is owed to an actor into the temporary table `WHOSE`; gives how many, None for all.

    It stays owed until `done`.
    """
    owed = f"entity = '{entity}' AND actor = '{actor}'"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {WHOSE} AS SELECT id FROM ops.owed WHERE {owed}"
    )
    ((count, ids),) = connection.execute(f"SELECT count(*), count(id) FROM {WHOSE}").fetchall()
    return None if count > ids else count


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some of the entries that `take` gave.

    Attributes:
        whose: The condition that a row is of one of them.
        whose_answers: The same for rows of their answers, with where these lie: else all would be looked
            at for each slice.
    """

    whose: str
    whose_answers: str


def is_one_slice(count: int | None) -> bool:
    """Whether `slices` gives those that `take` gave at once, wherever their answers lie."""
    return count is not None and count <= _SLICE


def slices(
    connection: duckdb.DuckDBPyConnection, count: int | None, entity: str
) -> Iterator[Slice]:
    """Give all entries that `take` gave, so many at a time as memory holds rows of at ease.

    Whoever commits in between and reads answers keeps them in their place (`rows_in_place`).
    """
    key = table(entity).key[0]
    (answers,) = children(table(entity))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE sliced AS
        SELECT id, (row_number() OVER () - 1) // {_SLICE} AS slice
        FROM ({f"SELECT {key} AS id FROM tidy.{entity}" if count is None else f"FROM {WHOSE}"})
        """
    )
    ((last,),) = connection.execute("SELECT max(slice) FROM sliced").fetchall()
    if last == 0:
        yield Slice(whose=within(count, key), whose_answers=within(count, key))
    elif last is not None:
        places = connection.execute(
            f"""
            SELECT slice, coalesce(min(answers.rowid), 0), coalesce(max(answers.rowid), 0)
            FROM sliced LEFT JOIN tidy.{answers.name} AS answers ON answers.{key} = id
            GROUP BY slice ORDER BY slice
            """
        ).fetchall()
        for number, first_row, last_row in places:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE slice AS SELECT id FROM sliced WHERE slice = {number}"
            )
            whose = f"{key} IN (SELECT id FROM slice)"
            yield Slice(
                whose=whose,
                whose_answers=f"rowid BETWEEN {first_row} AND {last_row} AND {whose}",
            )
        connection.execute("DROP TABLE slice")
    connection.execute("DROP TABLE sliced")


def done(connection: duckdb.DuckDBPyConnection, actor: str) -> None:
    """Note that an actor has dealt with all that it was owed."""
    connection.execute(f"DELETE FROM ops.owed WHERE actor = '{actor}'")


def within(count: int | None, column: str) -> str:
    """Write the condition that a column is one of the ids which `take` gave."""
    return "TRUE" if count is None else f"{column} IN (SELECT id FROM {WHOSE})"


def _count(connection: duckdb.DuckDBPyConnection, entity: str) -> int:
    query = f"SELECT count(*) FROM ops.entry_states WHERE entity = '{entity}'"
    return connection.execute(query).fetchall()[0][0]
