"""The files of a deployment agree with the code, with each other, and with what reads them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ldt_pipeline.home import INSTANCE_CONFIG
from ldt_pipeline.settings import Settings
from ldt_pipeline_tests.deploy.test_deployment import UNITS, settings_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "deployment.md"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_instance_is_ours_but_for_its_storage() -> None:
    deployed = read(DEPLOY / "dagster.yaml")
    names = deployed.pop("storage")["postgres"]["postgres_db"]
    assert deployed == {key: each for key, each in INSTANCE_CONFIG.items() if key != "storage"}
    example = (DEPLOY / "ldt.env.example").read_text()
    assert names.pop("scheme") == "postgresql+psycopg2"
    for each in names.values():
        assert f"\n{each['env']}=" in example


def test_every_name_in_the_environment_file_means_something() -> None:
    example = (DEPLOY / "ldt.env.example").read_text()
    names = set(re.findall(r"^#? ?(LDT_\w+)=", example, re.MULTILINE))
    known = {f"LDT_{name.upper()}" for name in Settings.model_fields}
    others = {name for name in names - known if not name.startswith("LDT_POSTGRES_")}
    # What the alerts file names, as in the packaged example.
    assert others == {"LDT_ALERTS_WEBHOOK_URL", "LDT_ALERTS_SMTP_PASSWORD"}


def test_what_is_installed_is_what_was_tested() -> None:
    pins = [
        set(re.findall(r"^([\w.-]+(?:\[[\w,-]+\])?==\S+)", path.read_text(), re.MULTILINE))
        for path in (ROOT / "requirements.lock", DEPLOY / "requirements.lock")
    ]
    assert pins[1] < pins[0]
    assert any(each.startswith("dagster-postgres==") for each in pins[1])
    assert not any(each.startswith(("pytest==", "pixeltable")) for each in pins[1])
    text = (DEPLOY / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_locked_up_and_holds_no_secret(unit: str) -> None:
    settings = settings_of(unit)
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces"):
        assert settings[name] == ["yes"], name
    assert settings["User"] == ["ldt"]
    assert settings["UMask"] == ["0077"]
    assert settings["CapabilityBoundingSet"] == [""]
    assert settings["EnvironmentFile"] == ["/etc/ldt/ldt.env"]
    assert unit in (DEPLOY / "systemd" / "ldt.target").read_text()
    assert not re.search(r"PASSWORD|API_KEY", " ".join(settings["Environment"]))


def test_the_unit_that_draws_lets_v8_protect_its_memory() -> None:
    """Runs draw plots in V8, which calls `pkey_alloc` and `pkey_mprotect`, and is killed without."""
    assert settings_of("ldt-code")["SystemCallFilter"] == [
        "@system-service",
        "~@privileged @resources",
        "@pkey",
    ]


ENV_LINES = {
    "LDT_POSTGRES_HOST": "127.0.0.1",
    "LDT_POSTGRES_PORT": "5432",
    "LDT_POSTGRES_DB": "ldt",
    "LDT_POSTGRES_USER": "a=b",
    "LDT_POSTGRES_PASSWORD": "p4ss&w0rd $(touch ran) `touch ran` $HOME; \"q' #",
    "LDT_EXPORT_RECIPIENT": "Chip Timing Ltd",
}


@dataclass
class Backup:
    """A data folder, an environment file and programs that note what they were given."""

    folder: Path

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DEPLOY / script, *arguments],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "LDT_DATA_DIR": str(self.folder / "data"),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "extract").write_text("kept")
    lines = "".join(f"{name}={value}\n" for name, value in ENV_LINES.items())
    (tmp_path / "ldt.env").write_text(f"# A comment\nLDT_POSTGRES_DB=before\n\n{lines}")
    made = Backup(tmp_path)
    note = 'printf \'%s\\n\' "$PGPASSWORD" "$@" >given; env >environment'
    dump = 'for each; do case $each in --file=*) echo dump >"${each#--file=}";; esac; done'
    made.program("pg_dump", f"{note}\n{dump}")
    made.program("pg_restore", note)
    return made


def test_backup_and_restore_take_the_environment_file_as_it_is(backup: Backup) -> None:
    for script, arguments in (("backup.sh", []), ("restore.sh", ["dbname"])):
        done = backup.run(script, "saved", "ldt.env")
        assert done.returncode == 0, done.stderr
        given = (backup.folder / "given").read_text().splitlines()
        assert given[0] == ENV_LINES["LDT_POSTGRES_PASSWORD"]
        assert {"--host=127.0.0.1", "--port=5432", "--username=a=b"} < set(given)
        assert "ldt" in given if not arguments else "--dbname=ldt" in given
        assert not (backup.folder / "ran").exists()
        assert "LDT_EXPORT_RECIPIENT" not in (backup.folder / "environment").read_text()
        (backup.folder / "data").rename(backup.folder / f"before {script}")
    restored = backup.folder / "before restore.sh" / "raw" / "extract"
    assert restored.read_text() == "kept"


def test_a_backup_says_what_it_lacks(backup: Backup) -> None:
    done = backup.run("backup.sh", "saved")
    assert done.returncode != 0
    assert "LDT_POSTGRES_HOST" in done.stderr
    done = backup.run("backup.sh", "saved", "nowhere.env")
    assert done.returncode != 0
    assert "nowhere.env" in done.stderr
    assert not (backup.folder / "saved").exists()


@pytest.mark.parametrize("folder", ["data/saved", "data/raw/../saved", "link/saved"])
def test_a_backup_is_not_made_inside_the_data_folder(backup: Backup, folder: str) -> None:
    """It would take itself in, grow with each, and keep people where an erasure doesn't look."""
    (backup.folder / "link").symlink_to(backup.folder / "data")
    done = backup.run("backup.sh", folder, "ldt.env")
    assert done.returncode == 1
    assert "choose a folder outside of LDT_DATA_DIR" in done.stderr
    assert not (backup.folder / "data" / "saved").exists()
    assert not (backup.folder / "given").exists()


def test_a_restore_takes_the_newest_book_of_erasures_or_says_who_comes_back(backup: Backup) -> None:
    """Whoever was erased after the backup is in it."""
    saved, data = backup.folder / "saved", backup.folder / "data"
    book = Path("raw", "erasures", "of=people")
    (data / book).mkdir(parents=True)
    (data / book / "old").write_text("before the backup")
    assert backup.run("backup.sh", "saved", "ldt.env").returncode == 0
    (data / book / "new").write_text("after it")

    data.rename(backup.folder / "lost")
    for wrong in ("nowhere", "lost/raw"):
        done = backup.run("restore.sh", "saved", "ldt.env", wrong)
        assert done.returncode == 1
        assert f"{wrong} is no book of erasures" in done.stderr
        assert not data.exists()
        assert "--clean" not in (backup.folder / "given").read_text()
    done = backup.run("restore.sh", "saved", "ldt.env", "lost/raw/erasures")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (data / book).iterdir()} == {"old", "new"}
    assert done.stderr == ""

    data.rename(backup.folder / "restored")
    done = backup.run("restore.sh", "saved", "ldt.env")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (data / book).iterdir()} == {"old"}
    assert "erased after this backup" in done.stderr
    assert f"{data}/raw/erasures" in done.stderr

    (saved / "SHA256SUMS").unlink()
    done = backup.run("restore.sh", "saved", "ldt.env")
    assert done.returncode == 1
    assert "saved is no whole backup" in done.stderr


@pytest.mark.parametrize(
    ("status", "said", "is_taken"),
    [
        (0, "", True),
        (1, "./dagster: file changed as we read it", True),
        (1, "./dagster/log: File removed before we read it", True),
        (1, "./raw/tickets/event_id=1/a.zst: File removed before we read it", False),
        (2, "out of space", False),
    ],
)
def test_a_backup_may_be_made_while_files_change(
    backup: Backup, status: int, said: str, is_taken: bool
) -> None:
    """tar ends with 1 where a file changed as it was read, or went."""
    said = f"echo 'tar: {said}' >&2" if said else ":"
    backup.program("tar", f'{shutil.which("tar")} "$@"; {said}; exit {status}')
    done = backup.run("backup.sh", "saved", "ldt.env")
    assert (done.returncode == 0) == is_taken, done.stderr
    assert (backup.folder / "saved" / "SHA256SUMS").exists() == is_taken
    if is_taken:
        assert {path.name for path in (backup.folder / "saved").iterdir()} == {
            *("dagster.dump", "data.tar.gz", "SHA256SUMS"),
        }


def test_the_page_gives_backups_their_environment() -> None:
    page = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^# .*(?:backup|restore)\.sh.*$", page, re.MULTILINE)
    assert len(lines) == 3
    assert all(re.search(r"LDT_DATA_DIR=/var/lib/ldt .* /etc/ldt/ldt\.env$", x) for x in lines)
    assert ". /etc/ldt/ldt.env" not in page


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path in re.findall(r"(?:/opt/ldt/|\s)(deploy/[\w./*-]+)", page):
        assert list(ROOT.glob(path.rstrip("/"))), path
    (table,) = re.findall(r"\| file \| what \|\n(.*?)\n\n", page, re.DOTALL)
    named = set(re.findall(r"`([\w./-]+)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert named - {"|"} == {
        f"{path.name}/" if path.is_dir() else path.name for path in DEPLOY.iterdir()
    }
    for unit in (*UNITS, "ldt.target"):
        assert unit in page, unit


def test_the_folder_of_the_instance_is_one_that_everybody_in_it_can_read() -> None:
    """Erasing searches it: a secret file of root's beside it would end each erasure."""
    (home,) = {
        value.split("DAGSTER_HOME=")[1].split()[0]
        for unit in UNITS
        for value in settings_of(unit)["Environment"]
        if "DAGSTER_HOME=" in value
    }
    assert not settings_of("ldt-code")["EnvironmentFile"][0].startswith(f"{home}/")
    assert f"DAGSTER_HOME={home} " in (DEPLOY / "compose" / "Dockerfile").read_text()


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there: install the package systemd to verify units")
    units = []
    for path in sorted((DEPLOY / "systemd").glob("ldt*")):
        text = path.read_text().replace("/opt/ldt/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text.replace("file:/opt/ldt", "file:/"))
        units.append(str(tmp_path / path.name))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "ldt" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_the_container_file_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    subprocess.run([hadolint, DEPLOY / "compose" / "Dockerfile"], check=True, capture_output=True)


def test_what_the_image_is_made_of_gets_into_it() -> None:
    """The list of what isn't kept out has all that is copied, and that exists."""
    text = (DEPLOY / "compose" / "Dockerfile").read_text()
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
        for source in sources.split()
    }
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert copied == kept
    assert all((ROOT / each).exists() for each in copied)


def test_containers_run_what_the_units_run() -> None:
    services = read(DEPLOY / "compose" / "compose.yaml")["services"]
    image = (DEPLOY / "compose" / "Dockerfile").read_text()
    for unit in UNITS:
        command = settings_of(unit)["ExecStart"][0].removeprefix("/opt/ldt/.venv/bin/").split()
        service = services[unit.removeprefix("ldt-")]
        (default,) = re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)
        contained = service.get("command", yaml.safe_load(default))
        # They differ in where they listen, and in nothing else.
        places = {"--socket", "/run/ldt/code.sock", "--host", "--port", "3000", "4000"}
        places |= {"0.0.0.0", "127.0.0.1"}
        assert [each for each in command if each not in places] == [
            each for each in contained if each not in places
        ]


def test_each_container_is_watched_locked_up_and_without_a_secret_of_its_own() -> None:
    services = read(DEPLOY / "compose" / "compose.yaml")["services"]
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for value in service["environment"].values():
            assert value in ("postgres", "5432") or value.startswith("${LDT_POSTGRES_"), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        if name != "postgres":
            assert service["read_only"] is True
            assert service["env_file"] == "${LDT_ENV_FILE:-/etc/ldt/ldt.env}"
    workspace = read(DEPLOY / "compose" / "workspace.yaml")["load_from"][0]["grpc_server"]
    assert workspace["host"] in services
    assert re.search(r"^USER \d+:\d+$", (DEPLOY / "compose" / "Dockerfile").read_text(), re.M)
