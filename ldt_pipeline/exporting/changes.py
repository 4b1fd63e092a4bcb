"""What changed since the last export to the same recipient.

What belongs here: comparing rows with what the ledger says was sent. What doesn't: the ledger itself
(`erasing/ledger.py`), and making files.

Compared is what was *sent*, not what stood at that instant: a change that happened before the last
export, but was read after it, is in the next one. The ledger holds no values, so a sent row is known by
a keyed digest of its cells, with a key that is new for each export.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ldt_pipeline.erasing.ledger import Sent
from ldt_pipeline.exporting.presets import CHANGE, OLD_BIB, STATUS, Preset

ADDED, CHANGED, WITHDRAWN, ENTERED = "added", "changed", "withdrawn", "entered"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What to send: the rows that are new or different, and the ids of those that left the list."""

    rows: list[dict[str, Any]]
    withdrawn: dict[str, Sent]


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


def plain(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Give rows for a full file."""
    return [{**row, CHANGE: None, OLD_BIB: None, STATUS: ENTERED} for row in rows]


def compare(preset: Preset, rows: Sequence[Row], sent: Mapping[str, Sent], salt: str) -> Changes:
    """Compare a list with what was sent.

    Args:
        preset: The layout in which it was sent.
        rows: The list as it is.
        sent: By participant, what the recipient has.
        salt: The key of those digests.
    """
    found: list[dict[str, Any]] = []
    for row in rows:
        before = sent.get(row["participant_id"])
        if before is None:
            found.append({**row, CHANGE: ADDED, OLD_BIB: None, STATUS: ENTERED})
        elif before.digest != digest(preset, row, salt):
            found.append({**row, CHANGE: CHANGED, OLD_BIB: before.bib, STATUS: ENTERED})
    listed = {row["participant_id"] for row in rows}
    withdrawn = {name: each for name, each in sent.items() if name not in listed}
    return Changes(rows=found, withdrawn=withdrawn)
