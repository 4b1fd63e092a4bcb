"""Whatever is there and whatever is wanted: after apply, plan is empty and the rest is untouched.

Under faults on writes, before and after their effect, and with the process killed anywhere between
a request and its answer.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.allocations.applying import ApplyError
from ldt_pipeline.allocations.journal import Journal
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import ApiError
from ldt_pipeline.sandbox import Faults, Sandbox, SandboxAccount
from ldt_pipeline_tests.allocations.doing import applied, exported, planned

WRITE_TROUBLE = [
    "http_500",
    "http_503",
    "reset",
    "throttled_seconds",
    "html",
    "broken_json",
    "truncated",
    "reset_after_write",
    "http_502_after_write",
]
TRIES = 40


class Killed(BaseException):
    """Stands for `kill -9`: nothing of the process goes on, and nothing is caught."""


class Mortal(Client):
    """A client whose process dies before or after so many writes."""

    deaths: dict[int, str]
    count = 0

    def exchange_once(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        end = self.deaths.pop(self.count, None)
        if end == "before":
            raise Killed
        answer = super().exchange_once(*args, **kwargs)
        if end == "after":
            raise Killed
        return answer


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    account = SandboxAccount(
        60, seed=9, events=2, history_years=0, now=datetime(2026, 5, 1, tzinfo=UTC)
    )
    with Sandbox(account, faults=Faults(retry_after_seconds=0)) as sandbox:
        yield sandbox
    account.close()


def groups_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        group
        for event in document["events"]
        for allocation in event["allocations"]
        for group in allocation["groups"]
    ]


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    number = st.integers(0, 30)
    one = st.one_of(
        st.tuples(st.just("resize"), number, st.integers(0, 300)),
        st.tuples(st.just("rename"), number, st.integers(0, 99)),
        st.tuples(st.just("describe"), number, st.integers(0, 9)),
        st.tuples(st.just("set"), number, st.booleans()),
        st.tuples(st.just("delete"), number),
        st.tuples(st.just("create"), number, st.integers(0, 4)),
        st.tuples(st.just("link"), number, st.integers(0, 2)),
        st.tuples(st.just("partner"), st.integers(0, 3)),
        st.tuples(st.just("rename partner"), number, st.integers(0, 99)),
    )
    return draw(st.lists(one, min_size=1, max_size=7))


def edit(  # noqa: PLR0912 - a case for each kind
    document: dict[str, Any], changes: list[tuple[Any, ...]], tickets: list[str]
) -> Any:
    document = copy.deepcopy(document)
    allocations = document["events"][0]["allocations"]
    for kind, *values in changes:
        groups = [group for each in allocations for group in each["groups"]]
        group = groups[values[0] % len(groups)] if groups else None
        owner = next((each for each in allocations if group in each["groups"]), None)
        if kind == "partner":
            name = f"New partner {values[0]}"
            if any(each.get("name") == name for each in document["partners"]):
                continue
            document["partners"].append(
                {"name": name, "contacts": [{"emailAddress": f"n{values[0]}@example.org"}]}
            )
            allocations.append({"partner": name, "groups": [fresh(0, tickets)]})
        elif kind == "create" and allocations:
            into = allocations[values[0] % len(allocations)]["groups"]
            if fresh(values[1], tickets)["name"] not in [each["name"] for each in into]:
                into.append(fresh(values[1], tickets))
        elif kind == "rename partner" and document["partners"]:
            partner = document["partners"][values[0] % len(document["partners"])]
            if "partner" in partner:
                partner["name"] = f"Renamed {partner['partner']} {values[1]}"
        elif group is None or owner is None:
            continue
        elif kind == "resize":
            group["capacity"] = values[1]
        elif kind == "rename" and "id" in group:
            group["name"] = f"Renamed {group['id']} {values[1]}"
        elif kind == "describe":
            group["description"] = f"Text {values[1]}"
        elif kind == "set":
            group["settings"] = {**group.get("settings", {}), "allowTransfers": values[1]}
        elif kind == "delete":
            owner["groups"].remove(group)
        elif kind == "link" and owner["partner"] is not None:
            group["claim_links"] = [f"link{values[1]}@example.org"]
    return document


def fresh(number: int, tickets: list[str]) -> dict[str, Any]:
    return {
        "name": f"Fresh group {number}",
        "capacity": 10 + number,
        "tickets": [tickets[0]],
        "type": "SINGLE_USE",
    }


def state(sandbox: Sandbox) -> tuple[dict[str, Any], dict[str, Any]]:
    account = sandbox.account
    groups = {id_: account.group(id_) for id_ in account.group_ids()}
    partners = {id_: account.partner(id_) for id_ in account.partner_ids()}
    return groups, partners


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=edits(),
    trouble=st.lists(st.tuples(st.sampled_from(WRITE_TROUBLE), st.integers(0, 6)), max_size=4),
    deaths=st.dictionaries(st.integers(1, 8), st.sampled_from(["before", "after"]), max_size=3),
)
def test_after_apply_nothing_is_left_to_do_and_the_rest_is_untouched(
    served: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[Any, ...]],
    trouble: list[tuple[Any, int]],
    deaths: dict[int, str],
) -> None:
    folder = tmp_path_factory.mktemp("apply")
    served.forget_orders()
    event_id = served.account.event_ids()[0]
    tickets = [each["id"] for each in served.account.tickets(event_id) or []]
    sent_before = len(served.account.sent_links)
    with Mortal(
        base_url=served.base_url, api_key=served.api_key, backoff_factor=0, read_seconds=5
    ) as client:
        client.deaths = {}
        document = edit(exported(client, [event_id]), changes, tickets)
        before = state(served)
        plan = planned(client, document, folder)
        client.deaths = dict(deaths)
        for fault, after in trouble:
            for method in ("POST", "PATCH", "DELETE"):
                served.fail_next(fault, method=method, after_requests=after)
        for _ in range(TRIES):
            try:
                applied(client, plan, folder, allow_delete_claimed=True)
            except (Killed, ApiError):
                continue
            except ApplyError as error:
                if "still not in effect" not in str(error):
                    raise
                continue
            break
        else:
            pytest.fail("it never came to an end")
        served.forget_orders()
        after_all = state(served)
        left = planned(client, document, folder)
        assert left.changes == ()
    check_untouched(plan, before, after_all)
    check_links(served, plan, sent_before)
    lines = Journal(folder / "journal").path
    assert not lines.exists() or "@" not in lines.read_text()


def check_untouched(plan: Any, before: Any, after: Any) -> None:
    groups = {each.group_id for each in plan.changes if each.action.endswith("_group")}
    partners = {each.partner_id for each in plan.changes if each.action == "update_partner"}
    assert {k: v for k, v in before[0].items() if k not in groups} == {
        k: v for k, v in after[0].items() if k in before[0] and k not in groups
    }
    assert {k: v for k, v in before[1].items() if k not in partners} == {
        k: v for k, v in after[1].items() if k in before[1] and k not in partners
    }
    created = [each for each in plan.changes if each.action == "create_group"]
    assert len(set(after[0]) - set(before[0])) == len(created), "each creation once"
    assert len(set(after[1]) - set(before[1])) == plan.count("create_partner")
    assert set(before[0]) - set(after[0]) == {
        each.group_id for each in plan.changes if each.action == "delete_group"
    }
    for change in plan.changes:
        if change.action == "update_group":
            now = after[0][change.group_id]
            kept = {k: v for k, v in before[0][change.group_id].items() if k not in change.body}
            assert {k: now[k] for k in kept} == kept, "only what the plan names"


def check_links(served: Sandbox, plan: Any, sent_before: int) -> None:
    sent = Counter(
        (each.group_id, each.address) for each in served.account.sent_links[sent_before:]
    )
    assert all(count == 1 for count in sent.values()), "never twice"
    assert len(sent) <= plan.count("send_claim_link")
