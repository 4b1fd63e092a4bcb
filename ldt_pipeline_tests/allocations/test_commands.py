"""The commands as people run them: the walk-through of the docs, killed applies, exit statuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ldt_pipeline.allocations.checking import schema
from ldt_pipeline.sandbox import Faults, Sandbox, SandboxAccount
from ldt_pipeline_tests.cli.conftest import LDT, Ran, clean_environment, run_ldt

DOCS = Path(__file__).parents[2] / "docs" / "allocations.md"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    account = SandboxAccount(120, seed=11, events=2, history_years=0)
    with Sandbox(account) as sandbox:
        yield sandbox
    account.close()


@pytest.fixture
def settings(served: Sandbox, tmp_path: Path) -> dict[str, str]:
    served.faults = Faults()
    served.forget_orders()
    return {
        "LDT_API_KEY": served.api_key,
        "LDT_API_BASE_URL": served.base_url,
        "LDT_DATA_DIR": str(tmp_path / "data"),
    }


Run = Callable[..., Ran]


@pytest.fixture
def ldt(settings: dict[str, str], tmp_path: Path) -> Run:
    return lambda *arguments: run_ldt(*arguments, folder=tmp_path, settings=settings)


def edited(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = yaml.safe_load(file.read_text())
    change(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def edit(document: dict[str, Any]) -> None:
    allocation = next(a for a in document["events"][0]["allocations"] if a["partner"])
    group = allocation["groups"][0]
    group["capacity"] += 5
    ticket = group["tickets"][0]
    document["partners"].append(
        {"name": "Owl Rescue", "contacts": [{"emailAddress": "ada@owls.example.org"}]}
    )
    new = {"name": "Owls", "capacity": 9, "tickets": [ticket], "type": "SINGLE_USE"}
    new["claim_links"] = ["ada@owls.example.org"]
    document["events"][0]["allocations"].append({"partner": "Owl Rescue", "groups": [new]})


@pytest.mark.slow
def test_the_walk_through_of_the_docs(
    ldt: Run, served: Sandbox, tmp_path: Path, settings: dict[str, str]
) -> None:
    commands = re.findall(r"^\$ ldt (.*)$", DOCS.read_text(), re.MULTILINE)
    assert len(commands) >= 6
    event_id = served.account.event_ids()[0]
    assert ldt("sync").status == 0
    before = served.account.counts()
    seen: list[tuple[str, Ran]] = []
    for command in commands:
        if command.endswith("--out plan.json"):
            edited(tmp_path / "allocations.yaml", edit)
        ran = ldt(*command.replace("2365756", event_id).split())
        assert ran.status == 0, (command, ran.err)
        assert "ada@" not in ran.out
        seen.append((command, ran))
    beside = json.loads((tmp_path / "allocations.schema.json").read_text())
    assert beside == schema()
    assert "Nothing is to change" in seen[2][1].out
    assert "Plan: 2 to create, 1 to update, 0 to delete, 1 claim link to send." in seen[4][1].out
    assert "a…@owls.example.org" in seen[4][1].out
    assert "Applied: 4 steps." in seen[5][1].out
    assert "Nothing is to change" in seen[6][1].out
    after = served.account.counts()
    assert after["partners"] == before["partners"] + 1
    assert after["groups"] == before["groups"] + 1
    # Nothing says that groups changed, and they were read a minute ago: that we wrote to them does.
    listed = json.loads(ldt("allocations", event_id, "--format", "json").out)
    held = {each["reserved_entry_group_id"]: each["max_capacity"] for each in listed}
    assert held == {group["id"]: group["maxCapacity"] for group in served.account.groups(event_id)}
    with zipfile.ZipFile(tmp_path / "allocations.xlsx") as book:
        assert book.read("xl/worksheets/sheet1.xml").count(b"<row ") == 1 + len(listed)


def test_exit_statuses_are_those_of_terraform(ldt: Run, served: Sandbox, tmp_path: Path) -> None:
    event_id = served.account.event_ids()[1]
    file = tmp_path / "a.yaml"
    assert ldt("allocations", "export", event_id, "--out", "a.yaml").status == 0
    assert ldt("allocations", "plan", "a.yaml", "--detailed-exitcode").status == 0
    whole = file.read_text()
    edited(file, edit)
    assert ldt("allocations", "plan", "a.yaml", "--detailed-exitcode").status == 2
    assert ldt("allocations", "plan", "a.yaml").status == 0
    file.write_text(whole.replace("capacity:", "capcity:"))
    wrong = ldt("allocations", "plan", "a.yaml", "--detailed-exitcode")
    assert wrong.status == 1
    assert re.search(r"a\.yaml:\d+: `capcity` is not known", wrong.err)
    assert wrong.err.splitlines()[-1].endswith("nothing was sent.")


def test_an_export_is_what_its_name_says(ldt: Run, served: Sandbox, tmp_path: Path) -> None:
    event_id = served.account.event_ids()[1]
    assert ldt("allocations", "export", event_id, "--out", "a.csv").status == 0
    # Without the mark Excel takes é for Ã©, and saves that.
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfevent,partner,")
    assert ldt("allocations", "plan", "a.csv", "--detailed-exitcode").status == 0
    ldt("allocations", "export", event_id, "--format", "yaml", "--out", "b.csv")
    ldt("allocations", "export", event_id, "--out", "b.yaml")
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "b.yaml").read_bytes()


def test_what_is_wrong_in_many_rows_is_told_as_far_as_it_can_be_read(
    ldt: Run, tmp_path: Path
) -> None:
    rows = ["event,partner,group,capacity", *["1,Owl,Gold,many"] * 30]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    ran = ldt("allocations", "plan", "a.csv")
    told = ran.err.splitlines()
    assert (ran.status, len(told)) == (1, 22)
    assert told[19].startswith("a.csv:21: `capacity` must be a whole number")
    assert told[20:] == ["… and 10 more", "Error: 30 things are wrong; nothing was sent."]


def test_deleting_is_asked_for_and_claimed_places_are_kept(
    ldt: Run, served: Sandbox, tmp_path: Path
) -> None:
    event_id = served.account.event_ids()[1]
    ldt("allocations", "export", event_id, "--out", "a.yaml")
    document = yaml.safe_load((tmp_path / "a.yaml").read_text())
    allocation = document["events"][0]["allocations"][0]
    group = allocation["groups"].pop()
    served.account.add_participant(group_id=group["id"])
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document))
    planned = ldt("allocations", "plan", "a.yaml", "--out", "plan.json")
    assert f"Group {group['id']}" in planned.out
    assert "claimed" in planned.out
    asked = ldt("allocations", "apply", "plan.json")
    assert (asked.status, "add --yes" in asked.sentence) == (1, True)
    refused = ldt("allocations", "apply", "plan.json", "--yes")
    assert "--allow-delete-claimed" in refused.sentence
    assert served.account.group(group["id"]) is not None
    assert ldt("allocations", "apply", "plan.json", "--yes", "--allow-delete-claimed").status == 0
    assert served.account.group(group["id"]) is None


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "kills"), [("hang", 1), ("hang_after_write", 4)])
def test_a_killed_apply_goes_on_and_does_nothing_twice(  # noqa: PLR0917 - fixtures
    ldt: Run, served: Sandbox, tmp_path: Path, settings: dict[str, str], effect: Any, kills: int
) -> None:
    """`kill -9` between the request and the answer of each step in turn."""
    event_id = served.account.event_ids()[0]
    ldt("allocations", "export", event_id, "--out", "a.yaml")
    document = yaml.safe_load((tmp_path / "a.yaml").read_text())
    edit(document)
    new = document["partners"][-1]
    new["name"] = f"Owls of {effect}"
    document["events"][0]["allocations"][-1]["partner"] = new["name"]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    assert ldt("allocations", "plan", "a.yaml", "--out", "plan.json").status == 0
    before = served.account.counts()
    links = len(served.account.sent_links)
    served.faults = Faults(hang_seconds=2)
    for _ in range(kills):
        kill_at_write(served, effect, settings, tmp_path)
    served.forget_orders()
    last = ldt("allocations", "apply", "plan.json")
    assert last.status in (0, 1)
    if last.status:
        assert "claim links of steps 4" in last.err
    after = served.account.counts()
    assert after["partners"] == before["partners"] + 1
    assert after["groups"] == before["groups"] + 1
    assert len(served.account.sent_links) == links + 1
    assert ldt("allocations", "plan", "a.yaml", "--detailed-exitcode").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["hang", "hang_after_write"])
def test_a_deletion_that_is_killed_goes_on(
    ldt: Run, served: Sandbox, tmp_path: Path, settings: dict[str, str], effect: Any
) -> None:
    """`kill -9` between the request and the answer of a DELETE, before or after its effect."""
    event_id = served.account.event_ids()[0]
    ldt("allocations", "export", event_id, "--out", "a.yaml")
    gone: list[str] = []

    def take_away(document: dict[str, Any]) -> None:
        for allocation in document["events"][0]["allocations"]:
            for group in allocation["groups"]:
                held = served.account.group(group["id"]) or {}
                if held.get("usedCapacity") == 0 and not gone:
                    gone.append(group["id"])
                    allocation["groups"].remove(group)
                    return

    edited(tmp_path / "a.yaml", take_away)
    assert ldt("allocations", "plan", "a.yaml", "--out", "plan.json").status == 0
    before = served.account.counts()
    served.faults = Faults(hang_seconds=2)
    kill_at_write(served, effect, settings, tmp_path)
    assert (served.account.group(gone[0]) is None) == (effect == "hang_after_write")
    served.forget_orders()
    assert ldt("allocations", "apply", "plan.json", "--yes").status == 0
    assert served.account.group(gone[0]) is None
    assert served.account.counts()["groups"] == before["groups"] - 1
    assert ldt("allocations", "plan", "a.yaml", "--detailed-exitcode").status == 0


def kill_at_write(served: Sandbox, effect: Any, settings: dict[str, str], folder: Path) -> None:
    """Start an apply, and kill it as soon as a write hangs (or let it end, if none does)."""
    served.forget_orders()
    for method in ("POST", "PATCH", "DELETE"):
        served.fail_next(effect, method=method)
    journal = folder / "data" / "allocations" / "journal.ndjson"
    lines = journal.read_bytes().count(b"sending") if journal.exists() else 0
    process = subprocess.Popen(
        [str(LDT), "allocations", "apply", "plan.json", "--yes"],
        env={**clean_environment(), **settings},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"sending") > lines:
            time.sleep(0.2)
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    process.wait(10)
