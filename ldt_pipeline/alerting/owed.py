"""What a channel is owed: which troubles it has to hear of now, and why.

What belongs here: the rules about quiet time, reminders, gathering and limits. They are pure: a
book, a channel's name and an instant give the same answer. What doesn't: the book itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ldt_pipeline.alerting.book import Book, Line, Record, Told
from ldt_pipeline.alerting.trouble import Severity, rank

Why = Literal["new", "worse", "reminder", "passed", "over"]
"""`passed`: it came and went, and the channel has not heard of it."""

_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When to speak.

    Attributes:
        gather: How long to wait for more of the same before the first message.
        quiet: How long a channel isn't told of a trouble that came back.
        remind: After how long a channel is told again of what is still wrong.
        messages_per_hour: How many messages a channel gets at most; the rest waits, and comes in one.
    """

    gather: dt.timedelta = dt.timedelta(seconds=30)
    quiet: dt.timedelta = dt.timedelta(minutes=60)
    remind: dt.timedelta = dt.timedelta(hours=12)
    messages_per_hour: int = 6


@dataclass(frozen=True, kw_only=True)
class Item:
    """One trouble that a channel has to hear of, and since when it is due."""

    why: Why
    record: Record
    due_at: dt.datetime

    @property
    def told(self) -> Told:
        """What the channel will know once it has taken this; `at`, when it was packed, the sender sets."""
        trouble = self.record.trouble
        return Told(
            at=self.due_at,
            severity=trouble.severity,
            step=trouble.step,
            is_over=self.why in ("over", "passed"),
        )


def owed(
    book: Book, channel: str, moment: dt.datetime, *, rules: Rules, at_least: Severity
) -> list[Item]:
    """Give what a channel is owed at an instant, the worst first; whether or not it may be sent."""
    items = [
        item
        for record in book.records.values()
        if (item := _item(record, channel, rules=rules, at_least=at_least)) is not None
        and item.due_at <= moment
    ]
    order: dict[Why, int] = {"new": 0, "worse": 0, "reminder": 1, "passed": 2, "over": 3}
    return sorted(
        items,
        key=lambda item: (
            order[item.why],
            -rank(item.record.trouble.severity),
            item.record.opened_at,
            item.record.trouble.key,
        ),
    )


def is_gathered(items: list[Item], moment: dt.datetime, rules: Rules) -> bool:
    """Whether something has been due for long enough that nothing more is waited for."""
    return any(item.due_at + rules.gather <= moment for item in items)


def is_within_limit(line: Line, moment: dt.datetime, rules: Rules) -> bool:
    """Whether a channel may get one more message in the hour before an instant."""
    recent = [each for each in line.sent_at if each > moment - _HOUR]
    return len(recent) < rules.messages_per_hour


def forget(book: Book, channels: dict[str, Severity], moment: dt.datetime, rules: Rules) -> None:
    """Drop what is over, told, and too long ago to come back as the same; and old times of sending."""
    for key, record in list(book.records.items()):
        is_owed = any(
            _item(record, name, rules=rules, at_least=at_least)
            for name, at_least in channels.items()
        )
        if record.over_at is not None and not is_owed and _is_past(record, channels, moment, rules):
            del book.records[key]
    for line in book.lines.values():
        line.sent_at = [each for each in line.sent_at if each > moment - _HOUR]


def _is_past(record: Record, channels: Collection[str], moment: dt.datetime, rules: Rules) -> bool:
    told = [each.at for name, each in record.told.items() if name in channels]
    return max([record.over_at or moment, *told]) + rules.quiet <= moment


def _item(record: Record, channel: str, *, rules: Rules, at_least: Severity) -> Item | None:
    told = record.told.get(channel)
    if told is not None and not told.is_over:
        return _to_one_who_knows(record, told, rules)
    if rank(record.trouble.severity) < rank(at_least):
        return None
    opened = max(record.opened_at, record.quiet_until or record.opened_at)
    if told is not None:
        if record.opened_at <= told.at:
            return None  # the same that it was told to be over
        opened = max(opened, told.at + rules.quiet)
    if record.over_at is None:
        return Item(why="new", record=record, due_at=opened)
    if record.quiet_until is not None and record.over_at < record.quiet_until:
        return None
    return Item(why="passed", record=record, due_at=max(opened, record.over_at))


def _to_one_who_knows(record: Record, told: Told, rules: Rules) -> Item | None:
    """Give what somebody is owed who was told that it is wrong."""
    trouble = record.trouble
    if record.over_at is not None:
        return Item(why="over", record=record, due_at=record.over_at)
    if rank(trouble.severity) > rank(told.severity) or trouble.step > told.step:
        return Item(why="worse", record=record, due_at=record.grown_at)
    return Item(why="reminder", record=record, due_at=told.at + rules.remind)
