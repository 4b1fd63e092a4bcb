"""What a plan shows is what apply does: nested keys, places claimed since, and who is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.allocations.applying import ApplyError
from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.api.client import Client
from ldt_pipeline.cli.plan_text import plan_lines
from ldt_pipeline.sandbox import Sandbox
from ldt_pipeline_tests.allocations.doing import applied, planned


def a_group(document: dict[str, Any]) -> dict[str, Any]:
    return next(a for a in document["events"][0]["allocations"] if a["partner"])["groups"][0]


def settings_now(sandbox: Sandbox, group: dict[str, Any]) -> Any:
    return (sandbox.account.group(group["id"]) or {})["settings"]


def give_settings(client: Client, document: dict[str, Any], folder: Path, value: Any) -> Any:
    group = a_group(document)
    group["settings"] = {**group.get("settings", {}), **value}
    applied(client, planned(client, document, folder), folder)
    return group


def test_keys_that_the_file_leaves_out_stay_at_every_depth(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = give_settings(client, document, tmp_path, {"mail": {"a": {"x": 1, "y": 2}, "b": 3}})
    group["settings"] = {"mail": {"a": {"x": 9}}}
    plan = planned(client, document, tmp_path)
    applied(client, plan, tmp_path)
    assert settings_now(sandbox, group)["mail"] == {"a": {"x": 9, "y": 2}, "b": 3}


def test_a_key_that_is_to_be_null_is_sent_and_shown(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = give_settings(client, document, tmp_path, {"note": "old", "mail": {"a": 1}})
    group["settings"] = {"note": None, "mail": {"a": None}}
    plan = planned(client, document, tmp_path)
    shown = "\n".join(plan_lines(plan))
    assert "settings.note: old → null" in shown
    assert "settings.mail.a: 1 → null" in shown
    assert applied(client, plan, tmp_path).done == [1]
    now = settings_now(sandbox, group)
    assert now.get("note") is None
    assert now["mail"].get("a") is None
    assert planned(client, document, tmp_path).changes == ()


def test_a_change_behind_a_long_beginning_is_shown(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = a_group(document)
    group["description"] = "Places for the year. " * 9 + "Until May."
    applied(client, planned(client, document, tmp_path), tmp_path)
    group["description"] = "Places for the year. " * 9 + "Until June."
    shown = "\n".join(plan_lines(planned(client, document, tmp_path)))
    assert "Until May." in shown
    assert "Until June." in shown


def test_a_change_of_a_tickets_own_keys_is_shown(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = a_group(document)
    group["tickets"] = [{"ticketId": group["tickets"][0], "maxCapacity": 7}]
    applied(client, planned(client, document, tmp_path), tmp_path)
    group["tickets"][0]["maxCapacity"] = 4
    shown = "\n".join(plan_lines(planned(client, document, tmp_path)))
    assert f"tickets.{group['tickets'][0]['ticketId']}.maxCapacity: 7 → 4" in shown


def test_places_claimed_since_stop_a_group_from_getting_fewer(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = a_group(document)
    used = (sandbox.account.group(group["id"]) or {})["usedCapacity"]
    before = group["capacity"]
    group["capacity"] = used
    plan = planned(client, document, tmp_path)
    assert not any("are claimed already" in each for each in plan.warnings)
    sandbox.account.add_participant(group_id=group["id"])
    with pytest.raises(ApplyError, match="claimed since the plan was made") as caught:
        applied(client, plan, tmp_path)
    assert group["id"] in str(caught.value)
    assert (sandbox.account.group(group["id"]) or {})["maxCapacity"] == before
    # Whoever sees the warning may still want it.
    plan = planned(client, document, tmp_path)
    assert any("are claimed already" in each for each in plan.warnings)
    applied(client, plan, tmp_path)
    assert planned(client, document, tmp_path).changes == ()


def test_places_claimed_while_a_plan_is_applied_stay(
    client: Client, sandbox: Sandbox, tmp_path: Path, document: dict[str, Any]
) -> None:
    partner = next(each for each in document["partners"] if each.get("description"))
    partner["description"] = "Another text"
    group = a_group(document)
    before = group["capacity"]
    group["capacity"] = (sandbox.account.group(group["id"]) or {})["usedCapacity"]
    plan = planned(client, document, tmp_path)
    assert [each.action for each in plan.changes] == ["update_partner", "update_group"]

    def claim(_change: object) -> None:
        sandbox.account.add_participant(group_id=group["id"])

    with pytest.raises(ApplyError, match="claimed meanwhile"):
        applied(client, plan, tmp_path, progress=claim)
    assert (sandbox.account.group(group["id"]) or {})["maxCapacity"] == before
    assert (sandbox.account.partner(partner["partner"]) or {})["description"] == "Another text"


def test_places_are_freed_before_they_are_given_away(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    """An API that counts the places of all groups would refuse to give what is still taken."""
    allocations = document["events"][0]["allocations"]
    grows, shrinks = [
        group for each in allocations for group in each["groups"] if group["capacity"]
    ][:2]
    grows["capacity"] += 1
    shrinks["capacity"] -= 1
    dropped = allocations[-1]["groups"].pop()
    changes = planned(client, document, tmp_path).changes
    assert [each.group_id for each in changes] == [shrinks["id"], dropped["id"], grows["id"]]


def test_one_partner_by_two_names_is_refused(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    first = document["partners"][0]
    first["description"] = "One text"
    document["partners"].append({"partner": first.pop("name"), "description": "Another"})
    with pytest.raises(AllocationsFileError, match="twice, first at"):
        planned(client, document, tmp_path)


def test_a_name_that_means_two_partners_after_a_rename_is_refused(
    client: Client, tmp_path: Path, document: dict[str, Any], event_id: str
) -> None:
    one, other = document["partners"][:2]
    wanted = {
        "partners": [{"partner": one["partner"], "name": other["name"]}],
        "events": [{"event": event_id, "allocations": [{"partner": other["name"], "groups": []}]}],
    }
    with pytest.raises(AllocationsFileError) as caught:
        planned(client, wanted, tmp_path)
    assert one["partner"] in str(caught.value)
    assert other["partner"] in str(caught.value)


def test_two_ways_of_writing_an_accent_are_one_name(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = a_group(document)
    group["name"] = "Caf\u00e9 runners"
    applied(client, planned(client, document, tmp_path), tmp_path)
    del group["id"]
    group["name"] = "Cafe\u0301 runners"
    assert planned(client, document, tmp_path).changes == ()


def test_a_blank_behind_a_name_is_not_another_group(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    group = a_group(document)
    del group["id"]
    group["name"] += " "
    assert planned(client, document, tmp_path).changes == ()
    allocation = next(a for a in document["events"][0]["allocations"] if a["partner"])
    allocation["groups"].append({**group, "name": group["name"].strip()})
    with pytest.raises(AllocationsFileError, match="stands here twice"):
        planned(client, document, tmp_path)


def test_a_partner_that_is_called_like_an_id_takes_nobodys_place(
    client: Client, tmp_path: Path, document: dict[str, Any]
) -> None:
    one, other = document["partners"][:2]
    one["name"] = other["partner"]
    plan = planned(client, document, tmp_path)
    assert [(each.action, each.partner_id) for each in plan.changes] == [
        ("update_partner", one["partner"])
    ]
