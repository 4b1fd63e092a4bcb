"""The book of alerts: what is wrong, since when, and which channel was told what.

What belongs here: its records, how they change, and keeping them on the disk. What doesn't: what
is owed to a channel (`owed.py`), and sending it (`delivering.py`).

Trouble is written down before anything is sent, and a channel's share only once the channel has
taken the message. So whatever is killed or down, what is owed stays owed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock
from upath import UPath

from ldt_pipeline.alerting.trouble import Severity, Source, Trouble, rank
from ldt_pipeline.instants import now
from ldt_pipeline.private_files import PRIVATE_FILE, make_private
from ldt_pipeline.raw.files import write_durably

BOOK = "book.json"

WAIT_MOST = dt.timedelta(hours=1)
"""The longest that a channel is left alone, whatever it asks for."""

_LOCK_SECONDS = 30.0
_AN_INSTANT = dt.timedelta(microseconds=1)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel knows of a trouble: how bad it was when its message was packed, and whether over."""

    at: dt.datetime
    severity: Severity
    step: int
    is_over: bool


def told_before(told: Mapping[str, Told], opened_at: dt.datetime) -> dict[str, Told]:
    """Give what channels were told of an earlier time of a trouble: before this one began, however little.

    By that it is known to be of another time, and a clock may stand still, or be set back.
    """
    return {
        name: msgspec.structs.replace(each, at=min(each.at, opened_at - _AN_INSTANT))
        for name, each in told.items()
    }


class Record(msgspec.Struct, kw_only=True):
    """A trouble with its history.

    Attributes:
        trouble: As it was last seen.
        opened_at: Since when.
        seen_at: When it was last seen.
        grown_at: When it last got worse.
        occurrences: How often it has happened since it began.
        quiet_until: Over before then, it is not worth a message.
        over_at: When it was found to be over.
        is_given_up: Whether it is over because nobody will hear of it again, and not because it is mended.
        told: What each channel knows of it.
    """

    trouble: Trouble
    opened_at: dt.datetime
    seen_at: dt.datetime
    grown_at: dt.datetime
    occurrences: int = 1
    quiet_until: dt.datetime | None = None
    over_at: dt.datetime | None = None
    is_given_up: bool = False
    told: dict[str, Told] = msgspec.field(default_factory=dict[str, Told])


class Line(msgspec.Struct, kw_only=True):
    """How a channel has been doing.

    Attributes:
        begun_at: When a message to it was last begun. It is noted before that is sent: where a full disk
            keeps it from being noted, it would keep the message from being entered, too.
        sent_at: When it took messages, as far as the limit has to know.
        failures: How often in a row it took none.
        not_before: When it is tried again.
        error: Why it failed, in words of ours.
        held_since: Since when the limit has held something back.
    """

    begun_at: dt.datetime | None = None
    sent_at: list[dt.datetime] = msgspec.field(default_factory=list[dt.datetime])
    failures: int = 0
    not_before: dt.datetime | None = None
    error: str = ""
    held_since: dt.datetime | None = None


class Book(msgspec.Struct, kw_only=True):
    """All of it.

    Attributes:
        looked_at: When the sources were last asked.
        failures_seen: Up to which event of Dagster's failed runs are written down.
    """

    version: int = 1
    looked_at: dt.datetime | None = None
    failures_seen: int | None = None
    records: dict[str, Record] = msgspec.field(default_factory=dict[str, Record])
    lines: dict[str, Line] = msgspec.field(default_factory=dict[str, Line])

    def note(
        self,
        trouble: Trouble,
        moment: dt.datetime,
        *,
        is_occurrence: bool = True,
        quiet_until: dt.datetime | None = None,
    ) -> None:
        """Write down that something is wrong. `is_occurrence`: it happened once more."""
        record = self.records.get(trouble.key)
        if record is None or record.over_at is not None:
            self.records[trouble.key] = Record(
                trouble=trouble,
                opened_at=moment,
                seen_at=moment,
                grown_at=moment,
                quiet_until=quiet_until,
                told=told_before(record.told, moment) if record else {},
            )
            return
        before = record.trouble
        if rank(trouble.severity) > rank(before.severity) or trouble.step > before.step:
            record.grown_at = moment
        record.trouble = trouble
        record.seen_at = moment
        record.occurrences += is_occurrence

    def close(self, key: str, moment: dt.datetime, *, is_given_up: bool = False) -> None:
        """Write down that something is wrong no more, or, given up, that it is told of no more."""
        record = self.records.get(key)
        if record is not None and record.over_at is None:
            record.over_at = moment
            record.is_given_up = is_given_up

    def observe(self, source: Source, found: Iterable[Trouble], moment: dt.datetime) -> None:
        """Write down all that a source finds wrong now: what it doesn't name is over."""
        keys: set[str] = set()
        for trouble in found:
            self.note(trouble, moment, is_occurrence=False)
            keys.add(trouble.key)
        for key, record in self.records.items():
            if record.trouble.source == source and key not in keys:
                self.close(key, moment)

    def set_back(self, moment: dt.datetime) -> None:
        """Bring instants after the present to it: the clock was ahead, and all would wait for them."""
        just_now = moment - _AN_INSTANT

        def no_later(instant: dt.datetime) -> dt.datetime:
            return instant if instant <= moment else just_now

        for record in self.records.values():
            if record.quiet_until is not None and record.opened_at > moment:
                record.quiet_until -= record.opened_at - just_now
            of_earlier = [name for name, each in record.told.items() if each.at < record.opened_at]
            record.opened_at = no_later(record.opened_at)
            record.seen_at = no_later(record.seen_at)
            record.grown_at = no_later(record.grown_at)
            record.over_at = record.over_at and no_later(record.over_at)
            record.told = {
                name: msgspec.structs.replace(each, at=no_later(each.at))
                for name, each in record.told.items()
            }
            record.told |= told_before(
                {name: record.told[name] for name in of_earlier}, record.opened_at
            )
        for line in self.lines.values():
            line.sent_at = [each for each in line.sent_at if each <= moment]
            line.held_since = line.held_since and no_later(line.held_since)
            if line.not_before is not None and line.not_before > moment + WAIT_MOST:
                line.not_before = None
        self.looked_at = self.looked_at and no_later(self.looked_at)

    def open_records(self, *sources: Source) -> list[Record]:
        """Give what is wrong now, of some sources or of all, the oldest first."""
        found = [
            each
            for each in self.records.values()
            if each.over_at is None and (not sources or each.trouble.source in sources)
        ]
        return sorted(found, key=lambda each: (each.opened_at, each.trouble.key))


class BookFile:
    """The book of a data folder, shared by processes: each change is read, made and written whole."""

    def __init__(self, folder: Path, *, clock: Callable[[], dt.datetime] = now) -> None:
        self.folder = folder
        self.path = folder / BOOK
        self.clock = clock

    def read(self) -> Book:
        """Give the book as it stands; an empty one where there is none, or it is damaged."""
        return self._load()[0]

    @contextmanager
    def changed(self) -> Generator[Book]:
        """Change the book: what the block leaves is on the disk when it ends without an error."""
        make_private(self.folder)
        with FileLock(self.folder / "book.lock", timeout=_LOCK_SECONDS, mode=PRIVATE_FILE):
            book, is_damaged = self._load()
            before = msgspec.json.encode(book)
            book.set_back(self.clock())
            yield book
            after = msgspec.json.encode(book)
            if is_damaged:
                self.path.replace(self.path.with_name(f"{BOOK}.damaged"))
            if is_damaged or after != before:
                write_durably(UPath(self.path), after)

    @contextmanager
    def delivering(self) -> Generator[None]:
        """Hold the right to send; the kernel gives it back when the holder dies.

        Raises:
            filelock.Timeout: Another process is sending.
        """
        make_private(self.folder)
        with FileLock(self.folder / "delivering.lock", timeout=0, mode=PRIVATE_FILE):
            yield

    def _load(self) -> tuple[Book, bool]:
        """Give the book, and whether the one on the disk can't be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Book), False
        except FileNotFoundError:
            return Book(), False
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._begun_anew(), True

    def _begun_anew(self) -> Book:
        # An alert is worth more than the memory of the last one: it says so, and goes on.
        book = Book()
        moment = self.clock()
        book.note(Trouble(source="alerts", severity="warning", kind="book_damaged"), moment)
        book.close("alerts", moment)
        return book
