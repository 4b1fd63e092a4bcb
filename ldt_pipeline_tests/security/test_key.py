"""The key is nowhere but in a request's header, whatever becomes of a command."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from ldt_pipeline.api.catalogue import LIST_PARTICIPANTS
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.contract import ContractError
from ldt_pipeline.api.documents import _Session
from ldt_pipeline.api.errors import AuthenticationError
from ldt_pipeline.sandbox import Sandbox, SandboxAccount, issue_key
from ldt_pipeline_tests.api.scripted import Answer, Scripted, answer
from ldt_pipeline_tests.cli.conftest import LDT, clean_environment
from ldt_pipeline_tests.forked import run_command
from ldt_pipeline_tests.security.searching import contents, places_of

SENTINEL = "sentinel-4f1c9a"
KEY = issue_key(jti=SENTINEL)
NEEDLES = (KEY, *KEY.split(".")[1:], SENTINEL, base64.b64encode(KEY.encode()).decode().rstrip("="))
"""The key, its claims, its signature, what only its claims hold, and its most likely disguise."""

REFUSED = answer(status="401 Unauthorized")
BROKEN = answer(b'{"data": [{"id": "1"')


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    account = SandboxAccount(60, seed=4, applications=10, history_years=1, events=2)
    with Sandbox(account) as served:
        yield served
    account.close()


def environment(base_url: str, data: Path, **more: str) -> dict[str, str]:
    return {
        **clean_environment(),
        "LDT_API_KEY": KEY,
        "LDT_API_BASE_URL": base_url,
        "LDT_DATA_DIR": str(data),
        "LDT_REQUEST_RETRIES": "1",
        **more,
    }


def run(
    *arguments: str, base_url: str, folder: Path, command: list[str] | None = None, **more: str
) -> tuple[int, str]:
    own = environment(base_url, folder / "data", **more)
    if command is None:
        done = run_command(*arguments, folder=folder, environment=own)
    else:
        done = subprocess.run(
            [*command, *arguments],
            env=own,
            cwd=folder,
            capture_output=True,
            timeout=120,
            check=False,
        )
    text = (done.stdout + done.stderr).decode()
    (folder / f"output-{time.monotonic_ns()}.txt").write_text(text)
    return done.returncode, text


def assert_nowhere(folder: Path) -> None:
    assert places_of(NEEDLES, contents(folder)) == []


@pytest.mark.slow
def test_the_search_finds_what_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """In raw files, in DuckDB, and in what Dagster packs: else the other tests show nothing."""
    assert run("sync", base_url=sandbox.base_url, folder=tmp_path)[0] == 0
    person = sandbox.account.participant_ids()[0]
    places = places_of([person], contents(tmp_path))
    for part in (".zst (unpacked)", "warehouse.duckdb: tidy.participants", "ldt.duckdb: main."):
        assert any(part in place for place in places), part
    packed = places_of(["raw_reserved_entries"], contents(tmp_path))
    assert any("snapshots (unpacked)" in place for place in packed)
    assert_nowhere(tmp_path)


@pytest.mark.parametrize(
    ("fault", "verbose"),
    [
        ("refused", []),
        *((each, ["--verbose"]) for each in ("down", "refused", "broken", "redirected")),
    ],
)
def test_a_sync_that_fails(fault: str, verbose: list[str], tmp_path: Path) -> None:
    elsewhere = answer(status="307 Temporary", Location="http://127.0.0.1:9/v0/participants")
    answers: dict[str, Answer] = {
        "refused": REFUSED,
        "broken": BROKEN,
        "redirected": elsewhere,
        "down": b"",
    }
    with Scripted(answers[fault]) as server:
        base_url = "http://127.0.0.1:9/v0" if fault == "down" else server.base_url
        status, text = run(*verbose, "sync", base_url=base_url, folder=tmp_path)
        assert status == 1
        assert ("Traceback" in text) == bool(verbose)
        assert fault == "down" or any(KEY in request for request in server.requests)
    assert_nowhere(tmp_path)


@pytest.mark.parametrize("what", ["raw is a file", "no room"])
def test_a_crash_with_a_traceback(what: str, sandbox: Sandbox, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    command = None
    if what == "raw is a file":
        (data / "raw").write_text("in the way")
    else:
        limited = 'ulimit -f 600; exec "$0" "$@"'  # blocks of 512 or 1,024 bytes
        command = ["bash", "-c", limited, str(LDT)]
    status, text = run(
        *("--verbose", "sync"), command=command, base_url=sandbox.base_url, folder=tmp_path
    )
    assert status != 0
    assert "Traceback" in text
    assert_nowhere(tmp_path)


@pytest.mark.slow
def test_a_sync_that_is_killed(tmp_path: Path) -> None:
    """In the middle of a step, with requests under way; and no process has it in its arguments."""
    account = SandboxAccount(40, seed=4, applications=10, history_years=1, events=2)
    with (
        Sandbox(account) as sandbox,
        (tmp_path / "out").open("wb") as out,
        (tmp_path / "err").open("wb") as err,
    ):
        sandbox.fail_next("hang", path_contains="/participants", after_requests=3, times=50)
        with subprocess.Popen(
            [str(LDT), "--verbose", "sync"],
            env=environment(sandbox.base_url, tmp_path / "data"),
            cwd=tmp_path,
            stdout=out,
            stderr=err,
        ) as process:
            end = time.monotonic() + 60
            while "Reading" not in (tmp_path / "out").read_text() and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(1)
            assert_in_no_arguments(process.pid)
            assert process.poll() is None
            process.send_signal(signal.SIGKILL)
    assert_nowhere(tmp_path)
    with Sandbox(account) as sandbox:
        assert run("sync", base_url=sandbox.base_url, folder=tmp_path)[0] == 0
    assert_nowhere(tmp_path)
    account.close()


def assert_in_no_arguments(pid: int) -> None:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        try:
            arguments = " ".join(process.cmdline())
        except psutil.Error:
            continue
        assert not any(needle in arguments for needle in NEEDLES)


@pytest.mark.parametrize("command", [["check"], ["start-list", "1"], ["rebuild"]])
def test_other_commands(command: list[str], sandbox: Sandbox, tmp_path: Path) -> None:
    run("--verbose", *command, base_url=sandbox.base_url, folder=tmp_path)
    assert_nowhere(tmp_path)


@pytest.mark.parametrize("around", ["'{}'", '"{}"', "Bearer {}", "{}\nx", "{} x", "\u201c{}\u201d"])
def test_a_key_that_was_copied_with_something_around_it(
    around: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    status, text = run(
        *("--verbose", "check"),
        base_url=sandbox.base_url,
        folder=tmp_path,
        LDT_API_KEY=around.format(KEY),
    )
    assert status == 1
    assert "copy it once more" in text
    assert_nowhere(tmp_path)


def test_an_expired_key_is_never_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    expired = issue_key(expires_at=1_700_000_000, jti=SENTINEL)
    sandbox.clear_requests()
    status, text = run("sync", base_url=sandbox.base_url, folder=tmp_path, LDT_API_KEY=expired)
    assert status == 1
    assert "expired on 2023-11-14 22:13 UTC" in text
    assert sandbox.requests == []
    assert expired not in text
    assert_nowhere(tmp_path)


def test_a_key_that_expires_while_it_is_used() -> None:
    page = answer({"data": [], "page": {"totalResults": 0}})
    key = issue_key(expires_at=int(time.time()) + 2)
    with Scripted(page) as server, Client(base_url=server.base_url, api_key=key) as client:
        client.get_page(LIST_PARTICIPANTS, parameters={})
        time.sleep(2.1)
        with pytest.raises(AuthenticationError, match="expired on"):
            client.get_page(LIST_PARTICIPANTS, parameters={})
        assert client.requests_sent == len(server.requests) == 1


@pytest.mark.parametrize("exp", [True, None, "soon", [], {}, 1e300, -1e300, "1e5000"])
def test_a_key_whose_expiry_makes_no_sense_is_sent(exp: object) -> None:
    page = answer({"data": [], "page": {"totalResults": 0}})
    parts = [{"alg": "HS256"}, {"exp": exp}]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts
    ]
    key = ".".join([*encoded, "c2ln"])
    with Scripted(page) as server, Client(base_url=server.base_url, api_key=key) as client:
        client.get_page(LIST_PARTICIPANTS, parameters={})


def test_a_document_is_not_followed_to_where_anybody_listens() -> None:
    response = requests.Response()
    response.status_code, response.url = 302, "https://api.example/documentation/json"
    for target in ("http://api.example/x", "HTTP://other.example"):
        response.headers["location"] = target
        with pytest.raises(ContractError, match="not secure"):
            _Session().get_redirect_target(response)
    for target in ("https://other.example/x", "/x", "//other.example/x"):
        response.headers["location"] = target
        assert _Session().get_redirect_target(response) == target
