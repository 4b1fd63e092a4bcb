"""Apply: refusals, the journal, claim links, and what an unclear failure leads to."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.allocations.applying import ApplyError
from ldt_pipeline.allocations.changes_table import allocation_changes
from ldt_pipeline.allocations.journal import ApplyBusyError, Journal, read_entries
from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.allocations.plan import read_plan, save_plan
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import ApiError
from ldt_pipeline.private_files import is_lax
from ldt_pipeline.sandbox import Fault, Sandbox
from ldt_pipeline_tests.allocations.doing import applied, planned


def of_a_partner(document: dict[str, Any]) -> dict[str, Any]:
    return next(a for a in document["events"][0]["allocations"] if a["partner"])


def with_every_kind_of_change(document: dict[str, Any]) -> dict[str, Any]:
    allocations = [a for a in document["events"][0]["allocations"] if a["partner"]]
    first, last = allocations[0]["groups"], allocations[-1]["groups"]
    assert first is not last
    ticket = first[0]["tickets"][0]
    first[0]["capacity"] += 7
    first[0]["claim_links"] = ["ada@example.org"]
    last.pop()
    document["partners"][0]["description"] = "Another text"
    document["partners"].append(
        {"name": "Owl Rescue", "contacts": [{"emailAddress": "owl@example.org"}]}
    )
    document["events"][0]["allocations"].append(
        {
            "partner": "Owl Rescue",
            "groups": [
                {
                    "name": "Owls",
                    "capacity": 4,
                    "tickets": [ticket],
                    "type": "MULTI_USE",
                    "claim_links": ["owl@example.org"],
                }
            ],
        }
    )
    return document


WRITES = [
    ("POST", "/partners"),
    ("PATCH", "/partners/"),
    ("PATCH", "/reserved-entries/"),
    ("DELETE", "/reserved-entries/"),
    ("POST", "/reserved-entries"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "fault", ["http_500", "reset", "hang_after_write", "reset_after_write", "http_502_after_write"]
)
def test_every_write_happens_once_whatever_fails(  # noqa: PLR0917 - fixtures and parameters
    client: Client,
    sandbox: Sandbox,
    tmp_path: Path,
    document: dict[str, Any],
    method: str,
    path: str,
    fault: Fault,
) -> None:
    before = sandbox.account.counts()
    wanted = with_every_kind_of_change(document)
    plan = planned(client, wanted, tmp_path)
    sandbox.fail_next(fault, method=method, path_contains=path)
    applied(client, plan, tmp_path, allow_delete_claimed=True)
    after = sandbox.account.counts()
    assert after["partners"] == before["partners"] + 1
    assert after["groups"] == before["groups"]  # one more, one less
    assert len(sandbox.account.sent_links) == 2
    assert planned(client, wanted, tmp_path).changes == ()
    entries = list(read_entries(tmp_path / "journal" / "journal.ndjson"))
    assert [each.state for each in entries].count("unclear") == 1


@pytest.mark.parametrize("fault", ["http_500", "reset", "reset_after_write", "hang_after_write"])
def test_an_unclear_claim_link_is_never_sent_again(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any], fault: Fault
) -> None:
    of_a_partner(document)["groups"][0]["claim_links"] = ["ada@example.org"]
    plan = planned(client, document, tmp_path)
    sandbox.fail_next(fault, path_contains="claim-link")
    result = applied(client, plan, tmp_path)
    assert result.unclear_links == [1]
    sandbox.clear_requests()
    assert applied(client, plan, tmp_path).unclear_links == [1]
    assert planned(client, document, tmp_path).changes == ()
    assert {each.method for each in sandbox.requests} == {"GET"}
    assert len(sandbox.account.sent_links) == ("after" in fault)


def test_a_refused_claim_link_may_be_sent_later(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    of_a_partner(document)["groups"][0]["claim_links"] = ["ada@example.org"]
    plan = planned(client, document, tmp_path)
    sandbox.fail_next("throttled_seconds", path_contains="claim-link")
    with pytest.raises(ApiError):
        applied(client, plan, tmp_path)
    assert sandbox.account.sent_links == []
    applied(client, plan, tmp_path)
    applied(client, plan, tmp_path)
    assert len(sandbox.account.sent_links) == 1


def test_what_moved_is_said_and_nothing_is_applied(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any], event_id: str
) -> None:
    allocation = of_a_partner(document)
    group = allocation["groups"][0]
    before = group["capacity"]
    group["capacity"] += 10
    plan = planned(client, document, tmp_path)
    sandbox.account.resize_group(group["id"], before + 3)
    sandbox.account.add_group(
        event_id, partner_id=allocation["partner"], name="By hand", max_capacity=1
    )
    sandbox.clear_requests()
    with pytest.raises(ApplyError, match="Nothing was applied") as caught:
        applied(client, plan, tmp_path)
    assert f"maxCapacity was {before}, and is {before + 3}" in str(caught.value)
    assert "has appeared" in str(caught.value)
    assert {each.method for each in sandbox.requests} == {"GET"}


def test_claims_are_no_move(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = of_a_partner(document)["groups"][0]
    group["capacity"] += 10
    plan = planned(client, document, tmp_path)
    sandbox.account.add_participant(group_id=group["id"])
    applied(client, plan, tmp_path)
    assert (sandbox.account.group(group["id"]) or {})["maxCapacity"] == group["capacity"]


def test_a_group_with_claims_is_deleted_only_when_that_is_allowed(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = of_a_partner(document)["groups"].pop(0)
    plan = planned(client, document, tmp_path)
    sandbox.account.add_participant(group_id=group["id"])  # after the plan
    with pytest.raises(ApplyError, match="--allow-delete-claimed"):
        applied(client, plan, tmp_path)
    assert sandbox.account.group(group["id"]) is not None
    applied(client, plan, tmp_path, allow_delete_claimed=True)
    assert sandbox.account.group(group["id"]) is None


def test_warnings_tell_what_to_look_at_twice(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    first, second = [g for a in document["events"][0]["allocations"] for g in a["groups"]][:2]
    for group in (first, second):
        for _ in range(3):
            sandbox.account.add_participant(group_id=group["id"])
    first["capacity"] = 1
    for allocation in document["events"][0]["allocations"]:
        if second in allocation["groups"]:
            allocation["groups"].remove(second)
    name = (sandbox.account.partner(of_a_partner(document)["partner"]) or {})["name"]
    document["partners"].append(
        {"name": f"{name}!", "contacts": [{"emailAddress": "a@example.org"}]}
    )
    big = of_a_partner(document)["groups"]
    if big:
        big[0]["capacity"] = 1_000_000
    warnings = "\n".join(planned(client, document, tmp_path).warnings)
    assert "are claimed already" in warnings or big[0] is first
    assert "is to be deleted, and" in warnings
    assert "nearly that name" in warnings


def test_an_event_over_its_tickets_is_warned_of(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any], event_id: str
) -> None:
    tickets = sandbox.account.tickets(event_id) or []
    limited = next(each["id"] for each in tickets if each["maxCapacity"])
    of_a_partner(document)["groups"].append(
        {"name": "Too many", "capacity": 5_001, "tickets": [limited], "type": "MULTI_USE"}
    )
    warnings = "\n".join(planned(client, document, tmp_path).warnings)
    assert f"groups with ticket {limited} alone have 5001 places, and there are 5000" in warnings


def test_the_journal_holds_every_request_and_nothing_personal(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    plan = planned(client, with_every_kind_of_change(document), tmp_path)
    applied(client, plan, tmp_path, allow_delete_claimed=True)
    journal = tmp_path / "journal" / "journal.ndjson"
    entries = list(read_entries(journal))
    for change in plan.changes:
        states = [each.state for each in entries if each.step == change.number]
        assert states == ["sending", "done"]
    text = journal.read_text()
    assert "@" not in text
    assert "Owl" not in text
    assert not is_lax(journal)
    assert not is_lax(journal.parent)


def test_the_journal_is_a_table(client: Client, tmp_path: Path, document: dict[str, Any]) -> None:
    group = of_a_partner(document)["groups"][0]
    before = group["capacity"]
    group["capacity"] += 6
    plan = planned(client, document, tmp_path)
    applied(client, plan, tmp_path)
    journal = tmp_path / "journal" / "journal.ndjson"
    journal.write_bytes(journal.read_bytes() + b"rubbish\n")
    rows = allocation_changes(journal.parent).rows(named=True)
    assert [each["line"] for each in rows] == [1, 2, 3]
    assert [each["state"] for each in rows] == ["sending", "done", None]
    assert rows[2]["action"] == "unreadable"
    assert rows[1]["plan_hash"] == plan.hash
    assert rows[1]["reserved_entry_group_id"] == group["id"]
    assert (rows[1]["max_capacity_before"], rows[1]["max_capacity_after"]) == (before, before + 6)
    assert allocation_changes(tmp_path / "nowhere").is_empty()


def test_a_torn_line_is_dropped_and_a_damaged_one_stops(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    of_a_partner(document)["groups"][0]["capacity"] += 1
    plan = planned(client, document, tmp_path)
    applied(client, plan, tmp_path)
    journal = tmp_path / "journal" / "journal.ndjson"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"at":"2026-')
    assert applied(client, plan, tmp_path).found == [1]
    assert journal.read_bytes() == whole
    journal.write_bytes(b"rubbish\n" + whole)
    with pytest.raises(ValueError, match="line 1 is damaged"):
        applied(client, plan, tmp_path)


def test_nothing_is_sent_where_its_line_does_not_fit_on_the_disk(
    client: Client,
    sandbox: Sandbox,
    tmp_path: Path,
    document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_a_partner(document)["groups"][0]["claim_links"] = ["ada@example.org"]
    plan = planned(client, document, tmp_path)
    write, sizes = os.write, iter([20])

    def filling(descriptor: int, content: bytes) -> int:
        size = next(sizes, None)
        if size is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content[:size])

    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(OSError, match="space"):
        applied(client, plan, tmp_path)
    monkeypatch.setattr(os, "write", write)
    assert sandbox.account.sent_links == []
    assert applied(client, plan, tmp_path).done == [1]
    assert len(sandbox.account.sent_links) == 1


def test_two_cannot_apply_at_once(client: Client, tmp_path: Path, document: Any) -> None:
    plan = planned(client, document, tmp_path)
    with Journal(tmp_path / "journal").held(), pytest.raises(ApplyBusyError):
        applied(client, plan, tmp_path)


def test_a_plan_that_was_changed_by_hand_is_refused(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    of_a_partner(document)["groups"][0]["capacity"] = 41_414
    plan = planned(client, document, tmp_path)
    file = tmp_path / "plan.json"
    save_plan(plan, file)
    assert read_plan(file) == plan
    assert not is_lax(file)
    file.write_text(file.read_text().replace("41414", "41415"))
    with pytest.raises(AllocationsFileError, match="changed after it was made"):
        read_plan(file)
    file.write_text(json.dumps({"some": "thing"}))
    with pytest.raises(AllocationsFileError, match="is no plan"):
        read_plan(file)


def test_a_plan_for_another_account_is_refused(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: Any
) -> None:
    plan = planned(client, document, tmp_path)
    with (
        Client(base_url="http://127.0.0.1:9/v0", api_key=sandbox.api_key) as other,
        pytest.raises(ApplyError, match="another address"),
    ):
        applied(other, plan, tmp_path)
