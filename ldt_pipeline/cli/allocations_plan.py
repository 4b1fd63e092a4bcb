"""`ldt allocations export`, `plan` and `apply`: the file, what it would change, and changing it.

What belongs here: arguments, questions and exit statuses. What doesn't: the work
(`ldt_pipeline/allocations`) and how a plan looks (`plan_text.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command, CommandError, require_yes
from ldt_pipeline.cli.text import clean, counted

if TYPE_CHECKING:
    from ldt_pipeline.allocations.plan import Change, Plan
    from ldt_pipeline.settings import Settings

_FILE = click.Path(path_type=Path)
_WRONG_SHOWN = 20


@click.command(
    "export",
    cls=Command,
    short_help="Write today's state as an allocations file.",
    examples=(
        "ldt allocations export 2365756 --out allocations.yaml",
        "ldt allocations export --out allocations.csv",
    ),
    failures="no such event, or the API can't be reached",
)
@click.argument("event_id", required=False)
@click.option(
    "--format",
    "to_format",
    type=click.Choice(["yaml", "csv"]),
    help="YAML for an editor that checks it, or CSV for a spreadsheet: as the name of --out ends, "
    "else YAML.",
)
@click.option("--out", type=_FILE, metavar="FILE", help="Write to this file instead.")
def export(event_id: str | None, to_format: str | None, out: Path | None) -> None:
    """Write who has how many places today as a file: the way to begin.

    Of the event EVENT_ID, or of all events that are published or named in LDT_EVENT_IDS. It reads
    the account itself. Contacts are left out: the API can't change them. Planning an unchanged
    export changes nothing. Beside a YAML file lies its JSON Schema, for editors.
    """
    from ldt_pipeline.allocations.checking import schema_text
    from ldt_pipeline.allocations.exporting import (
        SCHEMA_FILE,
        document_of,
        yaml_text,
    )
    from ldt_pipeline.allocations.live import read_live
    from ldt_pipeline.allocations.tabular import csv_text
    from ldt_pipeline.connecting import connect
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    event_ids = [event_id] if event_id is not None else _known_events(settings)
    with connect(settings) as client:
        live = read_live(client, event_ids)
    unknown = [each for each in event_ids if each not in live.events]
    if event_id is not None and unknown:
        raise CommandError(f"There is no event {event_id}, or the key may not see it.")
    document = document_of(live, [each for each in event_ids if each in live.events])
    by_name = "csv" if out is not None and out.suffix.lower() == ".csv" else "yaml"
    is_yaml = (to_format or by_name) == "yaml"
    text = yaml_text(document, has_schema=out is not None) if is_yaml else csv_text(document)
    if out is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    if is_yaml:
        _write(out.with_name(SCHEMA_FILE), schema_text())
    # Excel takes a CSV without a mark for one in a code page, and what it saves then has other names.
    _write(out, text if is_yaml else f"\ufeff{text}")
    groups = sum(len(a["groups"]) for event in document["events"] for a in event["allocations"])
    click.echo(
        f"Wrote {counted(groups, 'group')} of {counted(len(document['events']), 'event')} to {out}"
    )


@click.command(
    "plan",
    cls=Command,
    short_help="Show what an allocations file would change.",
    examples=(
        "ldt allocations plan allocations.yaml",
        "ldt allocations plan allocations/ --out plan.json",
        "ldt allocations plan allocations.csv --detailed-exitcode",
    ),
    failures="the file is wrong, or the API can't be reached",
    done="done; with --detailed-exitcode: done, and nothing is to change",
    usage="wrong usage; with --detailed-exitcode: done, and something is to change",
)
@click.argument("file", type=_FILE)
@click.option(
    "--out", type=_FILE, metavar="PLAN", help="Save the plan, for `ldt allocations apply`."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where something is to change.")
def plan(file: Path, out: Path | None, detailed_exitcode: bool) -> None:
    """Show what FILE (YAML, CSV, or a folder of them) would change; nothing is changed.

    It reads the account itself, not what was published.
    """
    from ldt_pipeline.allocations.journal import Journal
    from ldt_pipeline.allocations.live import read_live
    from ldt_pipeline.allocations.plan import save_plan
    from ldt_pipeline.allocations.planning import make_plan
    from ldt_pipeline.allocations.wanted import read_wanted
    from ldt_pipeline.cli.plan_text import plan_lines
    from ldt_pipeline.connecting import connect
    from ldt_pipeline.instants import now
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    with _explaining_file():
        wanted = read_wanted(file.expanduser())
        with connect(settings) as client:
            made = make_plan(
                wanted,
                read_live(client, wanted.event_ids),
                base_url=client.base_url,
                already_sent=Journal(settings.allocations_dir).may_have_sent,
                now=now(),
            )
    for line in plan_lines(made):
        click.echo(line)
    if out is not None:
        try:
            save_plan(made, out.expanduser())
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror or error}.") from None
        click.echo(f"Saved as {out} (plan {made.hash}). `ldt allocations apply {out}` does it.")
    if detailed_exitcode and made.changes:
        click.get_current_context().exit(2)


@click.command(
    "apply",
    cls=Command,
    short_help="Do exactly what a saved plan says.",
    examples=(
        "ldt allocations apply plan.json",
        "ldt allocations apply plan.json --yes",
        "ldt allocations apply plan.json --allow-delete-claimed",
    ),
    failures="the account has moved since the plan, or a request failed: apply it again then",
)
@click.argument("plan_file", metavar="PLAN", type=_FILE)
@click.option("--yes", is_flag=True, help="Delete groups without asking.")
@click.option(
    "--allow-delete-claimed",
    is_flag=True,
    help="Also delete groups that have claimed places, which is refused otherwise.",
)
def apply(plan_file: Path, yes: bool, allow_delete_claimed: bool) -> None:
    """Do exactly what PLAN says, or the rest of it where it was interrupted.

    It refuses where the account has moved since the plan was made. Each request and what came of it
    goes into a journal first, so that applying again after a crash does nothing twice; a claim link
    is never sent twice to one address.
    """
    from ldt_pipeline.allocations.applying import apply_plan
    from ldt_pipeline.allocations.plan import read_plan
    from ldt_pipeline.cli.plan_text import applied_lines
    from ldt_pipeline.connecting import connect
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    made = read_plan(plan_file.expanduser())
    deletions = made.count("delete_group")
    if deletions and not yes:
        _ask(deletions)
    with connect(settings) as client, _progress(made) as progress:
        applied = apply_plan(
            client,
            made,
            settings.allocations_dir,
            allow_delete_claimed=allow_delete_claimed,
            progress=progress,
        )
    for line in applied_lines(applied):
        click.echo(line)
    events = len({each.event_id for each in made.changes if each.event_id})
    if events:
        click.echo(
            f"`ldt sync` reads the groups of {counted(events, 'event')} again and publishes them; a "
            "pipeline that runs does so by itself."
        )
    if applied.unclear_links:
        steps = ", ".join(map(str, applied.unclear_links))
        raise CommandError(
            f"Nothing can tell whether the claim links of steps {steps} went out, so they are not "
            "sent again. Ask the partner, and send it from the dashboard if it isn't there. "
            "Everything else is done."
        )


def _ask(deletions: int) -> None:
    what = f"The plan deletes {counted(deletions, 'group')}."
    if not sys.stdin.isatty():
        raise CommandError(f"{what} Nobody can be asked here: add --yes.")
    require_yes(f"{what} Go on?", "Nothing was applied")


def _known_events(settings: Settings) -> list[str]:
    from ldt_pipeline.cli.published import open_published

    found = list(settings.event_ids)
    if settings.published_path.exists():
        with open_published(settings.published_path) as connection:
            rows = connection.execute("SELECT event_id FROM events ORDER BY event_id").fetchall()
        found += [row[0] for row in rows]
    if not found:
        raise CommandError(
            "No event is known: the API has no list of them. Name one, or set LDT_EVENT_IDS, or run "
            "`ldt sync` first."
        )
    return list(dict.fromkeys(found))


@contextmanager
def _explaining_file() -> Generator[None]:
    """Print each thing that is wrong in a line of its own, as far as a terminal shows them."""
    from ldt_pipeline.allocations.nodes import AllocationsFileError

    try:
        yield
    except AllocationsFileError as error:
        lines = str(error).splitlines()
        if len(lines) == 1:
            raise
        for line in lines[:_WRONG_SHOWN]:
            click.echo(clean(line), err=True)
        if len(lines) > _WRONG_SHOWN:
            click.echo(f"… and {len(lines) - _WRONG_SHOWN:,} more", err=True)
        raise CommandError(f"{len(lines)} things are wrong; nothing was sent.") from None


@contextmanager
def _progress(plan: Plan) -> Generator[Callable[[Change], None]]:
    """A bar in a terminal; elsewhere nothing, as the end says it all."""
    if not sys.stderr.isatty():
        yield lambda _change: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Applying", total=len(plan.changes))
        yield lambda _change: bar.advance(task)


def _write(out: Path, text: str) -> None:
    from upath import UPath

    from ldt_pipeline.raw.files import write_durably

    target = out.expanduser().absolute()
    try:
        write_durably(UPath(target), text.encode())
    except OSError as error:
        raise CommandError(f"{out} can't be written: {error.strerror or error}.") from None
