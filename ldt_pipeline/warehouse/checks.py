"""Checks of the warehouse: what must hold before it is published, and what people should know.

What belongs here: each check as one query with a sentence. What doesn't: showing them
(`defs/checks.py`).

A structural check that fails means that rows are missing, double or torn: nothing is published
then. The others tell of things in the account that a person can mend.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.tables import TABLES, Layer, Table
from ldt_pipeline.warehouse.outcomes import API_TOTALS, noted_outcomes, outdated_marts
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.schema import listed

_LISTS_READ_WITHIN = dt.timedelta(minutes=10)
"""So long may reading the lists of a new event take before that is trouble."""

_MARTS = [each.name for each in TABLES.values() if each.layer is Layer.MART]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. `query` gives the number of offences; `offences` says what is counted."""

    table: str
    name: str
    is_structural: bool
    description: str
    query: str
    offences: str
    shortcut: str | None = None
    """A query that is true only where nothing is to be found, and takes a fraction of the time."""
    is_waited_for: bool = False
    """Whether it fails for a while in the normal course of things: `require_structure` sees to it."""

    @property
    def blocks(self) -> bool:
        """Whether the run ends where it fails."""
        return self.is_structural and not self.is_waited_for


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check found."""

    check: Check
    offences: int

    @property
    def passed(self) -> bool:
        """Whether there was nothing to find."""
        return self.offences == 0

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


class NewEventsError(ChecksFailedError):
    """The warehouse may not be published yet: events have just appeared, whose lists are to be read."""


def checks() -> list[Check]:
    """Give every check, in the order of the registry."""
    found: list[Check] = []
    for table in TABLES.values():
        found.append(_unique_key(table))
    found.extend(_completeness())
    found.extend(_REFERENCES)
    found.extend(_ADVICE)
    return found


def run_check(connection: duckdb.DuckDBPyConnection, check: Check) -> Outcome:
    """Run one check."""
    if check.shortcut and connection.execute(check.shortcut).fetchall() == [(True,)]:
        return Outcome(check=check, offences=0)
    return Outcome(check=check, offences=connection.execute(check.query).fetchall()[0][0])


def _found(connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
    """Give the outcomes of the structural checks, as noted or found now."""
    noted = noted_outcomes(connection)
    return [
        Outcome(check=each, offences=noted[each.table, each.name])
        if (each.table, each.name) in noted
        else run_check(connection, each)
        for each in checks()
        if each.is_structural
    ]


def require_structure(connection: duckdb.DuckDBPyConnection) -> None:
    """See that the warehouse may be published.

    Raises:
        NewEventsError: It may as soon as lists of events are read which appeared a few minutes ago.
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
        is_waited_for = not outdated and all(each.check.is_waited_for for each in failed)
        is_early = is_waited_for and _are_new(connection)
        raise NewEventsError(text) if is_early else ChecksFailedError(text)


def _are_new(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether each event with lists that were never read was read of for the first time just now."""
    feeds = [feed.name for feed in SNAPSHOT_FEEDS]
    (row,) = connection.execute(
        """
        SELECT coalesce(bool_and(first_seen_at > now() - to_seconds(?)), TRUE) FROM (
            SELECT event_id, min(_extracted_at) AS first_seen_at FROM (
                SELECT event_id, _extracted_at FROM tidy.participants
                UNION ALL SELECT event_id, _extracted_at FROM tidy.applications
            ) WHERE event_id <> '' GROUP BY event_id
        ) WHERE event_id NOT IN (
            SELECT partition FROM ops.load_log WHERE list_contains(?::VARCHAR[], feed)
            GROUP BY partition HAVING count(DISTINCT feed) = len(?::VARCHAR[])
        )""",
        [_LISTS_READ_WITHIN.total_seconds(), feeds, feeds],
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


def _unique_key(table: Table) -> Check:
    key = listed(table.key)
    nulls = " OR ".join(f'"{name}" IS NULL' for name in table.key)
    rows = f"{table.layer.value}.{table.name}"
    return Check(
        table=table.name,
        name="key_is_unique",
        is_structural=True,
        description=f"Each row has a key of its own ({', '.join(table.key)}).",
        query=f"""
            SELECT count(*) FROM (
                SELECT 1 FROM {rows} WHERE {_may_be_double(table, rows)}
                GROUP BY {key} HAVING count(*) > 1 OR bool_or({nulls})
            )""",
        offences=f"Keys ({', '.join(table.key)}) that are null or there more than once",
    )


def _may_be_double(table: Table, rows: str) -> str:
    """Write what rows must be looked at: of a nested list, those whose positions can't all differ.

    A set of 62 bits for each record takes a fifth of the time that a set of all pairs takes.
    """
    if table.key[1:] != ("position",):
        return "TRUE"
    parent = table.key[0]
    return f"""
        "{parent}" IS NULL OR "{parent}" IN (
            SELECT "{parent}" FROM {rows} GROUP BY "{parent}"
            HAVING bit_count(bit_or(1::BIGINT << (abs(position) % 62))) IS DISTINCT FROM count(*)
        )"""


def _completeness() -> list[Check]:
    return [
        Check(
            table=API_TOTALS,
            name=f"{feed.name}_are_complete",
            is_structural=True,
            description=f"We hold as many {feed.name} as the API says it has.",
            query=f"""
                SELECT coalesce(sum(CASE WHEN agrees THEN 0
                    ELSE greatest(abs(api_total - held), 1) END), 1)::BIGINT
                FROM ops.comparisons WHERE feed = '{feed.name}'""",
            offences=(
                f"How many {feed.name} more or fewer we hold than the API says it has, or it was "
                "never asked (`ldt sync` puts that right)"
            ),
        )
        for feed in CHANGE_FEEDS
    ]


def _orphans(table: str, name: str, column: str, parent: str, *, is_structural: bool) -> Check:
    rows = TABLES[table]
    has_deletions = "deleted_at" in rows.schema
    names = [column, "deleted_at"] if has_deletions else [column]
    return Check(
        table=table,
        name=name,
        is_structural=is_structural,
        description=f"Each {column} is in {parent}.",
        query=f"""
            SELECT count(*) FROM (
                SELECT "{column}" FROM ({relation(rows, names)})
                WHERE "{column}" IS NOT NULL {"AND deleted_at IS NULL" if has_deletions else ""}
            ) AS rows ANTI JOIN {TABLES[parent].layer.value}.{parent} AS parent
                ON parent."{TABLES[parent].key[0]}" = rows."{column}"
            """,
        offences=f"Rows with a {column} that is not in {parent}",
    )


def _same_ids(
    one: str, other: str, *, table: str, name: str, description: str, offences: str
) -> Check:
    """Give the check that each `id` is in one list as often as in the other."""
    digest = "SELECT (count(id), count(*), sum(hash(id)))"
    return Check(
        table=table,
        name=name,
        is_structural=True,
        description=description,
        shortcut=f"SELECT ({digest} FROM ({one})) = ({digest} FROM ({other}))",
        query=f"""
            SELECT count(*) FROM (
                SELECT id FROM (
                    SELECT id, 1 AS times FROM ({one}) UNION ALL SELECT id, -1 FROM ({other})
                ) GROUP BY id HAVING sum(times) <> 0
            )""",
        offences=offences,
    )


_REFERENCES: tuple[Check, ...] = (
    _orphans(
        "participant_answers",
        "participant_exists",
        "participant_id",
        "participants",
        is_structural=True,
    ),
    _orphans(
        "application_answers",
        "application_exists",
        "application_id",
        "applications",
        is_structural=True,
    ),
    _orphans("partner_contacts", "partner_exists", "partner_id", "partners", is_structural=True),
    _orphans(
        "reserved_entry_tickets",
        "group_exists",
        "reserved_entry_group_id",
        "reserved_entry_groups",
        is_structural=True,
    ),
    _orphans(
        "participants",
        "application_exists",
        "application_id",
        "applications",
        is_structural=False,
    ),
    _orphans(
        "reserved_entry_groups", "partner_exists", "partner_id", "partners", is_structural=False
    ),
    _same_ids(
        f"""
            SELECT participant_id AS id
            FROM ({relation(TABLES["participants"], ["participant_id", "deleted_at"])})
            WHERE deleted_at IS NULL""",
        "SELECT participant_id AS id FROM marts.start_list",
        table="start_list",
        name="has_every_live_participant",
        description="Each live participant is in the list once, and nobody else.",
        offences="Participants who are missing from the list or should not be in it",
    ),
    _same_ids(
        "SELECT participant_id AS id FROM marts.participant_versions WHERE valid_to IS NULL",
        "SELECT participant_id AS id FROM marts.start_list",
        table="participant_versions",
        name="has_the_start_list",
        description="Each participant of the start list has one version that stands, and nobody else.",
        offences="Participants with no version that stands, or with one without being listed",
    ),
    *(
        Check(
            table="events",
            name=f"{feed.name}_are_read",
            is_structural=True,
            description=f"The {feed.name} of each event have been read.",
            query=f"""
                SELECT count(*) FROM (
                    SELECT event_id FROM tidy.participants
                    UNION SELECT event_id FROM tidy.applications
                ) WHERE event_id <> '' AND event_id NOT IN (
                    SELECT partition FROM ops.load_log WHERE feed = '{feed.name}'
                )""",
            offences=f"New events whose {feed.name} have not been read yet",
            is_waited_for=True,
        )
        for feed in SNAPSHOT_FEEDS
    ),
    _same_ids(
        f"""
            SELECT reserved_entry_group_id AS id FROM ({relation(TABLES["reserved_entry_groups"])})
            WHERE deleted_at IS NULL""",
        "SELECT reserved_entry_group_id AS id FROM marts.partner_allocations",
        table="partner_allocations",
        name="has_every_live_group",
        description="Each live reserved entry group is there once, and no other.",
        offences="Groups that are missing or should not be there",
    ),
)

_ISSUES: Mapping[str, tuple[str, str, str, str]] = {
    "duplicate_bib_number": (
        "start_list",
        "bibs_are_unique",
        "No bib number is given to two people in one race.",
        "Bib numbers that are given twice in a race (see data_issues)",
    ),
    "capacity_disagrees": (
        "partner_allocations",
        "capacity_agrees",
        "Each group says as many used places as it has participants.",
        "Groups whose used places are not as many as their participants (see data_issues)",
    ),
}


_ADVICE: tuple[Check, ...] = (
    *(
        Check(
            table=table,
            name=name,
            is_structural=False,
            description=description,
            query=f"SELECT count(*) FROM marts.data_issues WHERE kind = '{kind}'",
            offences=offences,
        )
        for kind, (table, name, description, offences) in _ISSUES.items()
    ),
    Check(
        table="rejected_records",
        name="is_empty",
        is_structural=False,
        description="Every record could be read.",
        query="SELECT count(*) FROM marts.rejected_records",
        offences="Records that could not be read (the table says why)",
    ),
    Check(
        table="schema_drift",
        name="is_empty",
        is_structural=False,
        description="The API sends no key that we don't know.",
        query="SELECT count(*) FROM marts.schema_drift",
        offences="Keys of the API that are new to us, and that nothing reads yet",
    ),
)
