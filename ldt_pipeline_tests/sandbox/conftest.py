from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.sandbox.client import Client

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """Served for the whole session, for tests that change nothing."""
    with Sandbox(SandboxAccount(2000, seed=7, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(shared_sandbox: Sandbox) -> Iterator[Client]:
    with Client(shared_sandbox) as client:
        yield client


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One test's own, to change and break."""
    with Sandbox(SandboxAccount(300, seed=7, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def own_client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(sandbox) as client:
        yield client
