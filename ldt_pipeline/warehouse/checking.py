"""Running the checks of the warehouse, and what follows from them: whether it may be published.

What belongs here: outcomes, and the errors that keep everything from being published. What doesn't:
the checks themselves (`checks.py`), and keeping what they found (`outcomes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.warehouse.checks import ON_ITS_WAY, Check, checks, is_recent
from ldt_pipeline.warehouse.outcomes import noted_outcomes, outdated_marts

_MARTS = [each.name for each in TABLES.values() if each.layer is Layer.MART]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check found."""

    check: Check
    offences: int
    is_waited_for: bool = False
    """Whether it failed in the normal course of things: what is missing is on its way."""

    @property
    def passed(self) -> bool:
        """Whether there was nothing to find."""
        return self.offences == 0

    @property
    def is_error(self) -> bool:
        """Whether nothing may be published, and a person should know."""
        return self.check.is_structural and not self.passed and not self.is_waited_for

    @property
    def sentence(self) -> str:
        """Say it to whoever can act on it."""
        if self.passed:
            return self.check.description
        return f"{self.check.offences}: {self.offences}"


NOTHING_PUBLISHED = "Nothing was published, the last published file stays."
"""How every sentence begins that says why."""


class ChecksFailedError(Exception):
    """The warehouse may not be published."""


class NotYetError(ChecksFailedError):
    """The warehouse may not be published yet: what is missing is on its way."""


def run_check(connection: duckdb.DuckDBPyConnection, check: Check) -> Outcome:
    """Run one check."""
    if check.shortcut and connection.execute(check.shortcut).fetchall() == [(True,)]:
        return Outcome(check=check, offences=0)
    return _outcome(connection, check, connection.execute(check.query).fetchall()[0][0])


def _outcome(connection: duckdb.DuckDBPyConnection, check: Check, offences: int) -> Outcome:
    is_waited_for = (
        offences > 0
        and check.waited_for is not None
        and connection.execute(check.waited_for).fetchall() == [(True,)]
    )
    return Outcome(check=check, offences=offences, is_waited_for=is_waited_for)


def _found(connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
    """Give the outcomes of the structural checks, as noted or found now."""
    noted = noted_outcomes(connection)
    return [
        _outcome(connection, each, noted[each.table, each.name])
        if (each.table, each.name) in noted
        else run_check(connection, each)
        for each in checks()
        if each.is_structural
    ]


def require_structure(connection: duckdb.DuckDBPyConnection) -> None:
    """See that the warehouse may be published.

    Raises:
        NotYetError: It may as soon as lists of events are read which appeared a few minutes ago, or
            deletions are found which a list's total told of a few minutes ago.
        ChecksFailedError: It may not; the text names each structural check that failed, or the
            tables that are older than what is loaded. Their ids may agree with it all the same.
    """
    outdated = outdated_marts(connection, _MARTS)
    failed = [outcome for outcome in _found(connection) if not outcome.passed]
    reasons = [f"{each.check.table}: {each.sentence}" for each in failed]
    if outdated:
        reasons.append(
            f"Older than what is loaded: {', '.join(outdated)}; the job load_and_publish makes them "
            "first, as `ldt sync` does"
        )
    if reasons:
        text = f"{NOTHING_PUBLISHED} {'; '.join(reasons)}."
        is_early = not outdated and not any(each.is_error for each in failed)
        raise NotYetError(text) if is_early else ChecksFailedError(text)


def wait_is_over(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a list that didn't agree with the API was waited for when it was compared, and no longer is."""
    (row,) = connection.execute(
        f"""
        SELECT count(*) > 0 FROM ops.comparisons
        WHERE NOT agrees AND NOT {is_recent("uneven_since")}
            AND noted_at < uneven_since + to_seconds(?)""",
        [ON_ITS_WAY.total_seconds()],
    ).fetchall()
    return row[0]


def require_nothing_to_read_again(store: RawStore) -> None:
    """See that no damaged extract waits to be read again: totals don't tell of an edit that it held.

    Raises:
        ChecksFailedError: One does; the text says how many, and of what.
    """
    damaged = waiting(store)
    if damaged:
        of = ", ".join(sorted({f"{each.feed} ({each.folder})" for each in damaged}))
        raise ChecksFailedError(
            f"{NOTHING_PUBLISHED} {len(damaged)} extracts were "
            f"damaged and have to be read again: {of}. `ldt sync` does that."
        )
