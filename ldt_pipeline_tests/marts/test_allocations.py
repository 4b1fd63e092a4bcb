"""Partner allocations: each rule by an example."""

from __future__ import annotations

from typing import Any

import pytest

from ldt_pipeline.marts import partner_allocations
from ldt_pipeline_tests.marts.frames import GONE, claimed, instants, rows

FIRST, SECOND, THIRD = instants(1, 2, 3)
PARTNERS = rows(
    "partners",
    {"partner_id": "p1", "name": "Charity", "type": "CHARITY"},
    {"partner_id": "p2", "name": "Gone", "type": "SPONSOR", "deleted_at": GONE},
)
EVENTS = rows("events", {"event_id": "e1", "event_name": "City Sprint"})


def group(**columns: Any) -> dict[str, Any]:
    return {
        "reserved_entry_group_id": "g1",
        "event_id": "e1",
        "partner_id": "p1",
        "name": "Places",
        "type": "MULTI_USE",
        "max_capacity": 10,
        "used_capacity": 2,
    } | columns


def entry(participant_id: str, **columns: Any) -> dict[str, Any]:
    claim = {"event_id": "e1", "reserved_entry_group_code": "g1"}
    return {"participant_id": participant_id} | claim | columns


def allocated(*groups: dict[str, Any], entries: list[dict[str, Any]] | None = None) -> Any:
    return partner_allocations(
        reserved_entry_groups=rows("reserved_entry_groups", *groups),
        partners=PARTNERS,
        claimed=claimed(rows("participants", *(entries or []))),
        events=EVENTS,
    ).to_dicts()


def test_a_full_row() -> None:
    (row,) = allocated(
        group(), entries=[entry("a1", created_at=SECOND), entry("a2", created_at=FIRST)]
    )
    assert row == {
        "event_id": "e1",
        "event_name": "City Sprint",
        "partner_id": "p1",
        "partner_name": "Charity",
        "partner_type": "CHARITY",
        "reserved_entry_group_id": "g1",
        "reserved_entry_group_name": "Places",
        "group_type": "MULTI_USE",
        "max_capacity": 10,
        "used_capacity": 2,
        "remaining_capacity": 8,
        "utilisation": 0.2,
        "participants_matched": 2,
        "capacity_agrees": True,
        "first_claimed_at": FIRST,
        "last_claimed_at": SECOND,
    }


@pytest.mark.parametrize(
    ("places", "used", "remaining", "utilisation", "agrees"),
    [
        (10, 2, 8, 0.2, False),
        (10, 0, 10, 0.0, True),
        (10, 12, 0, 1.2, False),
        (0, 0, 0, None, True),
        (0, 3, 0, None, False),
        (None, 3, None, None, False),
        (10, None, None, None, None),
        (None, None, None, None, None),
    ],
)
def test_capacities(
    places: int | None,
    used: int | None,
    remaining: int | None,
    utilisation: float | None,
    agrees: bool | None,
) -> None:
    (row,) = allocated(group(max_capacity=places, used_capacity=used))
    assert row["remaining_capacity"] == remaining
    assert row["utilisation"] == utilisation
    assert row["participants_matched"] == 0
    assert row["capacity_agrees"] is agrees
    assert (row["first_claimed_at"], row["last_claimed_at"]) == (None, None)


def test_who_counts_as_matched() -> None:
    found = allocated(
        group(),
        group(reserved_entry_group_id="g2", event_id="e2"),
        entries=[
            entry("a1"),
            entry("a2", gdpr_redacted=True),
            entry("a3", deleted_at=GONE, created_at=THIRD),
            entry("a4", reserved_entry_group_code=None, reserved_entry_group_name="Places"),
            entry("a5", reserved_entry_group_code="lost", reserved_entry_group_name="Places"),
            entry("a6", reserved_entry_group_code="lost"),
            entry("a7", reserved_entry_group_code=None),
            entry("a8", reserved_entry_group_code="g2"),
        ],
    )
    assert [row["participants_matched"] for row in found] == [4, 1]
    assert found[0]["last_claimed_at"] is None


def test_a_name_that_two_groups_have_matches_neither() -> None:
    named = entry("a1", reserved_entry_group_code=None, reserved_entry_group_name="Places")
    found = allocated(group(), group(reserved_entry_group_id="g2"), entries=[named])
    assert [row["participants_matched"] for row in found] == [0, 0]


def test_a_deleted_group_is_not_there_and_does_not_make_a_name_ambiguous() -> None:
    named = entry("a1", reserved_entry_group_code=None, reserved_entry_group_name="Places")
    by_code = entry("a2", reserved_entry_group_code="g0")
    gone = group(reserved_entry_group_id="g0", deleted_at=GONE)
    (row,) = allocated(gone, group(), entries=[named, by_code])
    assert (row["reserved_entry_group_id"], row["participants_matched"]) == ("g1", 1)


@pytest.mark.parametrize(
    ("partner_id", "name", "type_"),
    [(None, None, None), ("p9", None, None), ("p2", "Gone", "SPONSOR"), (" ", None, None)],
)
def test_partners(partner_id: str | None, name: str | None, type_: str | None) -> None:
    (row,) = allocated(group(partner_id=partner_id))
    assert row["partner_id"] == ((partner_id or "").strip() or None)
    assert (row["partner_name"], row["partner_type"]) == (name, type_)


def test_an_unknown_event_has_no_name() -> None:
    (row,) = allocated(group(event_id="e9"))
    assert (row["event_id"], row["event_name"]) == ("e9", None)
