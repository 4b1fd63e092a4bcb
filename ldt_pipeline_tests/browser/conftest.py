"""A real `dg dev` on made-up data, and a browser that looks at it.

Where there is no browser the tests are skipped, unless `LDT_BROWSER` names one: `make test-browser`
does, so that nothing passes there without having been looked at.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import requests

from ldt_pipeline.home import open_instance
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.cli.conftest import clean_environment
from ldt_pipeline_tests.defs.conftest import point_at, run_sync

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "build" / "browser"
"""Screenshots, and what Dagster said: ignored by git."""

SECONDS = 120
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--no-proxy-server"),
]


def find_browser() -> str:
    """Give the browser's executable; skips or, where one is asked for, fails without it."""
    wanted = os.environ.get("LDT_BROWSER")
    found = next(filter(None, map(shutil.which, [wanted] if wanted else _NAMES)), None)
    if importlib.util.find_spec("playwright") is None:
        missing = "playwright, which `make test-browser` installs"
    elif found is None:
        missing = f"{wanted or 'a browser'}: install chromium, or name one with LDT_BROWSER"
    else:
        return found
    sentence = f"Dagster's pages are not looked at, for want of {missing}."
    if wanted:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="package")
def executable() -> str:
    return find_browser()


@pytest.fixture(scope="package")
def account(executable: str) -> Iterator[SandboxAccount]:
    """An account with two people who have one bib: what the sandbox gives twice depends on the day."""
    account = SandboxAccount(600, seed=0, applications=80, history_years=2)
    for _ in range(2):
        account.add_participant(fields={"bibNumber": "7"})
    yield account
    account.close()


@pytest.fixture(scope="package")
def data(account: SandboxAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that was synced once, with its sandbox still there."""
    folder = tmp_path_factory.mktemp("browser") / "data"
    with pytest.MonkeyPatch.context() as patch, Sandbox(account) as sandbox:
        point_at(sandbox, folder, patch)
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        with open_instance() as instance:
            run_sync(instance)
        yield folder


@pytest.fixture(scope="package")
def instance(data: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance() as instance:
        yield instance


@pytest.fixture(scope="package")
def address(data: Path) -> Iterator[str]:
    """Where `dg dev` serves its pages."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {name: value for name, value in os.environ.items() if name.startswith("LDT_")}
    with (ARTEFACTS / "dg-dev.log").open("wb") as log:
        process = subprocess.Popen(
            [
                Path(sys.executable).with_name("dg"),
                "dev",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            cwd=ROOT,
            env={**clean_environment(), **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until(lambda: _serves(base), "Dagster doesn't serve its pages: see dg-dev.log")
        yield base
    finally:
        # The whole session that was started above: its services, and their runs.
        for each in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(process.pid, each)
                process.wait(timeout=20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


@pytest.fixture(scope="package")
def page(executable: str, address: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 720})
        page.set_default_timeout(60_000)
        yield page
        page.screenshot(path=ARTEFACTS / "last.png")
        browser.close()


def _serves(base: str) -> bool:
    try:
        return requests.get(f"{base}/server_info", timeout=2).ok
    except requests.RequestException:
        return False


def _wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.5)
