"""The sandbox as a process of its own: its size, its command line, what importing it loads."""

from __future__ import annotations

import ast
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

import ldt_pipeline.sandbox
from ldt_pipeline.sandbox import Sandbox, SandboxAccount, serve

_MEMORY_PROGRAM = """
import json, psutil, time
import ldt_pipeline.sandbox.service
from ldt_pipeline.sandbox import SandboxAccount
from ldt_pipeline.sandbox.answers import Answers, Style
from ldt_pipeline.sandbox.operations import OPERATIONS
from ldt_pipeline.sandbox.validation import read_query
process = psutil.Process()
before = process.memory_info().rss
account = SandboxAccount(200_000, seed=1)
answers = Answers(account, Style())
operation = next(o for o in OPERATIONS if o.path == "/participants")
for order in ("updatedAt", "createdAt"):
    query = read_query(operation, [("page[size]", "500"), (f"sort[{order}]", "1")])
    answers.answer(operation, "", query)
print((process.memory_info().rss - before) / 200_000)
"""


@pytest.mark.slow
def test_a_participant_takes_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY_PROGRAM], capture_output=True, text=True, check=True
    )
    bytes_per_participant = float(done.stdout)
    assert bytes_per_participant < 400


def test_importing_the_package_loads_nothing() -> None:
    program = (
        "import sys, ldt_pipeline.sandbox\n"
        "heavy = {'aiohttp', 'jwt', 'msgspec', 'sqlite3', 'asyncio'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in ldt_pipeline.sandbox.__all__:
        assert getattr(ldt_pipeline.sandbox, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        ldt_pipeline.sandbox.nonsense  # noqa: B018


def test_it_shares_nothing_with_the_pipeline() -> None:
    allowed = {"aiohttp", "jwt", "msgspec", *sys.stdlib_module_names}
    for path in Path(ldt_pipeline.sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                inside = module.startswith("ldt_pipeline.sandbox")
                assert inside or module.split(".")[0] in allowed, f"{path.name} imports {module}"


def test_the_command_line_serves_until_terminated() -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ldt_pipeline.sandbox", "--participants", "40",
         "--fault", "missing_total=1", "--seed", "3"],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        settings = dict(process.stdout.readline().strip().split("=", 1) for _ in range(2))
        assert settings["LDT_API_BASE_URL"].startswith("http://127.0.0.1:")
        response = requests.get(
            settings["LDT_API_BASE_URL"] + "/participants",
            headers={"Authorization": f"Bearer {settings['LDT_API_KEY']}"},
            timeout=10,
        )
        assert len(response.json()["data"]) == 40
        assert "totalResults" not in response.json()["page"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_the_command_line_refuses_an_unknown_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ldt_pipeline.sandbox", "--fault", "gremlins=1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "gremlins" in done.stderr


def test_serve_says_when_it_is_ready_and_ends_when_told() -> None:
    stop = threading.Event()
    told: list[tuple[str, str]] = []

    def ready(base_url: str, api_key: str) -> None:
        told.append((base_url, api_key))
        headers = {"Authorization": f"Bearer {api_key}"}
        for _ in range(20):
            try:
                response = requests.get(base_url + "/participants", headers=headers, timeout=10)
                assert response.status_code in (200, 429, 500, 502, 503, 504)
            except requests.RequestException:
                pass
        stop.set()

    serve(
        participants=30, seed=1, fault_rate=0.3, changes_per_second=50, latency_ms=1, events=2,
        stop=stop, ready=ready,
    )  # fmt: skip
    assert told
    with pytest.raises(requests.ConnectionError):
        requests.get(told[0][0] + "/participants", timeout=1)


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Ctrl-C as a terminal sends it, also where tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield partial(signal.raise_signal, signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it_while_the_account_is_made_up(ctrl_c: Callable[[], None]) -> None:
    told: list[str] = []
    timer = threading.Timer(0.3, ctrl_c)
    timer.start()
    serve(participants=3_000_000, ready=lambda base_url, _key: told.append(base_url))
    timer.join()
    assert not told


def test_ctrl_c_ends_it_as_soon_as_it_says_where_it_is(ctrl_c: Callable[[], None]) -> None:
    serve(participants=5, ready=lambda _base_url, _key: ctrl_c())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_with_0_while_the_account_is_made_up(number: int) -> None:
    program = (
        "import os, threading\n"
        "from ldt_pipeline.cli import main\n"
        "import ldt_pipeline.sandbox.service\n"
        f"threading.Timer(0.3, os.kill, [os.getpid(), {int(number)}]).start()\n"
        "main(['sandbox', '--participants', '3000000'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        # Whoever runs the tests in the background has them ignore Ctrl-C, and a child inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_taken_port_is_an_error_for_whoever_starts_it(shared_sandbox: Sandbox) -> None:
    port = int(shared_sandbox.origin.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        Sandbox(SandboxAccount(1), port=port).start()


def test_an_address_of_ipv6_is_one_that_clients_can_use() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Sandbox(SandboxAccount(1), host="::1") as sandbox:
        assert requests.get(sandbox.document_url, timeout=10).status_code == 200


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
