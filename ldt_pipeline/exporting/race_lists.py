"""Making an export of a race's start list: rendered, entered into the ledger, put in place.

What belongs here: the order, and what goes into which file. What doesn't: layouts, and comparing.

Everything is rendered before anything is written, and the ledger is entered while the file is written
and not yet in place: an export that fails isn't taken for one that was received.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from upath import UPath

from ldt_pipeline.erasing import ledger
from ldt_pipeline.erasing.ledger import Sent
from ldt_pipeline.exporting.changes import WITHDRAWN, Changes, compare, digest, new_salt, plain
from ldt_pipeline.exporting.presets import CHANGE, OLD_BIB, STATUS, Preset
from ldt_pipeline.exporting.writing import rendered
from ldt_pipeline.raw.files import durable_file
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.read import START_ORDER


class NothingSentError(Exception):
    """There is no earlier export to tell changes from."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export came to: numbers and paths alone."""

    files: list[str]
    rows: int
    left_out: int
    withdrawn: int


def listed(
    connection: duckdb.DuckDBPyConnection, race_id: str, on: Any = None
) -> list[dict[str, Any]]:
    """Give a race's start list from the published file, in the order of the start."""
    names = list(table("start_list").schema)
    wanted = ", ".join(f'"{name}"' for name in names)
    rows = connection.execute(
        f"SELECT {wanted} FROM start_list WHERE race_id = ? "  # noqa: S608 - the registry's names
        f"AND (?::DATE IS NULL OR race_start_at::DATE = ?::DATE) ORDER BY {START_ORDER}",
        [race_id, on, on],
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def export(
    connection: duckdb.DuckDBPyConnection,
    rows: list[dict[str, Any]],
    *,
    preset: Preset,
    target: UPath,
    ledger_dir: Path,
    recipient: str | None,
    about: dict[str, str],
    changes_only: bool = False,
) -> Exported:
    """Write a list, or what changed since the last export to the same recipient.

    Rows that lack what the preset requires are left out, and count as not sent.

    Args:
        connection: The published file: it knows those who were withdrawn.
        rows: The list, by column of `start_list`.
        preset: The layout.
        target: The file, local or in a bucket. Withdrawn entries that the layout has no word for go
            into a file beside it, `NAME-withdrawn.csv`.
        ledger_dir: Where exports are entered.
        recipient: Who it is for.
        about: What the list is of, such as `race_id`: an earlier export has to have the same.
        changes_only: Whether to write only what changed.

    Raises:
        NothingSentError: Nothing was sent to this recipient yet.
        UnencodableError: The layout's encoding lacks a character.
        OSError: The ledger or a file can't be written. The recipient counts as not served.
    """
    kept = [row for row in rows if all(row[name] for name in preset.require)]
    about = {**about, "preset": preset.name}
    sent: dict[str, Sent] = {}
    if changes_only:
        last = ledger.last_sent(ledger_dir, recipient=recipient or "", about=about)
        if last is None:
            raise NothingSentError(
                f"Nothing of this was sent to {recipient!r} yet in the layout {preset.name}: send "
                "the whole list once, without --changes-since and with the same --recipient."
            )
        source, sent = last
        found = compare(preset, kept, sent, source["salt"])
    else:
        found = Changes(rows=plain(kept), withdrawn={})
    gone = _withdrawn(connection, found.withdrawn)
    files = [(target, [*found.rows, *gone] if preset.has_status else found.rows)]
    if gone and not preset.has_status:
        files.append((target.with_name(f"{target.stem}-withdrawn{target.suffix}"), gone))
    contents = [(path, rendered(preset, each, changes=changes_only)) for path, each in files]
    salt = new_salt()
    in_file = {row["participant_id"] for row in found.rows}
    entries = [
        Sent(
            id=row["participant_id"],
            digest=digest(preset, row, salt),
            bib=row["bib_number"],
            in_file=row["participant_id"] in in_file,
        )
        for row in kept
    ]
    entries += [Sent(id=each, gone=True) for each in found.withdrawn]
    with ExitStack() as stack:
        for path, content in contents:
            stack.enter_context(durable_file(path)).write(content)
        ledger.enter(
            ledger_dir,
            table="start_list",
            ids=entries,
            recipient=recipient,
            file=str(target),
            about={**about, "salt": salt, "kind": "changes" if changes_only else "full"},
        )
    return Exported(
        files=[str(path) for path, _ in contents],
        rows=len(found.rows),
        left_out=len(rows) - len(kept),
        withdrawn=len(gone),
    )


def _withdrawn(
    connection: duckdb.DuckDBPyConnection, withdrawn: dict[str, Sent]
) -> list[dict[str, Any]]:
    """Give the last version of entries that left the list; the id and bib alone of one without."""
    if not withdrawn:
        return []
    names = list(table("start_list").schema)
    wanted = ", ".join(f'"{name}"' for name in names)
    rows = connection.execute(
        f"SELECT {wanted} FROM participant_versions "  # noqa: S608 - the registry's names
        "WHERE list_contains(?::VARCHAR[], participant_id) "
        "QUALIFY row_number() OVER (PARTITION BY participant_id ORDER BY version DESC) = 1",
        [list(withdrawn)],
    ).fetchall()
    known = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    empty = dict.fromkeys(names)
    return [
        {
            **known.get(name, {**empty, "participant_id": name}),
            # The bib that the recipient knows them by.
            "bib_number": each.bib,
            CHANGE: WITHDRAWN,
            OLD_BIB: each.bib,
            STATUS: WITHDRAWN,
        }
        for name, each in sorted(withdrawn.items())
    ]
