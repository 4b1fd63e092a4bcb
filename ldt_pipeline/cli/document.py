"""Writes `docs/commands.md` from the commands: `python -m ldt_pipeline.cli.document FILE`.

What belongs here: how a command's help becomes a section. What doesn't: any word about a command;
those stand where it is defined, and `ldt COMMAND --help` shows the same ones.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ldt_pipeline.cli import main
from ldt_pipeline.cli.command import Command

_OPENING = """# Commands

Every command, with its options and exit statuses. This page is written from the commands by `make docs`;
`ldt COMMAND --help` says the same.

Each command takes `--verbose`, which shows the traceback of an error and what libraries warn of. Settings
are in [operating.md](operating.md#settings). Without `.venv/bin` in `PATH`, write `.venv/bin/ldt`.
"""


_OF_ALL = ("--verbose", "--help")
"""Options that every command has."""


def document() -> str:
    """Give the page."""
    top = click.Context(main, info_name="ldt")
    lines = [_OPENING, _heading("ldt", 2), f"{_help(main)}\n"]
    lines += [f"- [`ldt {name}`](#{_anchor(f'ldt {name}')}): {main.commands[name].short_help}"
              for name in main.commands]  # fmt: skip
    sections = [
        section for name in main.commands for section in _sections(top, name, f"ldt {name}", 2)
    ]
    return "\n".join([*lines, "", *sections])


def _sections(parent: click.Context, name: str, path: str, level: int) -> Iterator[str]:
    """Give the section of a command, and of those below it."""
    command = _command(parent, name)
    context = click.Context(command, info_name=name, parent=parent)
    yield _section(context, command, path, level)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _sections(context, below, f"{path} {below}", level + 1)


def _command(parent: click.Context, name: str) -> click.Command:
    group = parent.command
    assert isinstance(group, click.Group)  # noqa: S101 - for the type checker
    return group.commands[name]


def _section(context: click.Context, command: click.Command, path: str, level: int) -> str:
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = [
        _heading(path, level),
        f"```text\n{path} {pieces}\n```\n",
        f"{_help(command)}\n",
    ]
    records = [
        each.get_help_record(context)
        for each in command.get_params(context)
        if isinstance(each, click.Option)
    ]
    options = [each for each in records if each and not each[0].endswith(_OF_ALL)]
    if options:
        lines += ["| option | what |", "|---|---|"]
        lines += [f"| `{_names(names)}` | {_cell(meaning)} |" for names, meaning in options]
        lines.append("")
    if isinstance(command, Command):
        lines += ["```console", *(f"$ {example}" for example in command.examples), "```", ""]
        lines += ["| exit status | |", "|---|---|"]
        lines += [f"| {status} | {_cell(what)} |" for status, what in command.statuses.items()]
        lines.append("")
    return "\n".join(lines)


def _heading(title: str, level: int) -> str:
    return f"{'#' * level} {title}\n"


def _anchor(title: str) -> str:
    return title.replace(" ", "-")


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def _names(text: str) -> str:
    """Give an option with its choices: in a table, not every renderer takes a bar within code."""
    return text.replace("|", ", ")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
