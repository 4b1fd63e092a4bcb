"""What a client ought to end up with, read off the records, whatever the readings.

Plain rows of plain values, in loops that anybody can check by eye: it must not share an idea with
the code that it judges. It understands records as `making.py` makes them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ldt_pipeline_tests.other_api.dataset import Dataset, Record

Row = dict[str, Any]


def expected_ids(dataset: Dataset, collection: str) -> set[str]:
    """Give the ids of the records that are there."""
    return {str(record["id"]) for record in dataset.live(collection)}


def expected_entries(dataset: Dataset, collection: str = "participants") -> list[Row]:
    """Give a row per participant or application, deleted ones too, by id."""
    rows = [
        _entry(record, dataset, is_deleted=is_deleted)
        for records, is_deleted in (
            (dataset.live(collection), False),
            (dataset.deleted(collection), True),
        )
        for record in records
    ]
    return sorted(rows, key=lambda row: row["id"])


def expected_partners(dataset: Dataset) -> list[Row]:
    """Give a row per live partner, by id."""
    rows = [
        {
            "id": partner["id"],
            "name": partner["name"],
            "type": partner["type"],
            "enthuse_id": (partner.get("externalIds") or {}).get("enthuse"),
            "just_giving_id": (partner.get("externalIds") or {}).get("justGiving"),
            "contacts": len(partner.get("contacts") or []),
        }
        for partner in dataset.live("partners")
    ]
    return sorted(rows, key=lambda row: row["id"])


def expected_allocations(dataset: Dataset) -> list[Row]:
    """Give a row per live group, by id."""
    matched = Counter(row["group_id"] for row in expected_entries(dataset) if not row["is_deleted"])
    rows = [
        {
            "id": group["id"],
            "name": group["name"],
            "event_id": group["eventId"],
            "partner_id": group["partnerId"],
            "max_capacity": group["maxCapacity"],
            "used_capacity": group["usedCapacity"],
            "participants_matched": matched[group["id"]],
        }
        for group in dataset.live("reserved_entries")
    ]
    return sorted(rows, key=lambda row: row["id"])


def _entry(record: Record, dataset: Dataset, *, is_deleted: bool) -> Row:
    answers = {answer["label"]: answer["value"] for answer in record.get("fields") or []}
    is_redacted = bool(record.get("gdprRedacted"))
    return {
        "id": str(record["id"]),
        "event_id": record["eventId"],
        "event_name": record["eventName"],
        "race_id": record["raceId"],
        "race_name": record["raceName"],
        "race_start_at": record["raceStartDate"],
        "bib_number": record["bibNumber"],
        "wave": ", ".join(wave["name"] for wave in record["waves"]) or None,
        "first_name": None if is_redacted else answers.get("First name"),
        "last_name": None if is_redacted else answers.get("Last name"),
        "email": None if is_redacted else answers.get("Email address"),
        "date_of_birth": None if is_redacted else answers.get("Date of birth"),
        "group_id": _group_id(record, dataset),
        "updated_at": record["updatedAt"],
        "is_redacted": is_redacted,
        "is_deleted": is_deleted,
    }


def _group_id(record: Record, dataset: Dataset) -> str | None:
    """Give the group that an entry came from: by code, or by a name that its event has once."""
    code, name = record["reservedEntryGroupCode"], record["reservedEntryGroupName"]
    if code is None and name is None:
        return None
    groups = dataset.live("reserved_entries")
    if any(group["id"] == code for group in groups):
        return code
    namesakes = [
        group["id"]
        for group in groups
        if name and group["name"] == name and group["eventId"] == record["eventId"]
    ]
    return namesakes[0] if len(namesakes) == 1 else None
