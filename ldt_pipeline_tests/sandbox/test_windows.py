from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.sandbox.client import Client, ids
from ldt_pipeline_tests.sandbox.conftest import NOW

ALL = {"page[size]": 500}


@pytest.mark.parametrize("field", ["createdAt", "updatedAt"])
@pytest.mark.parametrize("path", ["/participants", "/applications", "/partners"])
def test_windows_leave_their_bounds_out(client: Client, path: str, field: str) -> None:
    records = client.walk(path, ALL)
    instants = sorted(record[field] for record in records)
    after, before = instants[len(instants) // 4], instants[len(instants) * 3 // 4]
    for params, expected in (
        ({f"{field}[after]": after}, lambda at: at > after),
        ({f"{field}[before]": before}, lambda at: at < before),
        ({f"{field}[after]": after, f"{field}[before]": before}, lambda at: after < at < before),
        ({f"{field}[after]": before, f"{field}[before]": after}, lambda _: False),
    ):
        pages = list(client.pages(path, {**ALL, **params}))
        found = [record["id"] for page in pages for record in page["data"]]
        wanted = [record["id"] for record in records if expected(record[field])]
        assert sorted(found) == sorted(wanted)
        assert {page["page"]["totalResults"] for page in pages} == {len(wanted)}


def test_windows_can_hold_their_bounds() -> None:
    account = SandboxAccount(50, seed=1, now=NOW)
    with Sandbox(account, inclusive_bounds=True) as sandbox, Client(sandbox) as client:
        record = client.json("/participants")["data"][20]
        at = record["updatedAt"]
        window = {"updatedAt[after]": at, "updatedAt[before]": at}
        assert record["id"] in ids(client.json("/participants", window)["data"])


def test_a_bound_finer_than_a_millisecond_counts(client: Client) -> None:
    record = client.json("/participants")["data"][20]
    just_before = datetime.fromisoformat(record["updatedAt"]) - timedelta(microseconds=1)
    params = {**ALL, "updatedAt[after]": just_before.isoformat(), "sort[updatedAt]": 1}
    assert record["id"] in ids(client.json("/participants", params)["data"])


def test_both_windows_and_a_race_together(client: Client) -> None:
    race_id = client.sandbox.account.race_ids()[0]
    everybody = client.walk(f"/races/{race_id}/participants", ALL)
    middle = sorted(record["createdAt"] for record in everybody)[len(everybody) // 2]
    params = {"createdAt[after]": middle, "updatedAt[before]": "2026-01-01T00:00:00.000Z"}
    found = client.walk(f"/races/{race_id}/participants", {**ALL, **params})
    expected = [
        record["id"]
        for record in everybody
        if record["createdAt"] > middle and record["updatedAt"] < "2026-01-01T00:00:00.000Z"
    ]
    assert sorted(ids(found)) == sorted(expected)
    assert expected


def test_totals_follow_every_change(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    race_id = account.race_ids()[0]
    lists = [
        ("/participants", {}),
        ("/participants", {"updatedAt[after]": NOW.isoformat()}),
        ("/participants", {"updatedAt[before]": "2026-01-01T00:00:00Z"}),
        (f"/races/{race_id}/participants", {}),
        ("/applications", {}),
    ]

    def check() -> None:
        for path, params in lists:
            pages = list(own_client.pages(path, {**ALL, **params}))
            assert pages[0]["page"]["totalResults"] == sum(len(page["data"]) for page in pages)

    check()
    people = account.participant_ids()
    account.advance_clock(timedelta(seconds=1))
    added = account.add_participant(race_id=race_id)
    check()
    account.update_participant(people[3])
    account.update_participant(added, race_id=account.race_ids()[1])
    check()
    account.update_participants(people[10:60])
    check()
    for participant_id in people[50:70]:
        account.delete_participant(participant_id)
    account.delete_application(account.application_ids()[0])
    check()
    account.redact_participant(people[0], touch=False)
    account.insert_late_participant(updated_at=NOW - timedelta(days=300), race_id=race_id)
    check()
