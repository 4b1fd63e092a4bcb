"""Whatever is written is for its owner alone, however lax the mask and the folders were before."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldt_pipeline.private_files import find_lax, make_private, tighten
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.cli.conftest import LDT, Ran, clean_environment, run_ldt

WITH_A_LAX_MASK = ["sh", "-c", 'umask 0; exec "$0" "$@"', str(LDT)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    account = SandboxAccount(60, seed=4, applications=10, history_years=1, events=2)
    with Sandbox(account) as served:
        yield served
    account.close()


def settings_of(sandbox: Sandbox, data: Path) -> dict[str, str]:
    return {
        "LDT_API_KEY": sandbox.api_key,
        "LDT_API_BASE_URL": sandbox.base_url,
        "LDT_DATA_DIR": str(data),
    }


def modes(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in paths}


def assert_private(folder: Path) -> None:
    lax = {name: oct(mode) for name, mode in modes(folder).items() if mode & 0o077}
    assert lax == {}


@pytest.fixture(scope="module")
def synced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A first sync with a lax mask, into folders that were there and were lax."""
    data = tmp_path_factory.mktemp("lax") / "data"
    for name in ("raw", "exports", "dagster"):
        (data / name).mkdir(parents=True)
        (data / name).chmod(0o777)
    data.chmod(0o755)
    ran = run_ldt(
        "sync",
        folder=data.parent,
        settings=settings_of(sandbox, data),
        command=WITH_A_LAX_MASK,
    )
    return data, ran


def test_a_sync(synced: tuple[Path, Ran]) -> None:
    data, ran = synced
    assert ran.status == 0, ran.err
    names = modes(data)
    for part in ("warehouse.duckdb", "warehouse.lock", "ldt.duckdb"):
        assert names[part] == 0o600
    assert any(name.startswith("raw/") and name.endswith(".zst") for name in names)
    assert any(name.startswith("dagster/") and name.endswith(".db") for name in names)
    assert_private(data)


def test_an_export(synced: tuple[Path, Ran], sandbox: Sandbox) -> None:
    data, _ = synced
    ran = run_ldt(
        *("allocations", "--format", "csv", "--out", str(data / "exports" / "new" / "all.csv")),
        folder=data.parent,
        settings=settings_of(sandbox, data),
        command=WITH_A_LAX_MASK,
    )
    assert ran.status == 0, ran.err
    assert_private(data)


@pytest.mark.slow
def test_what_is_there_in_the_middle_of_a_sync(sandbox: Sandbox, tmp_path: Path) -> None:
    """Temporary files and write-ahead logs live for moments: look all the time, then kill."""
    data = tmp_path / "data"
    seen: set[str] = set()
    lax: dict[str, str] = {}
    with subprocess.Popen(
        [*WITH_A_LAX_MASK, "sync"],
        env={**clean_environment(), **settings_of(sandbox, data)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < end:
            for path in data.rglob("*"):
                try:
                    mode = stat.S_IMODE(path.stat().st_mode)
                except OSError:
                    continue
                seen.add(path.name)
                if mode & 0o077:
                    lax[str(path)] = oct(mode)
            if (data / "ldt.duckdb").exists():
                process.send_signal(signal.SIGKILL)
    assert lax == {}
    assert "warehouse.duckdb.wal" in seen
    assert any(name.startswith(".tmp-") for name in seen)
    assert_private(data)


def test_the_core_without_a_command(tmp_path: Path) -> None:
    """As somebody's own script does, who set no mask."""
    script = (
        "import os, sys; os.umask(0)\n"
        "from pathlib import Path\n"
        "from ldt_pipeline.warehouse.connection import open_warehouse\n"
        "from ldt_pipeline.warehouse.publish import publish\n"
        "folder = Path(sys.argv[1])\n"
        "with open_warehouse(folder / 'warehouse.duckdb') as connection:\n"
        "    connection.execute('CREATE TABLE t AS SELECT 1')\n"
        "    assert (folder / 'warehouse.duckdb.wal').stat().st_mode & 0o77 == 0\n"
        "    publish(connection, folder / 'ldt.duckdb')\n"
    )
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)  # whatever the mask of this process is
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
    assert_private(folder)


@pytest.mark.parametrize("name", ["", "warehouse.duckdb", "ldt.duckdb", "raw", "dagster"])
def test_check_names_what_is_lax_and_its_command_mends_it(
    synced: tuple[Path, Ran], sandbox: Sandbox, name: str
) -> None:
    data, _ = synced
    settings = settings_of(sandbox, data)
    assert run_ldt("check", folder=data.parent, settings=settings).status == 0
    path = data / name
    path.chmod(0o755 if path.is_dir() else 0o644)
    ran = run_ldt("check", folder=data.parent, settings=settings)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith("✗")]
    assert str(path) in line
    command = line.split("`")[1]
    subprocess.run(command, shell=True, check=True)
    assert_private(data)
    assert run_ldt("check", folder=data.parent, settings=settings).status == 0


def test_check_counts_many(synced: tuple[Path, Ran], sandbox: Sandbox) -> None:
    data, _ = synced
    settings = settings_of(sandbox, data)
    extracts = list((data / "raw").rglob("*.zst"))
    for path in extracts:
        path.chmod(0o640)
    ran = run_ldt("check", folder=data.parent, settings=settings)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith("✗")]
    assert f"and {len(extracts) - 1} path" in line
    subprocess.run(line.split("`")[1], shell=True, check=True)
    assert_private(data)


def test_check_looks_at_dagster_s_home(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "home" / "history").mkdir(parents=True)
    (tmp_path / "home" / "history").chmod(0o755)
    (tmp_path / "home" / "history" / "runs.db").write_text("x")
    settings = settings_of(sandbox, tmp_path / "data")
    ran = run_ldt("check", folder=tmp_path, settings=settings, DAGSTER_HOME=str(tmp_path / "home"))
    assert ran.status == 1
    assert str(tmp_path / "home" / "history") in ran.out


def test_check_looks_at_dot_env(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LDT_MAX_CONCURRENCY=2\n")
    (tmp_path / ".env").chmod(0o644)
    ran = run_ldt("check", folder=tmp_path, settings=settings_of(sandbox, tmp_path / "data"))
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if "chmod 600" in line]
    assert line.startswith("!")


def test_an_empty_folder_holds_nothing_to_hide(tmp_path: Path) -> None:
    """As in a fresh clone."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / ".gitkeep").touch()
    (folder / ".gitkeep").chmod(0o644)
    assert list(find_lax(folder)) == []
    assert list(find_lax(tmp_path / "nowhere")) == []


def test_what_is_not_ours_alone_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    for_all = tmp_path / "for-all"
    for_all.mkdir()
    for_all.chmod(0o1777)
    link = tmp_path / "link"
    link.symlink_to(home)
    for path in (home, for_all):
        make_private(path)
        assert path.stat().st_mode & 0o077
    tighten(link)
    assert home.stat().st_mode & 0o077
    before = Path("/").stat().st_mode
    make_private(Path("/"))
    assert Path("/").stat().st_mode == before
