"""Checks of the warehouse: what must hold before it is published, and what people should know.

What belongs here: each check as one query with a sentence. What doesn't: running them, and what
follows (`checking.py`), and showing them (`defs/checks.py`).

A structural check that fails means that rows are missing, double or torn: nothing is published
then. The others tell of things in the account that a person can mend.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.tables import TABLES, Table
from ldt_pipeline.warehouse.outcomes import API_TOTALS
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.schema import listed

ON_ITS_WAY = dt.timedelta(minutes=10)
"""So long may what is missing be on its way before that is trouble: the lists of an event that has just
appeared, and the reconcile that finds out what was deleted."""


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
    waited_for: str | None = None
    """Of one that fails for a while in the normal course of things, a query that is true meanwhile."""

    @property
    def blocks(self) -> bool:
        """Whether the run ends where it fails; one that is waited for is left to `checking.require_structure`."""
        return self.is_structural and self.waited_for is None


def checks() -> list[Check]:
    """Give every check, in the order of the registry."""
    found: list[Check] = []
    for table in TABLES.values():
        found.append(_unique_key(table))
    found.extend(_completeness())
    found.extend(_REFERENCES)
    found.extend(_ADVICE)
    return found


def is_recent(instant: str) -> str:
    """Write whether an instant is less than `ON_ITS_WAY` ago; one that is ahead was a wrong clock's."""
    return f"(abs(epoch(now()) - epoch({instant})) < {ON_ITS_WAY.total_seconds()})"


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
            waited_for=f"""
                SELECT {is_recent("uneven_since")}
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
            waited_for=f"""
                SELECT bool_and({is_recent("first_seen_at")}) FROM (
                    SELECT min(_extracted_at) AS first_seen_at FROM (
                        SELECT event_id, _extracted_at FROM tidy.participants
                        UNION ALL SELECT event_id, _extracted_at FROM tidy.applications
                    ) WHERE event_id <> '' AND event_id NOT IN (
                        SELECT partition FROM ops.load_log WHERE feed = '{feed.name}'
                    ) GROUP BY event_id
                )""",
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
