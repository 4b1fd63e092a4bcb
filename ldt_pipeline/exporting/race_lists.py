"""Making an export of a race's start list: rendered, entered into the ledger, put in place.

What belongs here: the order, and what goes into which file. What doesn't: reading the list
(`reading.py`), layouts, comparing, and what is said of those who left (`leaving.py`).

Everything is rendered before anything is written, and written before it is entered. The entry comes
before the files are in place, as nobody may receive what the ledger doesn't know of, and the mark that
they are comes after: an export that fails or is killed anywhere isn't taken for one that was received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from upath import UPath

from ldt_pipeline.erasing import ledger
from ldt_pipeline.erasing.ledger import Sent
from ldt_pipeline.erasing.meanwhile import ErasedMeanwhileError, Reading
from ldt_pipeline.exporting.changes import Changes, compare, digest, layout, new_salt, plain
from ldt_pipeline.exporting.leaving import Leavers, leavers
from ldt_pipeline.exporting.presets import Preset
from ldt_pipeline.exporting.writing import rendered
from ldt_pipeline.raw.files import durable_file, flush, write_durably


class NothingSentError(Exception):
    """There is no earlier export to tell changes from."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export came to: numbers and paths alone.

    Attributes:
        files: Where they lie.
        rows: The rows in the list.
        left_out: Participants who lack what the layout requires.
        undated: Participants of the race whose start isn't known, and so is not of this list.
        withdrawn: Entries that are said to be withdrawn.
        moved: Entries in the file of those who are in another race now.
        unchanged: Whether all of it lay there already, and nothing was written.
    """

    files: list[str]
    rows: int
    left_out: int
    undated: int = 0
    withdrawn: int = 0
    moved: int = 0
    unchanged: bool = False


def export(
    connection: duckdb.DuckDBPyConnection,
    rows: list[dict[str, Any]],
    *,
    preset: Preset,
    target: UPath,
    ledger_dir: Path,
    recipient: str | None,
    about: dict[str, str],
    not_of_list: Sequence[dict[str, Any]] = (),
    or_on: Sequence[str] = (),
    changes_only: bool = False,
    reading: Reading | None = None,
) -> Exported:
    """Write a list, or what changed since the last export to the same recipient.

    Rows that lack what the preset requires are left out, and count as not sent.

    Args:
        connection: The published file: it knows those who left.
        rows: The list, by column of `start_list`.
        preset: The layout.
        target: The file, local or in a bucket. Of changes, withdrawn entries that the layout has no
            word for go into a file beside it, `NAME-withdrawn.csv`, and those who moved to another
            race, where it doesn't name the race, into `NAME-moved.csv`. Where there are none, such
            a file of an earlier export is removed.
        ledger_dir: Where exports are entered.
        recipient: Who it is for.
        about: What the list is of: `race_id`, perhaps `on` (the day), and `made_by`. An earlier
            export has to have the same.
        not_of_list: Rows of the race whose start isn't known: they aren't sent, nor withdrawn.
        or_on: What the day of an earlier export of the same list may be instead: none, as its start
            wasn't known, or one from which the start was put off.
        changes_only: Whether to write only what changed.
        reading: Tells whether somebody was erased since the published file was opened.

    Raises:
        ErasedMeanwhileError: Somebody in a file was erased while it was written. It is deleted.
        NothingSentError: Nothing was sent to this recipient yet.
        UnencodableError: The layout's encoding lacks a character.
        OSError: The ledger or a file can't be written. The recipient counts as not served.
    """
    kept = sendable(preset, rows)
    about = {**about, "preset": preset.name}
    if changes_only:
        alive = {row["participant_id"] for row in (*rows, *not_of_list)}
        entries = ledger.last_sent(ledger_dir, recipient=recipient, about=about, or_on=or_on)
        if not entries:
            raise NothingSentError(
                f"Nothing of this was sent to {recipient!r} yet in the layout {preset.name}: send "
                "the whole list once, without --changes-since and with the same --recipient."
            )
        found = compare(preset, kept, alive=alive, entries=entries)
    else:
        found = Changes(rows=plain(kept), left={}, kept_back={})
    gone = leavers(
        connection,
        found.left,
        preset=preset,
        race_id=about["race_id"],
        on=None if any(or_on) else about.get("on") or None,
        bibs={row["bib_number"] for row in rows},
    )
    files = _files(preset, target, found, gone)
    contents = [
        (path, rendered(preset, each, changes=changes_only))
        for path, each in files
        if each or path == target
    ]
    salt = new_salt()
    lines = list(_lines(preset, kept, found, gone, salt=salt))
    kind = "changes" if changes_only else "full"
    about |= {
        "salt": salt,
        "layout": layout(preset),
        "kind": kind,
        "bytes": str(len(contents[0][1])),
    }
    shown = {row["participant_id"] for _, each in files for row in each if not row["is_redacted"]}
    _hand_out(
        contents,
        outdated=[path for path, each in files[1:] if changes_only and not each],
        ledger_dir=ledger_dir,
        enter=lambda: ledger.enter(
            ledger_dir,
            table="start_list",
            ids=lines,
            recipient=recipient,
            file=str(target),
            about=about,
        ),
        is_outdated=lambda: reading is not None and reading.is_outdated_for(shown),
    )
    return Exported(
        files=[str(path) for path, _ in contents],
        rows=len(found.rows),
        left_out=len(rows) - len(kept) + len(gone.kept_back),
        undated=len(not_of_list),
        withdrawn=len(gone.withdrawn),
        moved=len(gone.moved),
    )


def sendable(preset: Preset, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the rows that have what a layout requires."""
    return [row for row in rows if all(row[name] for name in preset.require)]


def _files(
    preset: Preset, target: UPath, found: Changes, gone: Leavers
) -> list[tuple[UPath, list[dict[str, Any]]]]:
    """Say which rows go into which file; the target comes first."""
    if preset.has_status:
        files = [(target, [*found.rows, *gone.withdrawn])]
    else:
        files = [(target, found.rows), (_beside(target, "withdrawn"), gone.withdrawn)]
    if not preset.names_race:
        files.append((_beside(target, "moved"), gone.moved))
    return files


def _lines(
    preset: Preset, kept: Sequence[dict[str, Any]], found: Changes, gone: Leavers, *, salt: str
) -> Iterator[Sent]:
    """Give what the ledger is to know of each participant: what the recipient has by this export."""
    in_file = {row["participant_id"] for row in found.rows}
    for row in kept:
        yield Sent(
            id=row["participant_id"],
            digest=digest(preset, row, salt),
            bib=row["bib_number"],
            in_file=row["participant_id"] in in_file,
        )
    for name, each in (found.kept_back | gone.kept_back).items():
        # Without a digest, their rows are sent as soon as they can be.
        yield Sent(id=name, bib=each.bib, in_file=False)
    for name in found.left:
        if name not in gone.kept_back:
            yield Sent(id=name, gone=True)


def _hand_out(
    contents: Sequence[tuple[UPath, bytes]],
    *,
    outdated: Sequence[UPath],
    ledger_dir: Path,
    enter: Callable[[], str],
    is_outdated: Callable[[], bool],
) -> None:
    """Write files, enter them, put them in place of what is outdated, and note that they are.

    Raises:
        ErasedMeanwhileError: They must not stay there.
    """
    with ExitStack() as stack:
        for path, content in contents:
            if isinstance(path, Path):
                file = stack.enter_context(durable_file(path))
                file.write(content)
                flush(file)
        export_id = enter()
        for path, content in contents:
            # What is begun in a bucket appears there even if it fails: not before it is entered.
            if not isinstance(path, Path):
                write_durably(path, content)
    if is_outdated():
        for path, _ in contents:
            path.unlink(missing_ok=True)
        raise ErasedMeanwhileError
    for path in outdated:
        path.unlink(missing_ok=True)
    ledger.mark_in_place(ledger_dir, export_id)


def _beside(target: UPath, word: str) -> UPath:
    return target.with_name(f"{target.stem}-{word}{target.suffix}")
