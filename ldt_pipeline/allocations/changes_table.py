"""The journal as the table `allocation_changes`.

What belongs here: lines to rows. A damaged line becomes a row that says so: a start list must not
wait for a journal, and applying refuses such a journal by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from ldt_pipeline.allocations.journal import JOURNAL, Entry, whole_lines
from ldt_pipeline.tables import table


def allocation_changes(folder: Path | None) -> pl.DataFrame:
    """Give the `allocation_changes` table from the journal in a folder; no rows without one."""
    lines = whole_lines(folder / JOURNAL) if folder else []
    rows = [_row(number, line) for number, line in enumerate(lines, start=1)]
    return pl.DataFrame(rows, schema=table("allocation_changes").schema)


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"line": number, "action": "unreadable"}
    return {
        "line": number,
        "at": entry.at,
        "plan_hash": entry.plan,
        "step": entry.step,
        "action": entry.action,
        "state": entry.state,
        "event_id": entry.event_id,
        "partner_id": entry.partner_id,
        "reserved_entry_group_id": entry.group_id,
        "fields": ", ".join(entry.fields) or None,
        "max_capacity_before": entry.capacity_before,
        "max_capacity_after": entry.capacity_after,
        "error": entry.error,
    }
