"""The journal: what was sent, and what came of it, written down before and after each request.

What belongs here: appending lines that survive a crash, and what they say about a step or a claim
link. What doesn't: deciding (`applying.py`).

A line says `sending` and is on the disk before its request leaves. So a step without one was never
sent, and one whose last line is `sending` may have had its effect: its process died. No line holds
a name, an address or a description: ids, numbers, names of fields, and digests.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

from ldt_pipeline.allocations.plan import Change
from ldt_pipeline.instants import now
from ldt_pipeline.private_files import PRIVATE_FILE, make_private
from ldt_pipeline.raw.files import sync_folder

State = Literal["sending", "done", "confirmed", "found", "absent", "unclear", "refused"]
"""`done`: answered. `confirmed`: not answered, and seen to be so. `found`: it was so before anything
was sent. `absent`: seen not to be so. `unclear`: nothing can tell. `refused`: had no effect."""

IN_EFFECT: frozenset[State] = frozenset({"done", "confirmed", "found"})

JOURNAL = "journal.ndjson"


class ApplyBusyError(Exception):
    """Another apply of this data folder is under way."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    at: dt.datetime
    plan: str
    step: int
    action: str
    state: State
    event_id: str | None = None
    partner_id: str | None = None
    group_id: str | None = None
    fields: tuple[str, ...] = ()
    capacity_before: int | None = None
    capacity_after: int | None = None
    body_digest: str | None = None
    address_digest: str | None = None
    error: str | None = None


def address_digest(target: str, address: str) -> str:
    """Give what stands for an address that a group's or partner's claim link goes to."""
    return hashlib.sha256(f"{target}\n{address.strip().casefold()}".encode()).hexdigest()


class Journal:
    """The journal of a data folder: one file, appended to by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self._links: dict[str, State] = {}
        self._steps: dict[tuple[str, int], list[Entry]] = {}
        self._read()

    def _read(self) -> None:
        self._links.clear()
        self._steps.clear()
        for entry in read_entries(self.path):
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        self._steps.setdefault((entry.plan, entry.step), []).append(entry)
        if entry.address_digest is None:
            return
        if entry.state == "refused":
            self._links.pop(entry.address_digest, None)
        else:
            self._links[entry.address_digest] = entry.state

    @contextmanager
    def held(self) -> Generator[Journal]:
        """Hold the right to apply; the kernel gives it back when the holder dies.

        Raises:
            ApplyBusyError: Another process holds it.
        """
        make_private(self.folder)
        lock = FileLock(self.folder / "apply.lock", mode=PRIVATE_FILE)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ApplyBusyError(
                "Another `ldt allocations apply` of this data folder is under way. Wait for it."
            ) from None
        try:
            _drop_torn_line(self.path)
            self._read()
            yield self
        finally:
            lock.release()

    def of_step(self, plan: str, step: int) -> list[Entry]:
        """Give what is written of a step of a plan, oldest first."""
        return self._steps.get((plan, step), [])

    def link_state(self, target: str, address: str) -> State | None:
        """Give what became of a claim link to an address; None where it may (still) be sent."""
        return self._links.get(address_digest(target, address))

    def may_have_sent(self, target: str, address: str) -> bool:
        """Whether a claim link went, or may have gone, to an address."""
        return self.link_state(target, address) is not None

    def write(self, plan: str, change: Change, state: State, **fields: object) -> None:
        """Append a line, and return when it is on the disk."""
        address = change.body.get("emailAddress")
        target = fields.get("group_id") or change.group_id or fields.get("partner_id")
        entry = Entry(
            at=now(),
            plan=plan,
            step=change.number,
            action=change.action,
            state=state,
            event_id=change.event_id,
            partner_id=_text(fields.get("partner_id")) or change.partner_id,
            group_id=_text(fields.get("group_id")) or change.group_id,
            fields=tuple(sorted(change.body)),
            capacity_before=_capacity(change.before),
            capacity_after=_capacity(change.body),
            body_digest=hashlib.sha256(msgspec.json.encode(change.body, order="sorted")).hexdigest()
            if change.body and address is None
            else None,
            address_digest=address_digest(str(target or change.partner_id), address)
            if address is not None
            else None,
            error=_text(fields.get("error")),
        )
        _append(self.path, msgspec.json.encode(entry) + b"\n")
        self._take(entry)


def whole_lines(path: Path) -> list[bytes]:
    """Give the lines of a journal as bytes; none where there is no file. A torn last line is no line."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def read_entries(path: Path) -> Iterable[Entry]:
    """Give what the lines of a journal say; nothing where there is no file.

    Raises:
        ValueError: A line in the middle can't be read.
    """
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            yield msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ValueError(
                f"{path}: line {number} is damaged. It says which claim links went out, so nothing "
                "is applied without it: bring the file back from a backup."
            ) from None


def applied_at(folder: Path) -> dict[str, dt.datetime]:
    """Give when each event's groups were last written to, by event id; UTC.

    A line that can't be read counts for nothing here: applying refuses such a journal, and what is
    published must not wait for it.
    """
    found: dict[str, dt.datetime] = {}
    for line in whole_lines(folder / JOURNAL):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if entry.event_id is not None and entry.state != "refused":
            found[entry.event_id] = max(entry.at, found.get(entry.event_id, entry.at))
    return found


def _append(path: Path, line: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    try:
        left = memoryview(line)
        while left:  # a disk that is nearly full takes a part, and says no only to the next one
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def _drop_torn_line(path: Path) -> None:
    """Take away what a process that died left of a line: its request never left."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _capacity(fields: dict[str, object]) -> int | None:
    value = fields.get("maxCapacity")
    return int(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return str(value) if value else None
