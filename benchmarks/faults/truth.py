"""What is true in the sandbox, and what a published file says: as plain rows that can be compared.

What belongs here: reading both sides, and the rules that every published file must keep by
itself. What doesn't: when they are compared (the scenarios). The truth is read off the records as
the API serves them, and shares no code with the pipeline.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from ldt_pipeline.sandbox import SandboxAccount

Rows = Counter[tuple[Any, ...]]
Tables = Mapping[str, Rows]

_PUBLISHED = {
    "participants": """
        SELECT participant_id, {instant}, coalesce(bib_number, ''), coalesce(wave, ''), race_id,
            event_id, ticket_id, coalesce(gdpr_redacted, false),
            (SELECT count(*) FROM participant_answers AS answers
             WHERE answers.participant_id = participants.participant_id)
        FROM participants WHERE deleted_at IS NULL""",
    "applications": """
        SELECT application_id, {instant}, event_id, coalesce(gdpr_redacted, false),
            (SELECT count(*) FROM application_answers AS answers
             WHERE answers.application_id = applications.application_id)
        FROM applications WHERE deleted_at IS NULL""",
    "partners": "SELECT partner_id, {instant}, name FROM partners WHERE deleted_at IS NULL",
    "start_list": (
        "SELECT participant_id, coalesce(bib_number, ''), coalesce(wave, ''), race_id "
        "FROM start_list"
    ),
    "reserved_entry_groups": """
        SELECT reserved_entry_group_id, event_id, coalesce(partner_id, ''), name, max_capacity,
            used_capacity
        FROM reserved_entry_groups WHERE deleted_at IS NULL""",
    "tickets": (
        "SELECT ticket_id, event_id, coalesce(title, '') FROM tickets WHERE deleted_at IS NULL"
    ),
}
_INSTANT = "strftime(updated_at, '%Y-%m-%dT%H:%M:%S.%gZ')"

CHANGING = ("participants", "applications", "partners", "start_list")
"""Tables of the lists with timestamps: right after every sync. Groups and tickets have none, and
are as old as `LDT_EVENT_REFRESH_MINUTES` allows."""

_WHOLE = {
    "the start list and the live participants are different people": """
        SELECT count(*) FROM start_list FULL JOIN (
            SELECT participant_id FROM participants WHERE deleted_at IS NULL
        ) AS live USING (participant_id)
        WHERE live.participant_id IS NULL OR start_list.participant_id IS NULL""",
    "the start list says another bib or race than participants": """
        SELECT count(*) FROM start_list JOIN participants USING (participant_id)
        WHERE start_list.bib_number IS DISTINCT FROM participants.bib_number
            OR start_list.race_id IS DISTINCT FROM participants.race_id""",
    "participants are double": (
        "SELECT count(*) - count(DISTINCT participant_id) FROM participants"
    ),
    "starters are double": "SELECT count(*) - count(DISTINCT participant_id) FROM start_list",
    "answers belong to nobody": """
        SELECT count(*) FROM participant_answers ANTI JOIN participants USING (participant_id)""",
    "sync_status counts other participants": """
        SELECT abs((SELECT records FROM sync_status WHERE feed = 'participants')
            - (SELECT count(*) FROM start_list))""",
    "sync_status counts other extracts": """
        SELECT abs((SELECT sum(extracts) FROM sync_status)
            - (SELECT count(*) FROM loaded_extracts
               WHERE feed IN (SELECT feed FROM sync_status)))""",
    "allocations and live groups differ": """
        SELECT count(*) FROM partner_allocations FULL JOIN (
            SELECT reserved_entry_group_id FROM reserved_entry_groups WHERE deleted_at IS NULL
        ) AS live USING (reserved_entry_group_id)
        WHERE live.reserved_entry_group_id IS NULL
            OR partner_allocations.reserved_entry_group_id IS NULL""",
}


def truth(account: SandboxAccount) -> Tables:
    """Read every record of the account as the API serves it."""
    with account.lock:
        participants = [_known(account.participant(each)) for each in account.participant_ids()]
        applications = [_known(account.application(each)) for each in account.application_ids()]
        partners = [_known(account.partner(each)) for each in account.partner_ids()]
        groups = [each for event in account.event_ids() for each in account.groups(event) or ()]
        tickets = [each for event in account.event_ids() for each in account.tickets(event) or ()]
    return {
        "participants": Counter(
            (
                each["id"], each["updatedAt"], each.get("bibNumber") or "", _wave(each),
                each["raceId"], each["eventId"], each["ticketId"],
                bool(each.get("gdprRedacted")), _answers(each),
            )
            for each in participants
        ),
        "applications": Counter(
            (
                each["id"], each["updatedAt"], each["eventId"], bool(each.get("gdprRedacted")),
                _answers(each),
            )
            for each in applications
        ),
        "partners": Counter((each["id"], each["updatedAt"], each["name"]) for each in partners),
        "start_list": Counter(
            (each["id"], each.get("bibNumber") or "", _wave(each), each["raceId"])
            for each in participants
        ),
        "reserved_entry_groups": Counter(
            (
                each["id"], each["eventId"], each["partnerId"] or "", each["name"],
                each["maxCapacity"], each["usedCapacity"],
            )
            for each in groups
        ),
        "tickets": Counter((each["id"], each["eventId"], each["title"] or "") for each in tickets),
    }  # fmt: skip


def published(path: Path) -> Tables:
    """Read the published file, as whoever opens it next."""
    with _open(path) as connection:
        return {
            name: Counter(connection.execute(query.format(instant=_INSTANT)).fetchall())
            for name, query in _PUBLISHED.items()
        }


def differences(found: Tables, expected: Tables, names: tuple[str, ...] | None = None) -> list[str]:
    """Say how the tables differ, a sentence for each table that does."""
    sentences: list[str] = []
    for name in names or tuple(expected):
        missing = list((expected[name] - found[name]).elements())
        surplus = list((found[name] - expected[name]).elements())
        if missing or surplus:
            sentences.append(
                f"{name}: {len(missing)} rows are missing, {len(surplus)} should not be there; "
                f"such as {sorted(missing)[:2]} and {sorted(surplus)[:2]}"
            )
    return sentences


def redacted(tables: Tables) -> set[str]:
    """Give the ids of the participants and applications that the API has redacted."""
    flags = {"participants": 7, "applications": 3}
    return {row[0] for name, flag in flags.items() for row in tables[name] if row[flag]}


def beyond_erasure(found: Tables, before: Tables, erased: set[str]) -> list[str]:
    """Say what differs but for the values of those who were erased: they keep their rows."""
    sentences = [
        f"{name}: an erasure changed whose rows there are"
        for name in CHANGING
        if Counter(row[0] for row in found[name].elements())
        != Counter(row[0] for row in before[name].elements())
    ]
    return sentences + differences(
        {name: _others(found[name], erased) for name in CHANGING},
        {name: _others(before[name], erased) for name in CHANGING},
    )


def _others(rows: Rows, ids: set[str]) -> Rows:
    return Counter({row: count for row, count in rows.items() if row[0] not in ids})


def torn(path: Path, *, hold_seconds: float = 0.0) -> list[str]:
    """Open a published file and say which of its tables disagree with each other.

    With `hold_seconds` it stays open for so long in the middle.
    """
    with _open(path) as connection:
        found: list[str] = []
        for number, (sentence, query) in enumerate(_WHOLE.items()):
            if hold_seconds and number == 1:
                time.sleep(hold_seconds)
            if connection.execute(query).fetchall() != [(0,)]:
                found.append(sentence)
        return found


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def _known(record: dict[str, Any] | None) -> dict[str, Any]:
    if record is None:
        raise LookupError("an id that is listed has no record")
    return record


def _wave(record: dict[str, Any]) -> str:
    return ", ".join(each["name"] for each in record.get("waves") or ())


def _answers(record: dict[str, Any]) -> int:
    if record.get("gdprRedacted"):
        return 0  # whoever asked to be forgotten has no answers, whatever the API still shows
    return sum(each is not None for each in record.get("fields") or ())
