"""`ldt start-list --preset`: files in the layouts of other systems.

What belongs here: from what was typed to an export, and what is said of it. What doesn't: making it
(`exporting/`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click
from upath import UPath

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.exports import warn_of_undated
from ldt_pipeline.cli.published import open_published, read_start_list, start_days
from ldt_pipeline.cli.text import counted
from ldt_pipeline.erasing.ledger import last_of_each
from ldt_pipeline.erasing.meanwhile import ErasedMeanwhileError, Reading
from ldt_pipeline.exporting.presets import FileFormat, Preset, PresetError, load_preset
from ldt_pipeline.exporting.race_lists import NothingSentError, export
from ldt_pipeline.exporting.reading import undated
from ldt_pipeline.exporting.writing import UnencodableError, suffix
from ldt_pipeline.race_calendar import RACE_WEEK
from ldt_pipeline.settings import Settings

MADE_BY = "command"
"""Who made these, in the ledger: --changes-since counts from what was sent by hand."""


def export_preset(
    settings: Settings,
    race_id: str,
    *,
    on: dt.date | None,
    preset_name: str,
    out: Path,
    recipient: str | None,
    changes_only: bool,
) -> None:
    """Write one race's list in a preset's layout, and say what was written.

    Raises:
        CommandError: There is no such race or preset, nothing was sent before, or a file can't be
            written; the text says which.
        click.UsageError: The file's name says another format than the preset's.
    """
    target = out.expanduser().absolute()
    if target.is_dir():
        raise CommandError(f"{target} is a folder: name a file in it with --out.")
    sent: list[str] = []
    try:
        preset = load_preset(preset_name, settings.presets_dir)
        _require_fitting_name(preset, out)
        reading = Reading.begin(settings)
        with open_published(settings.published_path) as connection:
            found = read_start_list(connection, race_id, on)
            days = start_days(connection, race_id)
            if len(days) > 1 and on is None:
                listed = ", ".join(str(day) for day in days)
                raise CommandError(
                    f"Race {race_id} starts on {len(days)} days ({listed}), and a timing system wants "
                    "one: choose it with --on."
                )
            # Where nobody's start is known, or nobody is left, only the ledger knows which day's it was.
            sent = _days_sent(settings, race_id, recipient)
            day = on or (days[0] if days else max(sent, default=""))
            without_day = undated(connection, race_id) if on and days != [on] else []
            done = export(
                connection,
                [dict(zip(found.columns, row, strict=True)) for row in found.rows],
                preset=preset,
                target=UPath(target),
                ledger_dir=settings.ledger_dir,
                recipient=recipient,
                about={"race_id": race_id, "on": str(day), "made_by": MADE_BY},
                not_of_list=without_day,
                or_on=[*([""] if days == [day] else []), *_put_off(sent, days, day)],
                changes_only=changes_only,
                reading=reading,
            )
    except NothingSentError as error:
        raise CommandError(f"{error}{_others_sent(sent)}") from None
    except (PresetError, UnencodableError, ErasedMeanwhileError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(
            f"The export counts as not sent, as {target} or the ledger of exports in "
            f"{settings.ledger_dir} can't be written: {error.strerror or error}."
        ) from None
    click.echo(f"Wrote {counted(done.rows, 'participant')} to {' and '.join(done.files)}")
    if done.withdrawn:
        click.echo(f"{counted(done.withdrawn, 'entry was', 'entries were')} withdrawn since.")
    if done.moved:
        click.echo(
            f"{counted(done.moved, 'entry', 'entries')} moved to another race since: these are in a "
            "file of their own, as a system that holds both races mustn't take them for withdrawn."
        )
    if done.undated:
        warn_of_undated(done.undated)
    if done.left_out:
        click.echo(
            f"{counted(done.left_out, 'participant')} left out, for want of "
            f"{' or '.join(preset.require)}: the target would make one up.",
            err=True,
        )


def _require_fitting_name(preset: Preset, out: Path) -> None:
    ending = out.suffix.lower().removeprefix(".")
    if ending in get_args(FileFormat) and ending != preset.format:
        raise click.UsageError(
            f"--out {out.name}: the preset {preset.name} writes {preset.format}, and whatever opens the "
            f"file goes by its name. Let it end in {suffix(preset)}, or choose another preset."
        )


def _days_sent(settings: Settings, race_id: str, recipient: str | None) -> list[str]:
    """Give the days of a race whose lists were sent to a recipient by hand, "" for none."""
    out = last_of_each(settings.ledger_dir, recipient=recipient, made_by=MADE_BY)
    return sorted({each.on for each in out if each.race_id == race_id})


def _put_off(sent: Sequence[str], days: Sequence[dt.date], day: dt.date | str) -> list[str]:
    """Give the day from which a start was put off to this one, as far as that is clear.

    A list of it was sent and none of this one, nobody starts then any more, and it is near: another
    year's list is another one.
    """
    if not isinstance(day, dt.date) or str(day) in sent:
        return []
    gone = [
        each
        for each in sent
        if each
        and dt.date.fromisoformat(each) not in days
        and abs(dt.date.fromisoformat(each) - day) <= RACE_WEEK
    ]
    return gone if len(gone) == 1 else []


def _others_sent(sent: Sequence[str]) -> str:
    """Say which lists of other days a recipient has, of whom a whole list tells nothing."""
    days = list(filter(None, sent))
    if not days:
        return ""
    return (
        f" They have lists of {' and '.join(days)}: a whole list doesn't say who has left those since, so "
        "ask them to begin anew with it."
    )
