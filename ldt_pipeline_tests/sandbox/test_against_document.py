"""Its OpenAPI document and its behaviour agree: requests made up from the document, by the hundred.

Schemathesis makes them up, good ones and bad ones, and looks at each answer: is its status one that
the document has, does its body fit the schema, is a good request accepted and a bad one refused, is
the key asked for, does no request make it fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.core.parameters import ParameterLocation

from ldt_pipeline.sandbox import Sandbox, SandboxAccount, openapi_document
from ldt_pipeline.sandbox.operations import OPERATIONS

EXCLUSIVE = ({"page[after]", "page[before]"}, {"sort[updatedAt]", "sort[createdAt]"})
CURSORS = {"page[after]", "page[before]"}
"""OpenAPI has no words for parameters that exclude each other, nor for texts that an earlier answer
has to have given. Such requests may be refused; all else is looked at with them too."""


DOCUMENT = schemathesis.openapi.from_dict(openapi_document(server_url="http://127.0.0.1:9/v0"))

THERE: dict[str, list[str]] = {}
"""Ids that there are, by path, once the sandbox is served."""


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    account = SandboxAccount(60, seed=4, applications=30, history_years=1, events=2)
    with Sandbox(account) as sandbox:
        THERE.update(ids_of(sandbox))
        yield sandbox
    account.close()


@DOCUMENT.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask for what there is every other time: else nearly every answer would be 404."""
    there = THERE.get(context.operation.path)
    made_up = str((path_parameters or {}).get("id"))
    if there and len(made_up) % 2:
        return {**path_parameters, "id": there[len(made_up) // 2 % len(there)]}
    return path_parameters


def ids_of(sandbox: Sandbox) -> dict[str, list[str]]:
    """Give ids that there are, by path."""

    def listed(path: str) -> list[dict[str, Any]]:
        answer = requests.get(
            sandbox.base_url + path,
            headers={"Authorization": f"Bearer {sandbox.api_key}"},
            timeout=10,
        )
        return answer.json()["data"]

    participants = listed("/participants")
    events = sorted({each["eventId"] for each in participants})
    groups = [
        group["id"] for event in events for group in listed(f"/events/{event}/reserved-entries")
    ]
    return {
        "/participants/{id}": [each["id"] for each in participants],
        "/applications/{id}": [each["id"] for each in listed("/applications")],
        "/partners/{id}": [each["id"] for each in listed("/partners")],
        "/partners/{id}/claim-link": [each["id"] for each in listed("/partners")],
        "/reserved-entries/{id}": groups,
        "/races/{id}/participants": sorted({each["raceId"] for each in participants}),
        **{
            f"/events/{{id}}/{what}": events
            for what in ("applications", "reserved-entries", "tickets")
        },
    }


def test_ids_are_known_for_every_operation_that_takes_one(served: Sandbox) -> None:
    known = ids_of(served)
    assert set(known) == {each.path for each in OPERATIONS if each.takes_id}
    assert all(known.values())


def test_the_document_is_the_one_that_is_served(served: Sandbox) -> None:
    answer = requests.get(served.document_url, timeout=10)
    assert answer.json() == openapi_document(server_url=served.base_url)


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
@DOCUMENT.include(method="GET").parametrize()
@_settings(60)
def test_answers_are_what_the_document_says(case: Any, served: Sandbox) -> None:
    validate(case, served)


@pytest.mark.slow
@DOCUMENT.exclude(method="GET").parametrize()
@_settings(8)  # bodies take long to make up
def test_answers_to_writes_are_what_the_document_says(case: Any, served: Sandbox) -> None:
    validate(case, served)


def validate(case: Any, served: Sandbox) -> None:
    given = set(case.query or {})
    excluded: list[Any] = []
    named = set(case.body) if isinstance(case.body, dict) else set[str]()
    if named & {"tickets", "partnerId", "reservedEntryId"}:
        # Made-up ids of tickets and partners: OpenAPI has no words for what has to exist.
        excluded.append(positive_data_acceptance)
    if given & CURSORS or any(pair <= given for pair in EXCLUSIVE):
        excluded.append(positive_data_acceptance)
    if case.meta.is_negative_at(ParameterLocation.HEADER):
        # What is wrong may be that the key is missing, which is put back here.
        excluded.append(negative_data_rejection)
    case.call_and_validate(
        base_url=served.base_url,
        headers={"Authorization": f"Bearer {served.api_key}"},
        excluded_checks=excluded,
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/partners", "GET, POST"),
        ("POST", "/partners/1", "GET, PATCH"),
        ("PUT", "/reserved-entries/1", "GET, PATCH, DELETE"),
        ("GET", "/partners/1/claim-link", "POST"),
    ],
)
def test_what_a_path_does_take_it_says(
    served: Sandbox, method: str, path: str, allowed: str
) -> None:
    answer = requests.request(
        method,
        served.base_url + path,
        headers={"Authorization": f"Bearer {served.api_key}"},
        timeout=10,
    )
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_what_it_does_not_do_it_says(served: Sandbox, method: str) -> None:
    """With the header that the standard asks for."""
    for path in ("/participants", "/participants/1", "/nowhere"):
        answer = requests.request(
            method,
            served.base_url + path,
            headers={"Authorization": f"Bearer {served.api_key}"},
            timeout=10,
        )
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET"
