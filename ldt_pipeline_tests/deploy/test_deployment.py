"""A deployment's processes, as its units start them, against a real Postgres; then its backup.

Containers and systemd itself are not run here: the commands, the configuration and the scripts are.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import yaml

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.alerting.servers import free_port
from ldt_pipeline_tests.cli.conftest import clean_environment
from ldt_pipeline_tests.deploy.postgres import Postgres, postgres_server
from ldt_pipeline_tests.forked import run_command
from ldt_pipeline_tests.security.searching import contents, places_of
from ldt_pipeline_tests.security.test_key import KEY, NEEDLES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
UNITS = ("ldt-code", "ldt-daemon", "ldt-webserver")


def settings_of(unit: str) -> dict[str, list[str]]:
    """Give what a unit sets, by name: a name may stand more than once."""
    found: dict[str, list[str]] = {}
    text = (DEPLOY / "systemd" / f"{unit}.service").read_text(encoding="utf-8")
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@dataclass
class Machine:
    """What a machine would have in /etc/ldt, /run/ldt and /var/lib/ldt, in one folder."""

    folder: Path
    postgres: Postgres
    sandbox: Sandbox
    port: int

    def here(self, text: str) -> str:
        """Write a line of ours for this folder instead of the machine's places."""
        for place, local in (
            ("/opt/ldt/.venv/bin", BIN),
            ("/etc/ldt", self.folder / "etc"),
            ("/run/ldt", self.folder / "run"),
            ("/var/lib/ldt", self.data),
            ("--port 3000", f"--port {self.port}"),
        ):
            text = text.replace(place, str(local))
        return text

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        lines = " ".join(settings_of("ldt-code")["Environment"])
        return {
            **clean_environment(),
            **dict(each.split("=", 1) for each in shlex.split(self.here(lines))),
            **self.postgres.environment,
            "PATH": f"{self.postgres.bin}:{BIN}:{os.environ['PATH']}",
            "LDT_API_KEY": KEY,
            "LDT_API_BASE_URL": self.sandbox.base_url,
        }

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return self._logged(
            subprocess.run(
                command,
                env=self.environment,
                cwd=self.folder,
                capture_output=True,
                timeout=300,
                check=False,
            )
        )

    def ldt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._logged(
            run_command(*arguments, folder=self.folder, environment=self.environment, seconds=300)
        )

    def _logged(self, done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
        out, err = done.stdout.decode(), done.stderr.decode()
        (self.folder / "logs" / f"{time.monotonic_ns()}.txt").write_text(out + err)
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, unit: str) -> subprocess.Popen[bytes]:
        (command,) = settings_of(unit)["ExecStart"]
        with (self.folder / "logs" / unit).open("wb") as log:
            return subprocess.Popen(
                shlex.split(self.here(command)),
                env=self.environment,
                cwd=self.data,
                stdout=log,
                stderr=log,
                umask=int(settings_of(unit)["UMask"][0], 8),
                start_new_session=True,
                # As units begin: where the tests' own shell ignores Ctrl-C, Dagster would take SIGTERM
                # for the same, and never end.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        ).json()
        assert answer.get("data"), answer
        return answer["data"]

    def launch(self, job: str) -> str:
        selector = {
            "repositoryLocationName": "ldt_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        launched = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { id } } } }",
            p={"selector": selector, "runConfigData": {}},
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["id"]

    def status(self, run_id: str) -> str:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        return self.ask(query, id=run_id)["runOrError"]["status"]

    def start_list(self) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.data / "ldt.duckdb"), read_only=True) as connection:
            return connection.execute("FROM start_list ORDER BY participant_id").fetchall()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: took too long"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    for name in ("etc", "etc/dagster", "run", "data", "logs"):
        (folder / name).mkdir(mode=0o700)
    account = SandboxAccount(60, seed=4, applications=10, history_years=1, events=2)
    with Sandbox(account) as sandbox, postgres_server() as postgres:
        machine = Machine(folder, postgres, sandbox, free_port())
        for name in (DEPLOY / "dagster.yaml", DEPLOY / "systemd" / "workspace.yaml"):
            (folder / "etc" / "dagster" / name.name).write_text(machine.here(name.read_text()))
        synced = machine.ldt("sync")
        assert synced.returncode == 0, synced.stderr
        yield machine
    account.close()


def test_processes_come_up_and_a_run_from_the_pages_publishes(machine: Machine) -> None:
    assert int(machine.postgres.sql("SELECT count(*) FROM runs")) > 3
    published = machine.data / "ldt.duckdb"
    before = machine.start_list()
    published.unlink()
    processes = [machine.start(unit) for unit in UNITS]
    try:
        wait_for(lambda: is_serving(machine), "the web server")
        # Units start at the same time: whoever finds no code server yet has to find it later.
        wait_for(lambda: has_location(machine), "the code location")
        run_id = machine.launch("load_and_publish")
        wait_for(lambda: machine.status(run_id) in ("SUCCESS", "FAILURE"), "the run")
        assert machine.status(run_id) == "SUCCESS"
        assert machine.start_list() == before
        # Asked in a cheap way first: each of the two commands takes seconds.
        beats = "SELECT count(*) FROM daemon_heartbeats"
        wait_for(lambda: int(machine.postgres.sql(beats)) >= 6, "the daemon")
        for command in health_checks(machine):
            healthy = machine.run(*command)
            assert healthy.returncode == 0, healthy.stdout + healthy.stderr
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(60)
    # The units let nothing be written there. (Of two empty folders, which Dagster makes for what it
    # would upload if it were let, it doesn't mind not getting them.)
    etc = machine.folder / "etc" / "dagster"
    configured = {path.name for path in etc.rglob("*") if path.is_file()}
    assert configured == {"dagster.yaml", "workspace.yaml"}
    lax = [str(path) for path in machine.data.rglob("*") if path.stat().st_mode & 0o077]
    assert lax == []


def health_checks(machine: Machine) -> list[list[str]]:
    """Give what the containers are asked for their health, but for the web server."""
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    tests = [compose["services"][name]["healthcheck"]["test"] for name in ("code", "daemon")]
    socket = ["--socket", str(machine.folder / "run" / "code.sock")]
    return [[str(BIN / test[1]), *_listening(test[2:], socket)] for test in tests]


def _listening(arguments: list[str], socket: list[str]) -> list[str]:
    """Put the socket in the place of the port, as the units have it."""
    if "--port" not in arguments:
        return arguments
    at = arguments.index("--port")
    return [*arguments[:at], *socket, *arguments[at + 2 :]]


def has_location(machine: Machine) -> bool:
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
    return bool(machine.ask(query)["repositoriesOrError"].get("nodes"))


def is_serving(machine: Machine) -> bool:
    try:
        address = f"http://127.0.0.1:{machine.port}/server_info"
        return requests.get(address, timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def test_an_erasure_reaches_postgres_and_what_runs_printed(machine: Machine) -> None:
    with duckdb.connect(str(machine.data / "ldt.duckdb"), read_only=True) as connection:
        person, email, other = connection.execute(
            """
            SELECT any_value(participant_id), email, max(email) OVER () FROM start_list
            WHERE email IS NOT NULL GROUP BY email HAVING count(*) = 1 ORDER BY email LIMIT 1
            """
        ).fetchall()[0]
    printed = machine.data / "dagster" / "logs" / "printed.err"
    printed.write_text(f"{email}\n")
    for address in (email, other):
        machine.postgres.sql(
            f"INSERT INTO kvs (key, value) VALUES ('{address}', '[\"{address}\"]')"
        )
    machine.postgres.sql(f"UPDATE event_logs SET event = event || '{email}' WHERE id = 1")
    erased = machine.ldt("erase", "participant", person, "--yes")
    assert erased.returncode == 0, erased.stderr
    assert printed.read_text() == "(erased)\n"
    dump = dump_of(machine)
    assert email not in dump
    assert machine.postgres.sql("SELECT value FROM kvs WHERE key = '(erased)'") == '["(erased)"]'
    assert (other in dump) == (other != email)


def dump_of(machine: Machine) -> str:
    dump = machine.run(
        *("pg_dump", "--host", "127.0.0.1", "--port", str(machine.postgres.port)),
        *("--username", "ldt", f"--dbname=postgresql://:{machine.postgres.password}@/postgres"),
    )
    assert dump.returncode == 0, dump.stderr
    return dump.stdout


def test_a_backup_comes_back_on_an_empty_machine(machine: Machine) -> None:
    people, runs = machine.start_list(), machine.postgres.sql("SELECT count(*) FROM runs")
    backup = machine.folder / "backup"
    done = machine.run(DEPLOY / "backup.sh", backup)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mode & 0o077 == 0 for path in (backup, *backup.iterdir()))

    full = machine.run(DEPLOY / "restore.sh", backup)
    assert full.returncode == 1
    assert "is not empty" in full.stderr
    machine.data.rename(machine.folder / "lost")
    machine.postgres.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    damaged = (backup / "data.tar.gz").read_bytes()
    (backup / "data.tar.gz").write_bytes(damaged[:-1])
    assert machine.run(DEPLOY / "restore.sh", backup).returncode == 1
    (backup / "data.tar.gz").write_bytes(damaged)

    done = machine.run(DEPLOY / "restore.sh", backup)
    assert done.returncode == 0, done.stderr
    assert machine.postgres.sql("SELECT count(*) FROM runs") == runs
    assert not (machine.data / "ldt.duckdb").exists()
    rebuilt = machine.ldt("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert machine.start_list() == people


def test_neither_key_nor_password_is_anywhere(machine: Machine) -> None:
    """In no log, no file, and not in Postgres, of which there is a dump in plain text."""
    dump = dump_of(machine)
    assert "participants" in dump
    found = [("dump", dump.encode()), *contents(machine.folder)]
    assert places_of([*NEEDLES, machine.postgres.password], found) == []
