"""Documents that follow from the code say what it says."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from ldt_pipeline.alerting.config import EXAMPLE, AlertsFile
from ldt_pipeline.alerting.trouble import Source, Trouble
from ldt_pipeline.cli import main
from ldt_pipeline.cli.document import document as commands
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.plot_assets import PLOTS
from ldt_pipeline.race_calendar import stale_after
from ldt_pipeline.settings import Settings
from ldt_pipeline.tables.document import document

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = {each.parent.name for each in (ROOT / "ldt_pipeline").glob("*/__init__.py")}


def test_the_page_of_tables_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == document()


def test_the_page_of_commands_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == commands()


def test_every_setting_is_documented_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        row = re.search(rf"^\| `LDT_{name.upper()}` \| (.*?) \|", OPERATING, re.MULTILINE)
        assert row, name
        default = field.default
        if isinstance(default, int | str) and not isinstance(default, bool):
            assert f"`{default}`" in row[1], name


def test_every_file_and_folder_that_is_written_is_documented() -> None:
    settings = Settings(_env_file=None, data_dir=ROOT / "data")  # type: ignore[call-arg]
    beside_a_database = (".wal", ".lock", ".damaged")
    for path in settings.written_paths:
        if path.suffix not in beside_a_database:
            assert f"`data/{path.name}{'' if path.suffix else '/'}`" in OPERATING, path.name


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"`ldt {name}" in README, name


def test_every_sensor_and_schedule_is_documented() -> None:
    repository = defs.get_repository_def()
    for each in (*repository.sensor_defs, *repository.schedule_defs):
        assert f"`{each.name}`" in OPERATING, each.name


def test_every_package_and_module_has_its_place_in_the_architecture() -> None:
    modules = {each.name for each in (ROOT / "ldt_pipeline").glob("*.py")} - {"__init__.py"}
    for name in (*(f"{room}/" for room in ROOMS), *modules):
        assert re.search(rf"^\| .*`{re.escape(name)}`.* \|", ARCHITECTURE, re.MULTILINE), name


def test_every_plot_is_documented() -> None:
    for plot in PLOTS:
        assert f"| `{plot.asset}` |" in OPERATING, plot.asset


def test_the_page_of_alerts_shows_the_packaged_file_and_each_source() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert EXAMPLE.read_text(encoding="utf-8") in page
    for name, command in main.commands["alerts"].commands.items():  # type: ignore[attr-defined]
        assert f"`ldt alerts {name}`" in page, command
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        AlertsFile.model_validate(yaml.safe_load(block))
    for source in get_args(Source):
        assert f"`{source}`" in page, source
    fields = [field for field in Trouble.__struct_fields__ if field != "source"]
    assert all(f"`{field}`" in page for field in fields), fields


def test_how_fresh_is_fresh_enough_is_documented() -> None:
    start = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)
    rows = re.findall(r"^\| at most (\d+) (\w+) away.*? \| (\d+) (\w+) old \|$", OPERATING, re.M)
    assert len(rows) == 3
    for number, unit, age, age_unit in rows:
        ahead = dt.timedelta(**{unit: int(number)})
        assert stale_after(start, start - ahead) == dt.timedelta(**{age_unit: int(age)})
        before = stale_after(start, start - ahead - dt.timedelta(seconds=1))
        assert before is not None
        assert before > dt.timedelta(**{age_unit: int(age)})


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-browser.lock"])
def test_the_lock_names_no_index_and_pins_everything_with_hashes(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert "--index" not in lock
    assert "://" not in lock
    pinned = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line for line in pinned)
    assert lock.count("--hash=sha256:") > len(pinned)


def test_yaml_at_the_root_is_readable() -> None:
    for page in ROOT.glob("*.yaml"):
        assert yaml.safe_load(page.read_text(encoding="utf-8"))


def test_the_core_does_not_know_dagster_and_the_sandbox_knows_nobody() -> None:
    core = sorted(ROOMS - {"cli", "defs", "sandbox"})
    script = (
        "import sys\n"
        "import importlib, pkgutil, ldt_pipeline\n"
        f"for room in {core}:\n"
        "    package = importlib.import_module(f'ldt_pipeline.{room}')\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'dagster']\n"
        "assert not [name for name in sys.modules if name.startswith('ldt_pipeline.sandbox')]\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, cwd=ROOT)
    for module in (ROOT / "ldt_pipeline" / "sandbox").glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (ldt_pipeline[\w.]*)", module.read_text(), re.M)
        assert all(name.startswith("ldt_pipeline.sandbox") for name in imported), module.name
