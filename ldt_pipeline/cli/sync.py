"""`ldt sync`: bring everything up to date from the API, and say what that brought.

What belongs here: the command, and the summary, which `ldt demo` and `ldt rebuild` show too. What
doesn't: what is done (`runner.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldt_pipeline.cli.command import Command, CommandError
from ldt_pipeline.cli.text import counted, number

if TYPE_CHECKING:
    import dagster as dg

    from ldt_pipeline.runner import Say, Synced
    from ldt_pipeline.settings import Settings

    Work = Callable[[Settings, Say], object]
    DagsterWork = Callable[[Settings, dg.Definitions, dg.DagsterInstance, Say], Synced]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What the published file held at one moment: enough to tell what a run changed."""

    status: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    extracts: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    identity: tuple[int, int] | None = None


@click.command(
    "sync",
    cls=Command,
    short_help="Bring everything up to date, and publish it.",
    examples=(
        "ldt sync",
        "ldt sync --whole    # once a night, where no daemon does it",
        "*/15 * * * * cd /srv/ldt && .venv/bin/ldt sync    (in a crontab)",
    ),
    failures="failed; what was published before stays",
    done="done, whether or not anything was new",
)
@click.option(
    "--whole", is_flag=True,
    help="Read every list in full: finds rows that were committed late, and silent changes.",
)  # fmt: skip
def sync(whole: bool) -> None:
    """Read from the API what changed since the last time, and publish it.

    The first sync reads everything; later ones take seconds. It runs the same Dagster jobs as the
    UI and is recorded beside them. When anything fails, what was published before stays, and the
    next sync goes on from what was finished.
    """
    from ldt_pipeline.cli.demo_folder import is_demo_folder
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    settings.require_api_key()
    if is_demo_folder(settings.data_dir) and not _is_local(settings.api_base_url):
        raise CommandError(
            f"{settings.data_dir} holds the made-up people of `ldt demo`. Set LDT_DATA_DIR to "
            "another folder, so that they don't mix with a real account's."
        )
    for line in run(settings, partial(_sync, whole=whole)):
        click.echo(line)


def _sync(settings: Settings, say: Say, *, whole: bool) -> None:
    """Ask first, and take Dagster only where there is something to do: it takes seconds to import."""
    from ldt_pipeline.alerting.polls import poll_noted
    from ldt_pipeline.private_files import keep_data_private
    from ldt_pipeline.sync.asking import ask, settled_state
    from ldt_pipeline.sync.lock import sync_lock
    from ldt_pipeline.tidy import load_questions

    keep_data_private(settings)
    with sync_lock(settings, say):
        asked = None
        state = None if whole else settled_state(settings)
        if state is not None:
            say("Asking what changed")
            with poll_noted(settings):
                asked = ask(settings, state)
            if asked.is_quiet(settings):
                if settings.questions_file is not None:
                    load_questions(settings.questions_file)  # a mistake mustn't look applied
                return
        from ldt_pipeline import runner

        through_dagster(partial(runner.sync, whole=whole, asked=asked))(settings, say)


def through_dagster(work: DagsterWork) -> Work:
    """Give work that runs jobs what it needs: our definitions, and the instance of the data."""

    def done(settings: Settings, say: Say) -> object:
        from ldt_pipeline.definitions import defs
        from ldt_pipeline.home import open_instance

        with open_instance() as instance:
            return work(settings, defs, instance, say)

    return done


def run(settings: Settings, work: Work) -> list[str]:
    """Do the work under a display, and give the lines that say what it brought."""
    from ldt_pipeline.cli.display import Display

    try:
        before = look(settings.published_path)
    except CommandError:
        before = Published()  # another version's, or damaged: this run replaces it
    with Display() as display:
        work(settings, display.say)
    return summary(before, look(settings.published_path), settings.published_path)


def look(path: Path) -> Published:
    """Look into the published file; nothing where there is none yet.

    Raises:
        CommandError: It can't be read.
    """
    from ldt_pipeline.cli.published import (
        open_published,
        read_loaded,
        read_sync_status,
    )

    if not path.exists():
        return Published()
    with open_published(path) as connection:
        status = {each["feed"]: each for each in read_sync_status(connection)}
        extracts = read_loaded(connection)
        found = path.stat()
    return Published(status=status, extracts=extracts, identity=(found.st_ino, found.st_mtime_ns))


def summary(before: Published, after: Published, path: Path) -> list[str]:
    """Say in a few lines what is published now and what of it is new."""
    lines = [f"  {_feed_line(feed, before, after)}" for feed in after.status]
    for feed, status in after.status.items():
        if status["is_complete"] is False:
            lines.append(
                f"! {feed} is not complete: the API says that it has {status['api_total']}. "
                "The next sync compares again."
            )
    if after.identity == before.identity:
        lines.append(f"Nothing new: {path} is up to date.")
    else:
        lines.append(f"Published {path}")
    return lines


def _feed_line(feed: str, before: Published, after: Published) -> str:
    now, then = after.status[feed], before.status.get(feed)
    read = sum(
        records
        for extract_id, (of_feed, records) in after.extracts.items()
        if of_feed == feed and extract_id not in before.extracts
    )
    notes: list[str] = []
    if read:
        notes.append(f"{number(read)} read")
    for key, name in (("records", "live"), ("deleted_records", "deleted")):
        change = now[key] - (then[key] if then else 0)
        if change and then:
            notes.append(f"{change:+,} {name}")
    if now["rejected_records"]:
        notes.append(f"{counted(now['rejected_records'], 'record')} that can't be read")
    return f"{feed:<18}{number(now['records']):>10}  {', '.join(notes)}".rstrip()


def _is_local(address: str) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
