"""Dagster's pages, served for real with a key in the environment: nothing they answer holds it.

Every field of the GraphQL schema that needs no argument is asked for, at every depth that matters,
and by name whatever hangs off a run, an asset, a resource or a sensor.
"""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.cli.conftest import clean_environment
from ldt_pipeline_tests.forked import run_command
from ldt_pipeline_tests.security.searching import contents, places_of
from ldt_pipeline_tests.security.test_key import KEY, NEEDLES

pytestmark = pytest.mark.timeout(600)  # Dagster's services start in each of a few tests

ROOT = Path(__file__).parents[2]
DAGSTER = Path(sys.executable).with_name("dagster")
DEPTH = 3
_BROKEN_MOST = 30
PARTS_OF_A_FIELD = "name args { name defaultValue type { kind } } type { ...kind }"
_KIND = "kind name"
for _ in range(7):
    _KIND = f"kind name ofType {{ {_KIND} }}"
INTROSPECTION = f"""
fragment kind on __Type {{ {_KIND} }}
{{ __schema {{
    queryType {{ name }}
    types {{ name kind fields {{ {PARTS_OF_A_FIELD} }} possibleTypes {{ name }} }}
}} }}
"""


class Pages:
    """The served pages; every answer is kept, to be searched."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.folder = folder
        self.answers: list[tuple[str, bytes]] = []
        self._types: dict[str, Any] = {}
        self._broken: set[str] = set()

    def get(self, path: str) -> requests.Response:
        response = requests.get(self.address + path, timeout=60)
        self.answers.append((path, response.content))
        if response.content[:2] == b"\x1f\x8b":
            self.answers.append((f"{path} (unpacked)", gzip.decompress(response.content)))
        return response

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        response = requests.post(
            f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=120
        )
        self.answers.append((query[:200], response.content))
        answer = response.json()
        assert answer.get("data"), answer
        return answer["data"]

    def ask_everything(
        self,
        field: dict[str, Any],
        declared: str = "",
        given: str = "",
        *,
        depth: int = DEPTH,
        **variables: Any,
    ) -> Any:
        """Ask for all that a field of the root has; without what Dagster itself can't answer."""
        for _ in range(_BROKEN_MOST):
            selection = self.everything(field["type"], depth)
            query = f"query{declared} {{ {field['name']}{given} {selection} }}"
            response = requests.post(
                f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=90
            )
            self.answers.append((query[:200], response.content))
            answer = response.json()
            broken = {
                part
                for error in answer.get("errors", ())
                for part in (error.get("path") or ())[-1:]
                if isinstance(part, str) and "_" in part
            }
            if not broken - self._broken:
                return (answer.get("data") or {}).get(field["name"])
            self._broken |= broken
        return None

    def field(self, name: str) -> dict[str, Any]:
        return next(each for each in self._types["Query"]["fields"] if each["name"] == name)

    def read_schema(self) -> list[dict[str, Any]]:
        """Give the fields of the schema's root that need no argument."""
        schema = self.ask(INTROSPECTION)["__schema"]
        self._types = {each["name"]: each for each in schema["types"]}
        root = self._types[schema["queryType"]["name"]]
        return [each for each in root["fields"] if not _needs_arguments(each)]

    def everything(self, kind: Any, depth: int = DEPTH, above: tuple[str, ...] = ()) -> str:
        """Write a selection of all that a type has, not going back to a type that is above it."""
        name = _name(kind)
        found = self._types[name]
        if found["kind"] in ("SCALAR", "ENUM"):
            return ""
        if depth == 0 or name in above:
            return "{ __typename }"
        above = (*above, name)
        if found["kind"] in ("UNION", "INTERFACE") and found["possibleTypes"]:
            parts = [
                f"... on {each['name']} {self.everything(each, depth, above)}"
                for each in found["possibleTypes"]
                if each["name"] not in above
            ]
            return f"{{ __typename {' '.join(parts)} }}"
        fields = [
            f"{_alias(found['name'], each)}: {each['name']} "
            f"{self.everything(each['type'], depth - 1, above)}"
            for each in found["fields"] or ()
            if not _needs_arguments(each) and _alias(found["name"], each) not in self._broken
        ]
        return f"{{ __typename {' '.join(fields)} }}"


def _alias(kind: str, field: dict[str, Any]) -> str:
    # Members of a union may have fields of one name and different types.
    return f"{kind}_{field['name']}"


def _needs_arguments(field: dict[str, Any]) -> bool:
    return any(
        each["type"]["kind"] == "NON_NULL" and each["defaultValue"] is None
        for each in field["args"]
    )


def _name(kind: Any) -> str:
    while kind.get("ofType"):
        kind = kind["ofType"]
    return kind["name"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """`dagster dev` after a sync, once a run has succeeded there and one has failed."""
    folder = tmp_path_factory.mktemp("pages")
    account = SandboxAccount(60, seed=4, applications=10, history_years=1, events=2)
    port = _free_port()
    with Sandbox(account) as sandbox, (folder / "output.txt").open("wb") as output:
        environment = {
            **clean_environment(),
            "LDT_API_KEY": KEY,
            "LDT_API_BASE_URL": sandbox.base_url,
            "LDT_DATA_DIR": str(folder / "data"),
        }
        assert run_command("sync", folder=folder, environment=environment).returncode == 0
        command = [str(DAGSTER), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1"]
        process = subprocess.Popen(
            [*command, "-p", str(port), "--log-level", "debug", "--code-server-log-level", "debug"],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        pages = Pages(f"http://127.0.0.1:{port}", folder)
        try:
            _wait(lambda: _is_up(pages), 90)
            sandbox.revoke_key(KEY)  # from here on every run that asks the API fails
            _launch(pages, "load")
            _launch(pages, "fetch_partners")
            _wait(lambda: _statuses(pages) >= {"SUCCESS", "FAILURE"}, 150, process.pid)
            yield pages
        finally:
            # All of them at once: none has anything left to write, and waiting for each other
            # takes them half a minute.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    account.close()


def _wait(until: Any, seconds: float, pid: int | None = None) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "took too long"
        if pid is not None:
            _see_arguments(pid)
        time.sleep(0.5)


def _see_arguments(pid: int) -> None:
    for process in psutil.Process(pid).children(recursive=True):
        try:
            arguments = " ".join(process.cmdline())
        except psutil.Error:
            continue
        assert not any(needle in arguments for needle in NEEDLES)


def _is_up(pages: Pages) -> bool:
    try:
        return pages.get("/server_info").status_code == 200
    except requests.ConnectionError:
        return False


def _statuses(pages: Pages) -> set[str]:
    """Give how the runs that Dagster launched in processes of their own have ended."""
    data = pages.ask("{ runsOrError { ... on Runs { results { status tags { key value } } } } }")
    return {
        each["status"]
        for each in data["runsOrError"]["results"]
        if not any(tag["key"] == "ldt/from" for tag in each["tags"])
    }


def _launch(pages: Pages, job: str) -> None:
    selector = {
        "repositoryLocationName": "ldt_pipeline",
        "repositoryName": "__repository__",
        "pipelineName": job,
    }
    tags = [
        {"key": f"dagster/asset_partition_range_{end}", "value": "2024-01"}
        for end in ("start", "end")
    ]
    config = {"ops": {"raw_partners": {"config": {"only_changes": True}}}}
    is_load = job == "load"
    parameters = {
        "selector": selector,
        "runConfigData": {} if is_load else config,
        "executionMetadata": {"tags": [] if is_load else tags},
    }
    launched = pages.ask(
        "mutation($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) "
        "{ __typename ... on PythonError { message } ... on LaunchRunSuccess { run { id } } } }",
        parameters=parameters,
    )
    assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched


def assert_harmless(pages: Pages) -> None:
    assert places_of(NEEDLES, pages.answers) == []


@pytest.mark.slow
def test_whatever_needs_no_argument(pages: Pages) -> None:
    fields = pages.read_schema()
    assert len(fields) > 15
    answered = sum(pages.ask_everything(field, depth=2) is not None for field in fields)
    assert answered > len(fields) * 0.7
    assert_harmless(pages)


@pytest.mark.slow
def test_runs_with_their_configuration_events_logs_and_dumps(pages: Pages) -> None:
    pages.read_schema()
    runs = pages.ask(
        "{ runsOrError { ... on Runs { results { id status jobName runConfigYaml "
        "tags { key value } fileNames: assetSelection { path } "
        "stats { ... on PythonError { message stack } } } } } }"
    )["runsOrError"]["results"]
    assert {each["status"] for each in runs} >= {"SUCCESS", "FAILURE"}
    for run in runs:
        events = pages.ask_everything(
            pages.field("logsForRun"), "($id: ID!)", "(runId: $id)", id=run["id"]
        )
        assert events["__typename"] == "EventConnection"
        pages.get(f"/download_debug/{run['id']}")
        for path in (pages.folder / "data" / "dagster" / "logs").rglob("*"):
            if path.is_file() and run["id"] in str(path):
                pages.answers.append((str(path), path.read_bytes()))
    assert places_of(["The API refused the key"], pages.answers), "the reason is told"
    assert_harmless(pages)


@pytest.mark.slow
def test_resources_variables_assets_and_sensors(pages: Pages) -> None:
    pages.read_schema()
    selector = {
        "repositoryLocationName": "ldt_pipeline",
        "repositoryName": "__repository__",
    }
    for name in (
        *("utilizedEnvVarsOrError", "allTopLevelResourceDetailsOrError", "sensorsOrError"),
        *("schedulesOrError", "repositoryOrError"),
    ):
        field = pages.field(name)
        argument = next(each["name"] for each in field["args"] if "elector" in each["name"])
        data = pages.ask_everything(
            field, "($s: RepositorySelector!)", f"({argument}: $s)", s=selector
        )
        assert "Error" not in data["__typename"], data
    for asset in ("raw_participants", "start_list", "published"):
        data = pages.ask_everything(
            pages.field("assetOrError"),
            "($k: AssetKeyInput!)",
            "(assetKey: $k)",
            k={"path": [asset]},
        )
        assert data["__typename"] == "Asset"
    assert_harmless(pages)


@pytest.mark.slow
def test_other_addresses(pages: Pages) -> None:
    for path in ("/", "/server_info", "/dagit_info", "/deployment", "/locations", "/graphql"):
        pages.get(path)
    assert_harmless(pages)


@pytest.mark.slow
def test_what_was_written_meanwhile(pages: Pages) -> None:
    """Dagster's storage, its outputs, and all that its processes printed at level debug."""
    found = [*contents(pages.folder)]
    assert any(name.endswith(".db") for name, _ in found)
    assert places_of(NEEDLES, found) == []
    lax = [str(path) for path in (pages.folder / "data").rglob("*") if path.stat().st_mode & 0o077]
    assert lax == []
