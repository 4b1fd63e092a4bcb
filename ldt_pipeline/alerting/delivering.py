"""Delivering: each channel gets what it is owed, in one message, again and again until it takes it.

What belongs here: a round over all channels, the limit, and trying again later. What doesn't: what
is owed (`owed.py`), and how it is handed over (`channels.py`).

A message counts as delivered once the channel has taken it, and is entered after that: killed in
between, it is sent a second time, and never not at all. That it is begun is noted before: where the
book can't be written nothing is sent, as the same message would be, twice a minute.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
from filelock import Timeout

from ldt_pipeline.alerting import channels
from ldt_pipeline.alerting.book import Book, BookFile, Line, told_before
from ldt_pipeline.alerting.channels import DeliveryError
from ldt_pipeline.alerting.config import AlertsFile, Channel
from ldt_pipeline.alerting.message import Message, compose
from ldt_pipeline.alerting.owed import Item, forget, is_gathered, is_within_limit, owed
from ldt_pipeline.settings import read_secret

FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(minutes=15)

Send = Callable[[Channel, Message], str]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What came of one channel's message. `error` is None where it was taken."""

    channel: str
    troubles: int
    error: str | None


@dataclass(frozen=True, kw_only=True)
class _Parcel:
    items: list[Item]
    message: Message
    packed_at: dt.datetime


def send_now(channel: Channel, message: Message) -> str:
    """Hand a message over, with the secrets of the environment."""
    return channels.send(channel, message, read_secret)


def deliver(file: BookFile, config: AlertsFile, *, send: Send = send_now) -> list[Delivery]:
    """Send each channel what it is owed and may get now.

    Does nothing where another process is just doing so.

    Raises:
        OSError: The book can't be written; nothing is sent then.
    """
    try:
        with file.delivering():
            return [
                done
                for name, channel in config.channels.items()
                if (done := _deliver_one(file, config, name, channel, send)) is not None
            ]
    except Timeout:
        return []


def wait_after(failures: int) -> dt.timedelta:
    """Give how long a channel is left alone that has failed so often in a row."""
    return min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)


def _deliver_one(
    file: BookFile, config: AlertsFile, name: str, channel: Channel, send: Send
) -> Delivery | None:
    with file.changed() as book:
        parcel = _pack(book, config, name, file.clock())
    if parcel is None:
        return None
    try:
        note = send(channel, parcel.message)
    except DeliveryError as error:
        with file.changed() as book:
            _enter_failure(book.lines.setdefault(name, Line()), error, file.clock())
        return Delivery(channel=name, troubles=len(parcel.items), error=str(error))
    with file.changed() as book:
        _enter(book, name, parcel, file.clock(), note)
        forget(book, config.severities, file.clock(), config.rules)
    return Delivery(channel=name, troubles=len(parcel.items), error=None)


def _pack(book: Book, config: AlertsFile, name: str, moment: dt.datetime) -> _Parcel | None:
    """Give the message that a channel may get now; None where there is none."""
    rules, line = config.rules, book.lines.setdefault(name, Line())
    items = owed(book, name, moment, rules=rules, at_least=config.channels[name].at_least)
    if not is_gathered(items, moment, rules):
        return None
    if line.not_before is not None and moment < line.not_before:
        return None
    if not is_within_limit(line, moment, rules):
        line.held_since = line.held_since or moment
        return None
    # Others may change the book while this is on its way: what was told is what was packed.
    items = [replace(item, record=msgspec.structs.replace(item.record)) for item in items]
    line.begun_at = moment
    message = compose(items, moment, held_since=line.held_since, pages=config.pages)
    return _Parcel(items=items, message=message, packed_at=moment)


def _enter_failure(line: Line, error: DeliveryError, moment: dt.datetime) -> None:
    line.failures += 1
    asked = dt.timedelta(seconds=error.wait_seconds or 0)
    line.not_before = moment + max(wait_after(line.failures), asked)
    line.error = str(error)


def _enter(book: Book, name: str, parcel: _Parcel, moment: dt.datetime, note: str) -> None:
    for item in parcel.items:
        record = book.records.get(item.record.trouble.key)
        if record is not None:
            # What returned while this was on its way is younger than what the channel was told of.
            told = {name: msgspec.structs.replace(item.told, at=parcel.packed_at)}
            if record.opened_at != item.record.opened_at:
                told = told_before(told, record.opened_at)
            record.told = {**record.told, **told}
    line = book.lines.setdefault(name, Line())
    line.sent_at.append(moment)
    line.failures, line.not_before, line.held_since, line.error = 0, None, None, note
