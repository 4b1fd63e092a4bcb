"""`ldt erase`: take a person's data out of every copy, for good.

What belongs here: the command, and what an operator has to know before and after. What doesn't:
erasing (`erasing/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command, CommandError, require_yes
from ldt_pipeline.cli.text import clean, counted

if TYPE_CHECKING:
    from ldt_pipeline.erasing.due import Subject
    from ldt_pipeline.settings import Settings

_SHOWN_MOST = 50


@click.command(
    "erase",
    cls=Command,
    short_help="Take a person's data out of every copy.",
    examples=(
        "ldt erase participant 6b054eb4b2ec2b7f9b0007cf",
        "ldt erase participant 6b054eb4b2ec2b7f9b0007cf 6b054eb4b2ec2b7f9b0007d0 --yes",
        "ldt erase application 69a23000ca04c67993b77941",
    ),
    failures="nobody was erased, or an erasure was begun: then the next `ldt sync` finishes it",
    done="erased, and published without the person",
)
@click.argument("kind", type=click.Choice(["participant", "application"]))
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Don't ask before erasing.")
def erase(kind: str, ids: tuple[str, ...], yes: bool) -> None:
    """Erase what is held of a participant or an application, for good.

    It leaves the raw extracts (which are rewritten without it), the warehouse, the published file,
    Dagster's records, and exports under the data folder, which are deleted. What stays is the id,
    the event and the race, and when and why it was erased: so that totals still agree, and so that
    the person is not stored again when the API still shows them or an old backup comes back.

    An application and the one participant that it led to are erased together. Other entries with
    the same e-mail address are listed, not erased: they may be somebody else's. So is everybody who
    received an export with the person in it: you have to tell them.

    What Let's Do This holds is erased there, not here. Whom the API calls redacted is erased by
    `ldt sync` without being asked.
    """
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    subjects = _look_up(settings, kind, ids)
    if not yes:
        require_yes("Erase for good? This can't be undone", "Nobody was erased")
    from ldt_pipeline import runner
    from ldt_pipeline.cli.display import Display
    from ldt_pipeline.definitions import defs
    from ldt_pipeline.home import open_instance

    with Display() as display, open_instance() as instance:
        runner.erase(
            settings,
            defs,
            instance,
            display.say,
            participants=[each.id for each in subjects if each.entity == "participants"],
            applications=[each.id for each in subjects if each.entity == "applications"],
        )
    names = ", ".join(f"{each.entity[:-1]} {clean(each.id)}" for each in subjects)
    click.echo(f"Erased: {names}. Files outside {settings.data_dir} are yours to look after.")


def _look_up(settings: Settings, kind: str, ids: tuple[str, ...]) -> list[Subject]:
    """Say what is about to be erased, and what isn't; gives everybody that it concerns."""
    from ldt_pipeline.erasing import ledger
    from ldt_pipeline.erasing.book import Book, Reason
    from ldt_pipeline.erasing.due import Subject
    from ldt_pipeline.erasing.related import linked, places, related, strangers
    from ldt_pipeline.raw import RawStore
    from ldt_pipeline.warehouse.connection import open_warehouse

    if not settings.warehouse_path.exists():
        raise CommandError(
            f"There is no warehouse in {settings.data_dir} yet. Run `ldt sync` or `ldt rebuild` first."
        )
    asked = [
        Subject(entity=f"{kind}s", id=each, reason=Reason.ASKED) for each in dict.fromkeys(ids)
    ]
    with open_warehouse(settings.warehouse_path) as connection:
        subjects = [*asked, *linked(connection, asked)]
        held = places(connection, subjects)
        others = related(connection, subjects)
    book = Book.read(RawStore(str(settings.raw_dir)))
    unknown = [each.id for _, each in strangers(asked, held, book)]
    if unknown:
        raise CommandError(
            f"No {kind} {', '.join(clean(each) for each in unknown)} is held here. Nobody was "
            "erased. Ids are those of the column "
            f"{kind}_id, as in start_list; an event or race id is another thing."
        )
    for each in held:
        note = ", redacted or erased before" if each.is_redacted else ""
        place = f"event {clean(each.event_id or '?')}, race {clean(each.race_id or '?')}"
        click.echo(f"To be erased: {each.entity[:-1]} {clean(each.id)} ({place}{note})")
    for each in others[:_SHOWN_MOST]:
        click.echo(f"Not erased:   {each.entity[:-1]} {clean(each.id)} {each.why}")
    if len(others) > _SHOWN_MOST:
        click.echo(f"              and {counted(len(others) - _SHOWN_MOST, 'more', 'more')}")
    receipts = ledger.received(
        settings.ledger_dir, {each.id for each in subjects if each.entity == "participants"}
    )
    sentences = dict.fromkeys(each.sentence for found in receipts.values() for each in found)
    for sentence in sentences:
        click.echo(f"To be told:   {clean(sentence)}")
    return subjects
