"""A message: what a channel is owed, as text for people and as JSON for programs.

What belongs here: wording and layout. What doesn't: which troubles (`owed.py`), and what a trouble
says of itself (`trouble.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ldt_pipeline.alerting.owed import Item, Why

_LINES_MOST: Final = 20
_RECORDS_MOST: Final = 500

_TITLES: Final[dict[Why, str]] = {
    "new": "New",
    "worse": "Got worse",
    "reminder": "Still so",
    "passed": "Came and went",
    "over": "Over",
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent: `subject` is one line, `text` all of it, `record` the same for programs."""

    subject: str
    text: str
    record: dict[str, Any]


def compose(
    items: Sequence[Item], moment: dt.datetime, *, held_since: dt.datetime | None, pages: str | None
) -> Message:
    """Write one message of all that a channel is owed.

    Args:
        items: What it is owed, the most important first.
        moment: When it is sent.
        held_since: Since when the limit of messages has held something back.
        pages: The address of Dagster's pages, for a link.
    """
    counts = Counter(item.why for item in items)
    told = ", ".join(f"{counts[why]} {_TITLES[why].lower()}" for why in _TITLES if counts[why])
    first = _line(items[0])
    subject = first if len(items) == 1 else f"{told}: {first}"
    lines: list[str] = [] if len(items) == 1 else [f"{told}."]
    if held_since is not None:
        lines.append(
            f"Held back since {held_since:%Y-%m-%d %H:%M} UTC, as there were too many messages."
        )
    why: Why | None = None
    for item in items[:_LINES_MOST]:
        if item.why != why:
            why = item.why
            lines.append(f"{_TITLES[why]}:")
        lines.append(f"- {_line(item)}{_since(item)}")
    if left := items[_LINES_MOST:]:
        sources = Counter(item.record.trouble.source for item in left)
        kinds = ", ".join(f"{count} of {source}" for source, count in sources.most_common())
        lines.append(f"And {len(left)} more ({kinds}): `ldt alerts status` lists them all.")
    if pages:
        lines.append(f"See {pages}")
    return Message(
        subject=f"[ldt] {subject}",
        text="\n".join(lines) + "\n",
        record={
            "at": moment.isoformat(timespec="seconds"),
            "subject": subject,
            "held_since": held_since and held_since.isoformat(timespec="seconds"),
            "left_out": max(0, len(items) - _RECORDS_MOST),
            "troubles": [_record(item) for item in items[:_RECORDS_MOST]],
        },
    )


def trial_message(moment: dt.datetime) -> Message:
    """Write a message that says that messages arrive."""
    subject = "This is a test: alerts arrive here"
    return Message(
        subject=f"[ldt] {subject}",
        text=f"{subject}. Sent at {moment:%Y-%m-%d %H:%M:%S} UTC by `ldt alerts test`.\n",
        record={
            "at": moment.isoformat(timespec="seconds"),
            "subject": subject,
            "held_since": None,
            "left_out": 0,
            "troubles": [],
        },
    )


def _line(item: Item) -> str:
    record = item.record
    return f"{record.trouble.severity}: {record.trouble.sentence(occurrences=record.occurrences)}"


def _since(item: Item) -> str:
    record = item.record
    since = f" (since {record.opened_at:%Y-%m-%d %H:%M} UTC"
    if record.is_given_up:
        return (
            f"{since}; it has neither been repeated nor failed again since "
            f"{record.seen_at:%Y-%m-%d %H:%M}, and is told of no more)"
        )
    return f"{since}, over {record.over_at:%H:%M})" if record.over_at else f"{since})"


def _record(item: Item) -> dict[str, Any]:
    record = item.record
    return {
        "why": item.why,
        "key": record.trouble.key,
        "sentence": record.trouble.sentence(occurrences=record.occurrences),
        "occurrences": record.occurrences,
        "opened_at": record.opened_at.isoformat(timespec="seconds"),
        "over_at": record.over_at and record.over_at.isoformat(timespec="seconds"),
        "is_given_up": record.is_given_up,
        **msgspec.to_builtins(record.trouble),
    }
