"""A sandbox, a data folder and an instance of their own for each test.

A first sync through Dagster takes seconds, so it is made once; tests that begin after it get a copy
of its data folder, and a sandbox with the same account: one seed and one `now` give the same people.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import PUBLISH, REBUILD
from ldt_pipeline.home import open_instance
from ldt_pipeline.instants import now
from ldt_pipeline.runner import Synced, sync
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline.settings import load_settings
from ldt_pipeline.warehouse.checking import ChecksFailedError
from ldt_pipeline_tests.syncing import Account

STARTED_AT = now().replace(second=0, microsecond=0)


def make_account() -> SandboxAccount:
    return SandboxAccount(
        participants=300, applications=40, seed=7, now=STARTED_AT, history_years=2
    )


@pytest.fixture
def account() -> Iterator[SandboxAccount]:
    account = make_account()
    yield account
    account.close()


@pytest.fixture
def sandbox(
    account: SandboxAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Sandbox]:
    with Sandbox(account) as sandbox:
        point_at(sandbox, tmp_path / "data", monkeypatch)
        yield sandbox


@pytest.fixture
def instance(sandbox: Sandbox) -> Iterator[dg.DagsterInstance]:
    """An instance over an empty data folder."""
    with open_instance() as instance:
        yield instance


@pytest.fixture(scope="session")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of one first sync: copy it, never write into it."""
    folder = tmp_path_factory.mktemp("first-sync") / "data"
    account = make_account()
    with pytest.MonkeyPatch.context() as patch, Sandbox(account) as sandbox:
        point_at(sandbox, folder, patch)
        with open_instance() as instance:
            run_sync(instance)
    account.close()
    return folder


@pytest.fixture
def synced(sandbox: Sandbox, first_sync: Path) -> Iterator[dg.DagsterInstance]:
    """An instance over a data folder that has been synced once."""
    shutil.copytree(first_sync, load_settings().data_dir)
    with open_instance() as instance:
        yield instance


@pytest.fixture
def lean(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a sync publish by the calls into the core that the assets make, as all else it does.

    A publication by Dagster takes four times as long: this is for tests of what is published, where
    others see that Dagster publishes it.
    """
    run = Runner.run

    def run_or_publish(runner: Runner, job_name: str, **options: Any) -> None:
        if job_name not in (PUBLISH, REBUILD):
            return run(runner, job_name, **options)
        account = Account(
            load_settings().data_dir,
            base_url=sandbox.base_url,
            api_key=sandbox.api_key,
        )
        runner.runs.append(job_name)
        try:
            with account.client() as client:
                account.publish(client if job_name == PUBLISH else None)
        except ChecksFailedError as error:
            raise RunFailedError(str(error), kind=type(error).__name__) from error
        return None

    monkeypatch.setattr(Runner, "run", run_or_publish)


def point_at(sandbox: Sandbox, folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("DAGSTER_HOME", raising=False)
    patch.setenv("LDT_API_KEY", sandbox.api_key)
    patch.setenv("LDT_API_BASE_URL", sandbox.base_url)
    patch.setenv("LDT_DATA_DIR", str(folder))


def run_sync(instance: dg.DagsterInstance) -> Synced:
    return sync(load_settings(), defs, instance, lambda _: None)


def published(query: str) -> list[tuple]:
    with duckdb.connect(str(load_settings().published_path), read_only=True) as connection:
        return connection.execute(query).fetchall()
