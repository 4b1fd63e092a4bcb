"""Help teaches, and costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from ldt_pipeline.cli import main
from ldt_pipeline_tests.cli.conftest import LDT, clean_environment

COMMANDS = [
    "demo",
    "check",
    "sync",
    "start-list",
    "allocations",
    "partner",
    "reserved-entry",
    "participant",
    "application",
    "alerts",
    "erase",
    "rebuild",
    "compact",
    "sandbox",
]


def test_contract_of_commands() -> None:
    assert list(main.commands) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    for part in ("Usage: ", "Examples:", f"ldt {name}", "Exit status:", "--verbose"):
        assert part in result.output
    assert main.commands[name].short_help


@pytest.mark.parametrize("name", ["export", "plan", "apply"])
def test_help_of_what_changes_allocations(name: str) -> None:
    result = CliRunner().invoke(main, ["allocations", name, "--help"])
    assert result.exit_code == 0
    for part in ("Examples:", f"ldt allocations {name}", "Exit status:"):
        assert part in result.output
    assert result.output.startswith(f"Usage: main allocations {name} [OPTIONS]")
    assert name in CliRunner().invoke(main, ["allocations", "--help"]).output


@pytest.mark.parametrize("name", ["example", "test", "status", "send"])
def test_help_of_alerts(name: str) -> None:
    result = CliRunner().invoke(main, ["alerts", name, "--help"])
    assert result.exit_code == 0
    for part in ("Usage: ", "Examples:", f"ldt alerts {name}", "Exit status:"):
        assert part in result.output
    assert name in CliRunner().invoke(main, ["alerts", "--help"]).output


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("ldt, version ")


def test_unknown_command() -> None:
    assert CliRunner().invoke(main, ["frobnicate"]).exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(LDT), "--help"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    modules = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "ldt_pipeline.cli.sync" in modules
    packages = {name.split(".")[0] for name in modules}
    heavy = {"dagster", "duckdb", "polars", "pyarrow", "requests", "pydantic", "rich", "aiohttp"}
    assert not packages & heavy
