from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ldt_pipeline.api.client import Client
from ldt_pipeline.sandbox import Faults, Sandbox, SandboxAccount
from ldt_pipeline_tests.allocations.doing import exported

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    account = SandboxAccount(120, seed=5, now=NOW, events=2, history_years=0)
    with Sandbox(account, faults=Faults(hang_seconds=1.0)) as sandbox:
        yield sandbox
    account.close()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(
        base_url=sandbox.base_url,
        api_key=sandbox.api_key,
        backoff_factor=0.01,
        read_seconds=0.5,
    ) as client:
        yield client


@pytest.fixture
def event_id(sandbox: Sandbox) -> str:
    return sandbox.account.event_ids()[0]


@pytest.fixture
def document(client: Client, event_id: str) -> dict[str, Any]:
    return exported(client, [event_id])
