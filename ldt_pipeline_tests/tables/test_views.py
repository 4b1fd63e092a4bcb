"""Views of the published file, whatever stands in its tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from ldt_pipeline_tests.published import publish_by_hand

_NO_LIMIT = 2**63 - 1
"""What a program writes that knows no other number for "as many as you like"."""


def test_a_group_without_a_limit_hides_no_other(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    groups = [
        {"reserved_entry_group_id": name, "event_id": "e1", "remaining_capacity": places}
        for name, places in (("limited", 6), ("unlimited", _NO_LIMIT))
    ]
    starts = [
        {"participant_id": f"{name}{number}", "reserved_entry_group_id": name, "registered_at": now}
        for name in ("limited", "unlimited")
        for number in range(3)
    ]
    path = publish_by_hand(
        tmp_path / "ldt.duckdb", {"partner_allocations": groups, "start_list": starts}
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "SELECT reserved_entry_group_id, claims_last_7_days, projected_full_on "
            "FROM allocation_pace ORDER BY 1"
        ).fetchall()
    in_two_weeks = now.date() + timedelta(days=14)
    assert rows == [("limited", 3, in_two_weeks), ("unlimited", 3, None)]


def test_days_to_the_next_race_though_an_old_entry_is_the_newest(tmp_path: Path) -> None:
    """A race comes every year under its id: what changed last may be an entry of last year's."""
    now = datetime.now(UTC)
    last_year, next_week = now - timedelta(days=358), now + timedelta(days=7)
    starts = [
        {"participant_id": name, "event_id": "e1", "race_id": "r1", "race_start_at": start}
        for name, start in (("a1", last_year), ("a2", next_week))
    ]
    races = [
        {"race_id": "r1", "event_id": "e1", "race_start_at": last_year},
        {"race_id": "r2", "event_id": "e2", "race_start_at": next_week},  # applied for alone
    ]
    groups = [
        {"reserved_entry_group_id": f"g{event}", "event_id": event} for event in ("e1", "e2", "e3")
    ]
    path = publish_by_hand(
        tmp_path / "ldt.duckdb",
        {"partner_allocations": groups, "races": races, "start_list": starts},
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute("SELECT event_id, days_to_race FROM allocation_pace ORDER BY 1")
        assert rows.fetchall() == [("e1", 7), ("e2", 7), ("e3", None)]
