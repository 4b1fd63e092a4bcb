"""Each notebook runs from top to bottom, as a reader runs it, and its plots show something."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.published import publish_by_hand
from ldt_pipeline_tests.syncing import Account

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SVG = "image/svg+xml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a published file like the one of `ldt demo`, of fewer people, and with a bib to give out."""
    account = SandboxAccount(500)
    race_id, event_id = account.race_ids()[0], account.event_ids()[0]  # in ten days
    account.add_participant(race_id=race_id)
    groups = account.groups(event_id) or []
    group = max(groups, key=lambda each: each["maxCapacity"] - each["usedCapacity"])
    account.add_participant(group_id=group["id"])
    with Sandbox(account) as served:
        synced = Account(
            tmp_path_factory.mktemp("demo"), base_url=served.base_url, api_key=served.api_key
        )
        synced.sync()
        yield synced.settings.published_path
    account.close()


@pytest.fixture(scope="module")
def ran(demo: Path) -> dict[str, NotebookNode]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDT_DATA_DIR", str(demo.parent))
        return {path.stem: execute(read(path)) for path in NOTEBOOKS}


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def execute(notebook: NotebookNode) -> NotebookNode:
    """Run it in a kernel of its own; a cell that fails fails the test, with its traceback."""
    config = Config()
    config.KernelManager.transport_encryption = "required"
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", config=config)
    client.execute(cwd=str(FOLDER))
    return notebook


def plots(notebook: NotebookNode) -> list[int]:
    """Count the marks of each plot that is shown."""
    return [
        marks(output["data"][SVG])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if SVG in output.get("data", {})
    ]


def marks(svg: str) -> int:
    """Count bars with an extent, points and lines: what stands in a group of data, not an axis."""
    found = 0
    for group in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        kind = group.get("class", "").split()
        if "role-mark" in kind and "mark-group" not in kind:
            found += sum(not is_empty(each.get("d", "")) for each in group)
    return found


def is_empty(path: str) -> bool:
    """Whether a path draws nothing, as the bar of a zero does."""
    return not path or "h0Z" in path or "h0v" in path or "v0h" in path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_anybody_is_kept_in_it(path: Path) -> None:
    """What a cell shows belongs to whoever ran it: notebooks are kept without outputs."""
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert "SHOW_NAMES = True" not in [
        line for cell in notebook.cells for line in cell.source.splitlines()
    ]


@pytest.mark.parametrize(
    ("name", "least"), [("race_week", 4), ("partner_review", 4), ("ballot", 3)]
)
def test_plots_show_something(ran: dict[str, NotebookNode], name: str, least: int) -> None:
    drawn = plots(ran[name])
    assert len(drawn) >= least
    assert all(drawn), drawn


def test_pages_ask_nothing_of_other_hosts(ran: dict[str, NotebookNode], tmp_path: Path) -> None:
    """As `make notebooks` makes them: for their owner alone, and whole without a network."""
    for name, notebook in ran.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    said = subprocess.run(
        ["make", "--dry-run", "--old-file=setup", "notebooks"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.replace("\\\n", " ")  # fmt: skip
    [command] = re.findall(r".*nbconvert.*", said)
    for old, new in (
        (" --execute", ""),  # they have run
        ("notebooks/*.ipynb", f"{tmp_path}/*.ipynb"),
        ("--output-dir build/notebooks", f"--output-dir {tmp_path}"),
        (".venv/bin/python", sys.executable),
    ):
        assert old in command
        command = command.replace(old, new)
    subprocess.run(["sh", "-c", command], cwd=ROOT, check=True)
    pages = sorted(tmp_path.glob("*.html"))
    assert [page.stem for page in pages] == [path.stem for path in NOTEBOOKS]
    for page in pages:
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        text = page.read_text(encoding="utf-8")
        assert "image/svg+xml" in text
        assert not re.findall(r"<[^>]*\b(?:src|href)=.?(?:https?:)?//[^>]*>", text)
        assert 'class="jp-Mermaid' not in text, "diagrams would be drawn by a script from elsewhere"


def test_no_name_is_shown_unasked(ran: dict[str, NotebookNode], demo: Path) -> None:
    with duckdb.connect(str(demo), read_only=True) as connection:
        people = connection.execute(
            "SELECT first_name || ' ' || last_name, email, phone, booker_name, booker_email, "
            "emergency_contact_name, emergency_contact_phone FROM start_list"
        ).fetchall()
    private = {value for row in people for value in row if value and len(value) > 4}
    assert len(private) > 500
    for name, notebook in ran.items():
        shown = json.dumps([cell.get("outputs") for cell in notebook.cells], ensure_ascii=False)
        assert len(shown) > 10_000
        assert not [value for value in private if value in shown], name


def test_they_run_on_an_empty_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts, nobody applied: sentences instead of failures. All three in one kernel."""
    publish_by_hand(tmp_path / "ldt.duckdb")
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path))
    everything = nbformat.v4.new_notebook()
    for path in NOTEBOOKS:
        everything.cells += read(path).cells
    for cell in everything.cells:
        cell.source = cell.source.replace("SHOW_NAMES = False", "SHOW_NAMES = True")
    execute(everything)
    drawn = plots(everything)
    assert not any(drawn), "there was nothing to draw: marks are not counted rightly"
    said = "".join(text(cell) for cell in everything.cells)
    assert "Nothing starts in the next" in said
    assert "There are no applications" in said


def text(cell: Any) -> str:
    return "".join(each.get("text", "") for each in cell.get("outputs", []))
