"""One organiser's data folder beside a sandbox, and the real `ldt` at work on it.

What belongs here: starting `ldt` as a process, or calling the same command in this process where a
process of its own would show nothing more; and what can be said of the folder afterwards. What
doesn't: what goes wrong (the scenarios).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.truth import Tables, differences, published, torn, truth
from ldt_pipeline.sandbox import Sandbox

LDT = Path(sys.executable).with_name("ldt")
TIMEOUT_SECONDS = 1.0
"""How long the client waits for an answer in the bench: what hangs, hangs longer."""

_RETRIES = 4
"""How often the client asks again in the bench: people wait longer than it can."""

_LONGEST_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What became of one command."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether it says that it is done."""
        return self.status == 0

    @property
    def offences(self) -> list[str]:
        """What is wrong with how it ended: a failure has to be one sentence that tells why."""
        lines = self.err.strip().splitlines()
        if self.succeeded:
            return [f"a sync that succeeded wrote to stderr: {self.err[:500]}"] if lines else []
        if len(lines) != 1 or not lines[0].startswith("Error: "):
            return [f"a sync failed (status {self.status}) without a sentence: {self.err[-1500:]}"]
        if "Something unexpected" in lines[0]:
            return [f"a sync failed with an error that nobody explains: {lines[0]}"]
        return []


@dataclass(kw_only=True)
class Place:
    """A data folder, and the sandbox that it is synced from."""

    folder: Path
    sandbox: Sandbox
    in_process: bool = False
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def published(self) -> Path:
        """The file for people."""
        return self.folder / "ldt.duckdb"

    @property
    def raw(self) -> Path:
        """The raw store."""
        return self.folder / "raw"

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of a command: nobody's own settings, and the sandbox's."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LDT_", "DAGSTER_"))
        }
        return {
            **own,
            "LDT_API_KEY": self.sandbox.api_key,
            "LDT_API_BASE_URL": self.sandbox.base_url,
            "LDT_DATA_DIR": str(self.folder),
            "LDT_EVENT_IDS": ",".join(self.sandbox.account.event_ids()),
            "LDT_REQUEST_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "LDT_REQUEST_RETRIES": str(_RETRIES),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            **self.settings,
            **more,
        }

    def start(
        self, *arguments: str, command: list[str] | None = None, **more: str
    ) -> subprocess.Popen[str]:
        """Start `ldt` as a process, in a folder without an `.env`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [*(command or [str(LDT)]), *(arguments or ("sync",))],
            env=self.environment(**more),
            cwd=self.folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, command: list[str] | None = None, **more: str) -> Ran:
        """Run `ldt` (by default `ldt sync`) to its end."""
        if self.in_process and command is None:
            return self._run_here(arguments or ("sync",), more)
        began = time.monotonic()
        process = self.start(*arguments, command=command, **more)
        return finish(process, began)

    def digest(self) -> str | None:
        """Tell the published file by its bytes; None where there is none."""
        if not self.published.exists():
            return None
        return hashlib.sha256(self.published.read_bytes()).hexdigest()

    def offences(self, *expected: Tables, names: tuple[str, ...] | None = None) -> list[str]:
        """Say what is wrong with the published file: torn, or none of the states expected."""
        if not self.published.exists():
            return ["nothing is published"]
        found = torn(self.published)
        if expected:
            tables = published(self.published)
            by_state = [differences(tables, each, names) for each in expected]
            found += min(by_state, key=len)
        return found

    def offences_in_peace(
        self, *, names: tuple[str, ...] | None = None, whole: bool = False
    ) -> list[str]:
        """Run a sync without faults, and say what is not the truth then.

        Groups and tickets carry no timestamps: where they are compared too (no `names`), that sync
        reads them of every event, however fresh they are. `whole` reads every list in full.
        """
        arguments = ("sync", "--whole") if whole else ("sync",)
        ran = self.run(*arguments, **({} if names else {"LDT_EVENT_REFRESH_MINUTES": "0"}))
        if not ran.succeeded:
            return [f"a sync without faults failed: {ran.err[-1500:]}", *ran.offences]
        return [*ran.offences, *self.offences(truth(self.sandbox.account), names=names)]

    def _run_here(self, arguments: tuple[str, ...], more: Mapping[str, str]) -> Ran:
        from click.testing import CliRunner  # noqa: PLC0415

        from ldt_pipeline.cli import main  # noqa: PLC0415

        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        unset = {name: None for name in os.environ if name.startswith(("LDT_", "DAGSTER_"))}
        environment = {**unset, **self.environment(**more)}
        result = CliRunner().invoke(main, list(arguments), env=environment)
        return Ran(
            status=result.exit_code,
            out=result.stdout,
            err=result.stderr,
            seconds=time.monotonic() - began,
        )


def finish(process: subprocess.Popen[str], began: float) -> Ran:
    """Wait for a process that runs `ldt`."""
    try:
        out, err = process.communicate(timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err = f"{err}\nIt hung for {_LONGEST_SECONDS} s and was ended by the bench."
    return Ran(status=process.returncode, out=out, err=err, seconds=time.monotonic() - began)
