"""What changed since the last export to the same recipient.

What belongs here: comparing rows with what the ledger says was sent. What doesn't: the ledger itself
(`erasing/ledger.py`), and making files.

Compared is what was *sent*, not what stood at that instant: a change that happened before the last
export, but was read after it, is in the next one. The ledger holds no values, so a sent row is known by
a keyed digest of its cells, with a key that is new for each export.

Where an export was begun and nobody knows whether it arrived, the recipient may have what was before it
or what it said: whatever differs from either is sent. Some of that comes twice then; nothing is lost.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ldt_pipeline.erasing.ledger import Entry, Sent
from ldt_pipeline.exporting.presets import CHANGE, OLD_BIB, STATUS, Preset

ADDED, CHANGED, WITHDRAWN, MOVED = "added", "changed", "withdrawn", "moved"
ENTERED = "entered"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What to send, and what not.

    Attributes:
        rows: The rows that are new or different.
        left: By participant, what the recipient has of those who left the list.
        kept_back: By participant, what the recipient has of those who haven't left, and whose row
            can't be sent now.
    """

    rows: list[dict[str, Any]]
    left: dict[str, Sent]
    kept_back: dict[str, Sent]


def new_salt() -> str:
    """Give a key for the digests of one export."""
    return secrets.token_hex(16)


def digest(preset: Preset, row: Row, salt: str) -> str:
    """Give the digest of what a preset makes of a row, as text."""
    names = [each.from_ for each in preset.columns if each.from_] or sorted(row)
    # `updated_at` moves with changes that the file doesn't show, unless it is one of its columns.
    values = [
        (name, str(row[name]))
        for name in names
        if not name.startswith("_") and (preset.columns or name != "updated_at")
    ]
    content = repr(values).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, key=bytes.fromhex(salt), digest_size=12).hexdigest()


def layout(preset: Preset) -> str:
    """Give a digest of a layout, by which one that was edited is known."""
    return hashlib.blake2b(msgspec.json.encode(preset), digest_size=12).hexdigest()


def plain(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Give rows for a full file."""
    return [{**row, CHANGE: None, OLD_BIB: None, STATUS: ENTERED} for row in rows]


def compare(
    preset: Preset,
    rows: Sequence[Row],
    *,
    alive: Collection[str],
    entries: Sequence[Entry],
) -> Changes:
    """Compare a list with what was sent.

    Args:
        preset: The layout in which it was sent.
        rows: The list as it is, as far as it is to be sent.
        alive: Everybody in the race, also those whose rows can't be sent now: they haven't left.
        entries: What the recipient may have, as the ledger's `last_sent` gives it.
    """
    # Edited since, a layout makes other cells of the same values.
    is_same_layout = all(entry.about["layout"] == layout(preset) for entry in entries)
    had = {name: each for entry in entries for name, each in entry.sent.items()}
    found: list[dict[str, Any]] = []
    for row in rows:
        name = row["participant_id"]
        if name not in entries[0].sent:
            found.append({**row, CHANGE: ADDED, OLD_BIB: None, STATUS: ENTERED})
        elif not is_same_layout or not all(_has(entry, preset, row) for entry in entries):
            found.append({**row, CHANGE: CHANGED, OLD_BIB: had[name].bib, STATUS: ENTERED})
    listed = {row["participant_id"] for row in rows}
    others = {name: each for name, each in had.items() if name not in listed}
    return Changes(
        rows=found,
        left={name: each for name, each in others.items() if name not in alive},
        kept_back={name: each for name, each in others.items() if name in alive},
    )


def _has(entry: Entry, preset: Preset, row: Row) -> bool:
    sent = entry.sent.get(row["participant_id"])
    return sent is not None and sent.digest == digest(preset, row, entry.about["salt"])
