"""`ldt demo`: the whole job on made-up people, from the API to a start list.

What belongs here: the command, and what it shows. What doesn't: the folder it uses
(`demo_folder.py`) and the sync (`sync.py`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command

if TYPE_CHECKING:
    from ldt_pipeline.cli.published import Rows
    from ldt_pipeline.sandbox import Sandbox
    from ldt_pipeline.settings import Settings

_ROWS_SHOWN = 15


@click.command(
    "demo",
    cls=Command,
    short_help="See the whole job on made-up people.",
    examples=(
        "ldt demo",
        "ldt demo --participants 60000 --fresh",
    ),
    failures="something went wrong",
)
@click.option(
    "--participants", type=click.IntRange(min=1), default=2000, show_default=True,
    help="How many people entered.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Which account.")
@click.option(
    "--fresh/--keep", default=False,
    help="Start anew, or keep what an earlier demo read (then the sync is a quiet one).",
)  # fmt: skip
@click.option(
    "--serve", is_flag=True,
    help="Keep the sandbox running afterwards, for `make dev` in another terminal.",
)  # fmt: skip
def demo(participants: int, seed: int, fresh: bool, serve: bool) -> None:
    """Start the sandbox API, sync from it, and show a start list and the allocations.

    No account and no network is needed; all people are made up. The data goes to `demo` in the
    data folder (or, where LDT_DATA_DIR is set in the environment, to just that folder), never to
    a folder that holds a real account's data.
    """
    from ldt_pipeline.cli.demo_folder import prepare
    from ldt_pipeline.sandbox import Sandbox, SandboxAccount
    from ldt_pipeline.settings import load_settings

    folder = load_settings().data_dir
    is_named = bool(os.environ.get("LDT_DATA_DIR"))
    if not is_named:
        folder = folder / "demo"
    account = prepare(folder, participants=participants, seed=seed, fresh=fresh)
    click.echo(f"Making up an account with {participants:,} participants …")
    made_up = SandboxAccount(participants, seed=seed, now=account.moment)
    with Sandbox(made_up) as sandbox:
        _use(sandbox, folder)
        settings = load_settings()
        _sync_and_show(settings, is_named=is_named)
        if serve:
            _serve(sandbox, folder)


def _use(sandbox: Sandbox, folder: Path) -> None:
    """Point this process at the sandbox: Dagster's resources read the environment too."""
    os.environ["LDT_API_KEY"] = sandbox.api_key
    os.environ["LDT_API_BASE_URL"] = sandbox.base_url
    os.environ["LDT_DATA_DIR"] = str(folder)
    os.environ["LDT_EVENT_IDS"] = ","  # none; an empty value would let those of .env through
    os.environ["LDT_PUBLISH_PERSONAL_DATA"] = "true"  # nobody is real
    # A proxy that is set for the internet has no business between this process and itself.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"


def _sync_and_show(settings: Settings, *, is_named: bool) -> None:
    from ldt_pipeline import runner
    from ldt_pipeline.cli.allocation_lists import Wish, read_listed
    from ldt_pipeline.cli.published import (
        biggest_race,
        open_published,
        read_start_list,
    )
    from ldt_pipeline.cli.sync import run, through_dagster

    for line in run(settings, through_dagster(runner.sync)):
        click.echo(line)
    with open_published(settings.published_path) as connection:
        race = biggest_race(connection)
        start_list = read_start_list(connection, race[0], race[3]) if race else None
        allocations = read_listed(connection, Wish())
    if race and start_list:
        _show(f"Start list of {race[1]}, {race[2]}, {race[3]} (race {race[0]})", start_list)
    _show("Partner allocations", allocations)
    prefix = "" if is_named else f"LDT_DATA_DIR={_relative(settings.data_dir)} "
    example = f"{race[0]} --on {race[3]}" if race else "RACE_ID"
    # After `make demo` it lies in .venv/bin, where a shell doesn't look.
    ldt = "ldt" if shutil.which("ldt") else shlex.quote(sys.argv[0])
    click.echo(
        "\nWhat to open next:\n"
        f"  {settings.published_path}\n"
        "      every table, for DuckDB or a notebook; it may stay open while a sync runs\n"
        f"  {prefix}{ldt} start-list {example} --format csv\n"
        f"  {prefix}{ldt} allocations\n"
        f"  {prefix}make notebooks\n"
        "      pages for race week, partner reviews and ballots, with plots\n"
        f"  {ldt} demo --serve\n"
        "      keeps the sandbox running; with the lines that it prints, `make dev` shows all of\n"
        "      it in Dagster's UI\n"
        f"  {ldt} --help"
    )


def _show(title: str, rows: Rows) -> None:
    from ldt_pipeline.cli.exports import table_lines
    from ldt_pipeline.cli.text import clean, terminal_width

    click.echo(f"\n{clean(title)}")
    for line in table_lines(rows, width=terminal_width(), most=_ROWS_SHOWN):
        click.echo(line)


def _serve(sandbox: Sandbox, folder: Path) -> None:
    from ldt_pipeline.cli.sandbox import announce

    click.echo(f"\nexport LDT_DATA_DIR={folder}")
    announce(sandbox.base_url, sandbox.api_key)
    stop = threading.Event()
    try:
        while not stop.wait(1):  # waiting without end would not notice Ctrl-C everywhere
            pass
    except KeyboardInterrupt:
        return


def _relative(folder: Path) -> Path:
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
