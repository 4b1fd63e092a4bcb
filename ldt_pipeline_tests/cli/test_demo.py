"""`ldt demo` and `ldt sandbox`."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
import requests

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.demo_folder import is_demo_folder, prepare
from ldt_pipeline_tests.cli.conftest import LDT, clean_environment, run_ldt


@pytest.mark.slow
def test_demo_twice(tmp_path: Path) -> None:
    elsewhere = {"PATH": os.defpath}
    first = run_ldt("demo", "--participants", "100", folder=tmp_path, settings=elsewhere)
    assert (first.status, first.err) == (0, "")
    assert "Start list of " in first.out
    assert "Partner allocations" in first.out
    assert "What to open next:" in first.out
    published = tmp_path / "data" / "demo" / "ldt.duckdb"
    assert str(published) in first.out
    assert os.listdir(tmp_path / "data") == ["demo"]  # noqa: PTH208
    assert f"LDT_DATA_DIR=data/demo {LDT} allocations" in first.out, "as a shell finds it"

    here = {"PATH": f"{LDT.parent}{os.pathsep}{os.defpath}"}
    second = run_ldt("demo", "--participants", "100", folder=tmp_path, settings=here)
    assert (second.status, second.err) == (0, "")
    assert "Nothing new: " in second.out
    shown = first.out.index("Start list of ")
    assert second.out.endswith(first.out[shown:].replace(str(LDT), "ldt"))
    assert "LDT_DATA_DIR=data/demo ldt allocations" in second.out

    real = {"LDT_DATA_DIR": "data/demo", "LDT_API_KEY": "a-key-of-somebody"}
    refused = run_ldt("sync", folder=tmp_path, settings=real)
    assert refused.status == 1
    assert "made-up people" in refused.sentence


def test_demo_keeps_out_of_real_data(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    ran = run_ldt("demo", folder=tmp_path, settings={"LDT_DATA_DIR": str(tmp_path)})
    assert ran.status == 1
    assert "not a demo's" in ran.sentence
    assert not is_demo_folder(tmp_path)


def test_folder_remembers_its_account(tmp_path: Path) -> None:
    first = prepare(tmp_path, participants=10, seed=1, fresh=False)
    (tmp_path / "raw").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert prepare(tmp_path, participants=10, seed=1, fresh=False) == first
    assert (tmp_path / "raw").exists()
    prepare(tmp_path, participants=11, seed=1, fresh=False)
    assert not (tmp_path / "raw").exists()
    assert (tmp_path / "notes.txt").exists()


def test_folder_is_emptied_on_request_or_when_its_marker_is_broken(tmp_path: Path) -> None:
    prepare(tmp_path, participants=10, seed=1, fresh=False)
    (tmp_path / "raw").mkdir()
    prepare(tmp_path, participants=10, seed=1, fresh=True)
    assert not (tmp_path / "raw").exists()
    (tmp_path / "demo.json").write_text('{"participants": 10, "now": "yesterday"}')
    (tmp_path / "raw").mkdir()
    prepare(tmp_path, participants=10, seed=1, fresh=False)
    assert not (tmp_path / "raw").exists()


def test_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").touch()
    with pytest.raises(CommandError, match="not a demo's"):
        prepare(tmp_path, participants=10, seed=1, fresh=True)
    assert (tmp_path / "warehouse.duckdb").exists()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_serves_until_it_is_ended(tmp_path: Path, signal_number: int) -> None:
    with subprocess.Popen(
        [str(LDT), "sandbox", "--participants", "5"],
        env=clean_environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has them ignore Ctrl-C, and a child inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        address, key = (
            process.stdout.readline().strip().removeprefix(f"export {name}=")
            for name in ("LDT_API_BASE_URL", "LDT_API_KEY")
        )
        answer = requests.get(
            f"{address}/participants", headers={"Authorization": f"Bearer {key}"}, timeout=10
        )
        process.send_signal(signal_number)
        assert process.wait(30) == 0
    assert answer.json()["page"]["totalResults"] == 5


@pytest.mark.parametrize(
    "typed",
    [
        ("--latency-ms", "nan"),
        ("--latency-ms", "inf"),
        ("--fault-rate", "nan"),
        ("--changes-per-second", "inf"),
        ("--now", "0001-01-01"),
        ("--now", "1960-01-01"),
        ("--now", "9999-12-31T23:59:59Z"),
        ("--participants", "17000000"),
        ("--applications", "17000000"),
    ],
)
def test_sandbox_options_that_nothing_can_be_made_of(
    tmp_path: Path, typed: tuple[str, str]
) -> None:
    ran = run_ldt("sandbox", *typed, folder=tmp_path, settings={})
    assert ran.status == 2
    assert f"Invalid value for '{typed[0]}'" in ran.err


def test_sandbox_port_in_use(tmp_path: Path, sandbox: object) -> None:
    port = sandbox.origin.rsplit(":", 1)[-1]  # type: ignore[attr-defined]
    ran = run_ldt("sandbox", "--participants", "5", "--port", port, folder=tmp_path, settings={})
    assert ran.status == 1
    assert "another port" in ran.sentence
