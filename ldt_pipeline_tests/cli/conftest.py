"""The real `ldt`, run as people run it, against a sandbox in this process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.forked import LDT, SECONDS, run_command

__all__ = ["LDT", "Ran", "Run", "clean_environment", "run_ldt"]


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that stderr has to be when a command fails."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: ")
        assert "Traceback" not in self.err
        return lines[0].removeprefix("Error: ")


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    account = SandboxAccount(150, seed=3, applications=30, history_years=1, events=3)
    with Sandbox(account) as served:
        yield served
    account.close()


def clean_environment() -> dict[str, str]:
    """Give the environment without any setting of whoever runs the tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LDT_", "DAGSTER_")) and name not in ("COLUMNS", "LINES")
    }


def run_ldt(
    *arguments: str,
    folder: Path,
    settings: Mapping[str, str],
    command: list[str] | None = None,
    **environment: str,
) -> Ran:
    """Run a command in a folder of its own; whatever it says, no key may be in it."""
    own = {**clean_environment(), **settings, **environment}
    if command is None:
        done = run_command(*arguments, folder=folder, environment=own)
    else:
        done = subprocess.run(
            [*command, *arguments],
            env=own,
            cwd=folder,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    for name in ("LDT_API_KEY", "key"):
        key = {**settings, **environment}.get(name)
        if key:
            assert key not in ran.out + ran.err
            assert all(part not in ran.out + ran.err for part in key.split(".") if len(part) > 12)
    return ran


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands run: a folder without an `.env`."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def settings(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    return {
        "LDT_API_KEY": sandbox.api_key,
        "LDT_API_BASE_URL": sandbox.base_url,
        "LDT_DATA_DIR": str(folder / "data"),
    }


@pytest.fixture(scope="session")
def first_sync(folder: Path, settings: dict[str, str]) -> Ran:
    """The first sync, which other tests build on."""
    return run_ldt("sync", folder=folder, settings=settings)


@pytest.fixture
def ldt(folder: Path, settings: dict[str, str]) -> Run:
    """Run `ldt` against the sandbox."""

    def run(*arguments: str, **environment: str) -> Ran:
        return run_ldt(*arguments, folder=folder, settings=settings, **environment)

    return run


@pytest.fixture
def synced(ldt: Run, first_sync: Ran) -> Run:
    """Run `ldt` where a sync has been."""
    assert first_sync.status == 0, first_sync.err
    return ldt
