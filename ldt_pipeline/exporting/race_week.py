"""When a race's list is due, and writing the lists of a race that is near.

What belongs here: which races are due, names of files. What doesn't: the rhythm of race week
(`race_calendar.py`), Dagster (`defs/`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any

import duckdb
from upath import UPath

from ldt_pipeline.erasing import ledger
from ldt_pipeline.erasing.meanwhile import Reading
from ldt_pipeline.exporting.changes import digest, layout
from ldt_pipeline.exporting.presets import Preset, load_preset
from ldt_pipeline.exporting.race_lists import Exported, export, sendable
from ldt_pipeline.exporting.reading import listed, undated
from ldt_pipeline.exporting.writing import suffix
from ldt_pipeline.race_calendar import AFTER_START, RACE_WEEK, phase
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.starts import list_of_starts

MADE_BY = "schedule"
"""Who made these, in the ledger: what `ldt start-list` sent is no concern of theirs, nor the reverse."""


class NoPeopleError(Exception):
    """The published file holds no personal data, and a start list is nothing else."""


_UNFIT_FOR_A_NAME = re.compile(r"[^\w.-]+")
_BYTES_OF_A_PART = 100
"""File systems take names of 255 bytes: a race, a day, a preset and an ending."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a race."""

    race_id: str
    starts_at: dt.datetime


def is_due(starts_at: dt.datetime, moment: dt.datetime) -> bool:
    """Whether a race's list is due in the minute of an instant."""
    current = phase(starts_at, moment)
    if current is None or current.export_every is None:
        return False
    return int(moment.timestamp()) // 60 * 60 % current.export_every.total_seconds() == 0


def starts_near(
    connection: duckdb.DuckDBPyConnection, moment: dt.datetime, race_id: str | None = None
) -> list[Start]:
    """Give the starts in the race week of an instant, the nearest first; of one race, or of all."""
    rows = connection.execute(
        """
        SELECT DISTINCT race_id, race_start_at FROM query_table($list)
        WHERE race_start_at BETWEEN $since AND $until AND race_id IS NOT NULL
            AND ($race_id IS NULL OR race_id = $race_id)
        ORDER BY race_start_at, race_id
        """,
        {
            "list": list_of_starts(connection),
            "since": moment - AFTER_START,
            "until": moment + RACE_WEEK,
            "race_id": race_id,
        },
    ).fetchall()
    return [Start(race_id=row[0], starts_at=row[1]) for row in rows]


def due_races(settings: Settings, moment: dt.datetime) -> list[str]:
    """Give the races whose lists are due in the minute of an instant, the nearest first.

    Each hour, those come last whose lists of a day have to be emptied.
    """
    if not settings.export_presets or not settings.published_path.exists():
        return []
    with connect(settings.published_path, read_only=True) as connection:
        starts = starts_near(connection, moment)
        due = [each.race_id for each in starts if is_due(each.starts_at, moment)]
        if _is_on_the_hour(moment):
            due += (race_id for race_id, _ in _abandoned(connection, settings, moment))
    return list(dict.fromkeys(due))


def _is_on_the_hour(moment: dt.datetime) -> bool:
    return int(moment.timestamp()) // 60 % 60 == 0


def _abandoned(
    connection: duckdb.DuckDBPyConnection, settings: Settings, moment: dt.datetime
) -> list[tuple[str, dt.date]]:
    """Give races and days to come whose last list has people on it, though nobody starts then now.

    It was put off, or called off: what lies there would still be pinned to runners.
    """
    out = ledger.last_of_each(
        settings.ledger_dir, recipient=settings.export_recipient, made_by=MADE_BY
    )
    first = str((moment - AFTER_START).astimezone(dt.UTC).date())
    held = sorted(
        {(each.race_id, each.on) for each in out if each.participants and each.on >= first}
    )
    if not held:
        return []
    rows = connection.execute(
        """
        SELECT DISTINCT race_id, race_start_at::DATE::VARCHAR FROM query_table($list)
        WHERE list_contains($races, race_id)
        """,
        {"list": list_of_starts(connection), "races": [race_id for race_id, _ in held]},
    ).fetchall()
    return [
        (race_id, dt.date.fromisoformat(on)) for race_id, on in held if (race_id, on) not in rows
    ]


def export_race(settings: Settings, race_id: str, moment: dt.datetime) -> list[Exported]:
    """Write the lists of a race's near starts in each preset of the settings.

    What lies there as it was entered last is left alone. Those whose start isn't known are on the
    list where the race has one near day alone. A list of a day on which nobody starts any more is
    written once again, without anybody.

    Raises:
        NoPeopleError: The file was published without personal data.
        PresetError: A preset doesn't exist, or makes no sense.
        UnencodableError: A preset's encoding lacks a character.
        ErasedMeanwhileError: Somebody on a list was erased while it was written. It is deleted.
        OSError: The ledger or a file can't be written.
    """
    folder = UPath(settings.export_target or settings.exports_dir)
    presets = [load_preset(name, settings.presets_dir) for name in settings.export_presets]
    done: list[Exported] = []
    reading = Reading.begin(settings)
    with connect(settings.published_path, read_only=True) as connection:
        if list_of_starts(connection) != "start_list":
            raise NoPeopleError(
                "The published file holds no personal data, and a start list is nothing else: set "
                "LDT_PUBLISH_PERSONAL_DATA to true and run `ldt sync`, or unset LDT_EXPORT_PRESETS."
            )
        starts = starts_near(connection, moment, race_id)
        days = sorted({each.starts_at.astimezone(dt.UTC).date() for each in starts})
        without_day = undated(connection, race_id)
        lists = {day: listed(connection, race_id, day) for day in days}
        if len(days) == 1:
            lists[days[0]] += without_day
            without_day = []
        lists |= {
            day: [] for each, day in _abandoned(connection, settings, moment) if each == race_id
        }
        for day, rows in lists.items():
            about = {"race_id": race_id, "on": str(day), "made_by": MADE_BY}
            for preset in presets:
                name = f"{_file_name(race_id)}-{day}-{_file_name(preset.name)}"
                target = folder / f"{name}{suffix(preset)}"
                if _unchanged(settings, rows, preset=preset, target=target, about=about):
                    sent = len(sendable(preset, rows))
                    done.append(
                        Exported(
                            files=[str(target)],
                            rows=sent,
                            left_out=len(rows) - sent,
                            undated=len(without_day),
                            unchanged=True,
                        )
                    )
                    continue
                done.append(
                    export(
                        connection,
                        rows,
                        preset=preset,
                        target=target,
                        ledger_dir=settings.ledger_dir,
                        recipient=settings.export_recipient,
                        about=about,
                        not_of_list=without_day,
                        reading=reading,
                    )
                )
    return done


def _unchanged(
    settings: Settings,
    rows: list[dict[str, Any]],
    *,
    preset: Preset,
    target: UPath,
    about: dict[str, str],
) -> bool:
    """Whether the last export by itself said the same in the same layout, and its file lies there."""
    entries = ledger.last_sent(
        settings.ledger_dir,
        recipient=settings.export_recipient,
        about={**about, "preset": preset.name},
    )
    if len(entries) != 1:  # never, or nobody knows what became of the one after
        return False
    (entry,) = entries
    there = {"file": str(target), "layout": layout(preset)}
    if any(entry.about.get(name) != value for name, value in there.items()):
        return False
    salt = entry.about["salt"]
    said = [(each.id, each.digest) for each in entry.sent.values()]
    return said == [
        (row["participant_id"], digest(preset, row, salt)) for row in sendable(preset, rows)
    ] and _size(target) == entry.about.get("bytes")


def _size(file: UPath) -> str | None:
    """Give how many bytes a file has: whoever saves it from a spreadsheet leaves another number."""
    try:
        return str(file.stat().st_size)
    except FileNotFoundError:
        return None


def _file_name(text: str) -> str:
    """Give a text as a part of a file's name; what had to be changed is told apart by a digest."""
    fit = _UNFIT_FOR_A_NAME.sub("_", text).lstrip(".")
    name = fit.encode()[:_BYTES_OF_A_PART].decode(errors="ignore")
    return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
