from __future__ import annotations

import time

import jwt
import pytest
import requests

from ldt_pipeline.sandbox import Sandbox, issue_key
from ldt_pipeline_tests.sandbox.client import Client


def test_a_key_can_be_read_by_anybody() -> None:
    key = issue_key(
        organiser_id="99", organiser_name="Fell & Dale", issued_at=1_700_000_000, env="x"
    )
    claims = jwt.decode(key, options={"verify_signature": False})
    assert claims == {
        "organiserId": "99",
        "organiserName": "Fell & Dale",
        "iat": 1_700_000_000,
        "env": "x",
    }


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer not.a.token",
        f"Bearer {issue_key(secret='another secret, as long as the first one was')}",
        f"Bearer {jwt.encode({'organiserId': '1'}, key='', algorithm='none')}",
    ],
)
def test_requests_without_a_good_key_are_refused(
    shared_sandbox: Sandbox, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/participants", "/partners/p_x", "/elsewhere"):
        response = requests.get(shared_sandbox.base_url + path, headers=headers, timeout=10)
        assert response.status_code == 401
        assert response.json()["message"]


def test_an_expired_key_is_refused(shared_sandbox: Sandbox) -> None:
    old = shared_sandbox.issue_key(expires_at=int(time.time()) - 1)
    with Client(shared_sandbox, key=old) as client:
        assert "expired" in client.refusal("/participants", status=401)


def test_a_key_that_is_no_text_is_refused(shared_sandbox: Sandbox) -> None:
    """Bytes that aren't UTF-8, which HTTP lets through."""
    answer = requests.get(
        shared_sandbox.base_url + "/partners",
        headers={"Authorization": b"Bearer \xff.\xfe.\xfd"},
        timeout=10,
    )
    assert answer.status_code == 401
    assert answer.json() == {"message": "The key is not valid"}


def test_a_key_expires_while_it_is_used(shared_sandbox: Sandbox) -> None:
    expiry = time.time() + 1
    key = shared_sandbox.issue_key(exp=expiry)
    with Client(shared_sandbox, key=key) as client:
        client.json("/partners")
        time.sleep(max(0, expiry - time.time()) + 0.01)
        client.refusal("/partners", status=401)


def test_a_revoked_key_is_refused_and_others_work(sandbox: Sandbox) -> None:
    other = sandbox.issue_key(organiser_id="2")
    with Client(sandbox) as first, Client(sandbox, key=other) as second:
        first.json("/partners")
        sandbox.revoke_key(sandbox.api_key)
        assert "revoked" in first.refusal("/partners", status=401)
        second.json("/partners")


def test_a_key_is_revoked_in_the_middle_and_restored(sandbox: Sandbox) -> None:
    with Client(sandbox) as client:
        sandbox.revoke_key(sandbox.api_key, after_requests=2)
        assert [client.get("/partners").status_code for _ in range(4)] == [200, 200, 401, 401]
        sandbox.restore_key(sandbox.api_key)
        client.json("/partners")


def test_the_document_needs_no_key(shared_sandbox: Sandbox) -> None:
    assert requests.get(shared_sandbox.document_url, timeout=10).status_code == 200
