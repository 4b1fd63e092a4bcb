"""What pages tell people to type, open and follow is there: links, commands, snippets, the site."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import duckdb
import pytest
import yaml

import ldt_pipeline as ldt
from ldt_pipeline.cli import main
from ldt_pipeline.sandbox import SandboxAccount
from ldt_pipeline_tests.published import publish_by_hand

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    """Give the fenced blocks of a page in a language, indented ones in lists too."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.M | re.S
    )
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def prose(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


# Links


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose(page)):
        if "://" in target:
            continue
        there = page if not target else page.parent / target
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [each for each in PAGES if DOCS in each.parents], ids=str)
def test_pages_of_the_site_are_whole_without_the_repository(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", prose(page)):
        if "://" not in target:
            assert DOCS in (page.parent / target).resolve().parents, target


# Commands


@every_page
def test_commands_to_type_parse(page: Path) -> None:
    for line in typed(page):
        words = words_of(line)
        if words[:1] == ["ldt"]:
            parse(words[1:], is_whole=True)
        elif words[:1] == ["make"]:
            require_target(words)


@every_page
def test_commands_in_a_sentence_exist(page: Path) -> None:
    for code in re.findall(r"`((?:\.venv/bin/)?(?:ldt|make)(?: [^`]*)?)`", prose(page)):
        words = words_of(code.replace("[", "").replace("]", ""))
        if words[:1] == ["make"]:
            require_target(words)
        elif "COMMAND" not in words:
            parse(words[1:], is_whole=False)


def test_a_wrong_command_is_found() -> None:
    """The tests above can fail."""
    for wrong in ("frobnicate", "sync --frobnicate", "start-list 1 --format xml", "partner"):
        with pytest.raises((click.ClickException, AssertionError)):
            parse(wrong.split(), is_whole=True)
    with pytest.raises(AssertionError):
        require_target(["make", "frobnicate"])


def test_the_race_of_the_tutorial_is_one_of_the_demo() -> None:
    [race_id] = set(re.findall(r"start-list (\d+)", (DOCS / "tutorial.md").read_text()))
    assert race_id in SandboxAccount(10, seed=0).race_ids()


def typed(page: Path) -> list[str]:
    return [
        line.removeprefix("$ ")
        for block in blocks(page, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def words_of(line: str) -> list[str]:
    """Split as a shell does, without comments, settings in front, and where the output goes."""
    words = list(takewhile(lambda word: word != ">", shlex.split(line, comments=True)))
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    return [words[0].removeprefix(".venv/bin/"), *words[1:]] if words else []


def require_target(words: list[str]) -> None:
    names = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
    assert set(names) <= TARGETS, words


def parse(words: list[str], *, is_whole: bool) -> None:
    """See that the command has these options and takes these arguments, without running it."""
    command: click.Command = main
    context = click.Context(main, info_name="ldt")
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words[0]]
        context = click.Context(command, info_name=words[0], parent=context)
        words = words[1:]
    if command is main:
        assert not [word for word in words if word not in ("--help", "--version")], words
        return
    try:
        values, rest, _ = command.make_parser(context).parse_args(list(words))
    except click.BadOptionUsage:
        if is_whole:
            raise
        # `--out` alone, in a sentence: what stands behind it is left to the reader.
        values, rest, _ = command.make_parser(context).parse_args([*words, "value"])
    assert not rest, f"{context.command_path} takes no {rest}"
    for each in command.params:
        value = values.get(each.name or "")
        if isinstance(value, str) and isinstance(each.type, click.Choice):
            each.type.convert(value, each, context)
        if is_whole and isinstance(each, click.Argument) and each.required:
            assert isinstance(value, str | tuple), f"{context.command_path} needs {each.name}"


# Snippets


@pytest.fixture(scope="module", autouse=True)
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = publish_by_hand(tmp_path_factory.mktemp("published") / "ldt.duckdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDT_DATA_DIR", str(path.parent))
        yield path


@pytest.mark.parametrize(
    ("page", "code"),
    [(page.name, code) for page in PAGES for code in blocks(page, "python")],
)
def test_python_runs(page: str, code: str) -> None:
    names: dict[str, object] = {}
    exec(compile(code, page, "exec"), names)
    db = names.get("db")
    if isinstance(db, duckdb.DuckDBPyConnection):
        db.close()


def test_functions_in_a_table_exist() -> None:
    text = (DOCS / "notebooks.md").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"`ldt\.(\w+)\(", text))
    assert mentioned == {name for name in ldt.__all__ if name[0].islower()}


@pytest.mark.parametrize("query", [code for page in PAGES for code in blocks(page, "sql")])
def test_sql_runs(query: str) -> None:
    with ldt.connect() as db:
        db.execute(query)


@every_page
def test_yaml_is_readable(page: Path) -> None:
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block)


# The site


class Page(HTMLParser):
    """What a page of the site refers to, and what can be referred to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.classes |= set(values.get("class", "").split())
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        else:
            self.loads += [
                values[name] for name in ("src", "href", "data", "srcset") if name in values
            ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Build the site from a copy, with its own folder for what the builder remembers."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    zensical = Path(sys.executable).with_name("zensical")
    built = subprocess.run(
        [zensical, "build", "--strict"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {}
    for path in (folder / "build" / "site").rglob("*.html"):
        pages[path] = page = Page()
        page.feed(path.read_text(encoding="utf-8"))
    assert len(pages) > len(list(DOCS.rglob("*.md"))) - 1
    return pages


def test_links_of_the_site_lead_somewhere(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        if path.name == "404.html":
            continue  # it is shown at any address, so its links begin at the site's root
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert there.exists(), f"{path.name}: {link}"
            if parts.fragment:
                assert unquote(parts.fragment) in site[there].ids, f"{path.name}: {link}"


def test_the_site_asks_nothing_of_other_hosts(site: dict[Path, Page]) -> None:
    """Diagrams, images that open and repositories' figures are what its script would fetch for."""
    for path, page in site.items():
        assert page.loads
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{path.name}: {address}"
        assert not page.classes & {"mermaid", "glightbox", "pyodide", "arithmatex"}, path.name
    folder = next(iter(site)).parent
    sheets = [*folder.rglob("*.css")]
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert not re.findall(r"url\([\"']?(?:https?:)?//|@import", text), sheet.name


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r": (\S+\.md)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
