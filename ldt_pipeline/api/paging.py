"""Reading a list whole: following cursors to the end, and proving that it was the end.

What belongs here: every reading of how a list ends and what its total means, and the proof of
completeness. What doesn't: which lists and windows are read (`windows.py`, `feeds/`).

The reference leaves much open, so nothing is assumed. A walk ends at an empty page, at a missing
cursor, at a cursor that was followed before, or at a page that repeats what was seen. Whether it
saw everything is decided by counting: the distinct records of one walk must be as many as the
list's `totalResults`, before and after. Cursors may be ids of records, and a record that changes
in the middle of a walk then takes the walk past others that were never seen; that is why a walk
that does not agree is walked again, and fails loudly in the end.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from ldt_pipeline.api.answers import record_key
from ldt_pipeline.api.catalogue import PAGE_SIZE_MAX, Operation
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import IncompleteWalkError, InvalidRequestError, NotFoundError
from ldt_pipeline.instants import EPOCH, MILLISECOND, format_instant, now, shifted, whole_second
from ldt_pipeline.record_hash import record_hash

ATTEMPTS = 6
_PAUSE_SECONDS = 0.2
_REPEATED_PAGES_MOST = 2
"""So many pages in a row that bring nothing new end a walk. One may be a page that a record moved
behind; a list that wraps round, or a proxy that repeats itself, brings them for ever."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as received, with what a walk counts by.

    A struct, not a dataclass: a first load makes a million of them.
    """

    body: bytes
    id: str | None
    updated_at: dt.datetime | None
    hash: int
    """Of its bytes."""
    identity: str | int
    """What makes it one record: its id, or its bytes where it has none."""


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """What to read: a list, and the parameters that narrow and order it."""

    operation: Operation
    record_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    page_size: int = PAGE_SIZE_MAX

    def page_parameters(self, cursor: str | None, size: int | None = None) -> dict[str, str]:
        """Give the query of one page. What changes payloads and order is always named."""
        query = {"sort[updatedAt]": "1", **self.parameters}
        if "sort[createdAt]" in self.parameters:
            del query["sort[updatedAt]"]
        query["page[size]"] = str(size or self.page_size)
        if self.operation.accepts("extendMetadata"):
            query["extendMetadata"] = "true"
        if cursor is not None:
            query["page[after]"] = cursor
        return query


@dataclass(kw_only=True)
class Proof:
    """How a walk was proved complete: filled in when it ends."""

    total: int | None = None
    distinct: int = 0
    walks: int = 0
    pages: int = 0
    by: str = ""
    """`total`: it agreed with `totalResults`. `repetition`: the API states no total, or none of
    windows, and two walks in a row saw the same records."""
    server_time: dt.datetime | None = None
    """When the first page of the walk that counts was answered, by the server's clock."""

    def add(self, part: Proof) -> None:
        """Add the proof of a later part of the same list."""
        if self.server_time is None:
            self.total, self.by, self.server_time = part.total, part.by, part.server_time
        else:
            totals = (self.total, part.total)
            self.total = None if None in totals else sum(filter(None, totals))
            self.by = self.by if self.by == part.by else "repetition"
        self.distinct += part.distinct
        self.walks += part.walks
        self.pages += part.pages


def record_of(body: bytes) -> Record:
    """Read what a walk needs of a record."""
    record_id, updated_at = record_key(body)
    digest = record_hash(body)
    return Record(
        body=body,
        id=record_id,
        updated_at=updated_at,
        hash=digest,
        identity=digest if record_id is None else record_id,
    )


class LongOpenListError(Exception):
    """A list that is open at its end holds more than a page: it has to be closed first."""


class LongListError(Exception):
    """A list holds more records than were wanted of one walk: `total`, the first changed at `oldest`."""

    def __init__(self, total: int, oldest: dt.datetime | None) -> None:
        super().__init__(f"{total} records are too many for one walk.")
        self.total = total
        self.oldest = oldest


def walk(
    client: Client,
    request: ListRequest,
    proof: Proof,
    *,
    attempts: int = ATTEMPTS,
    is_open: bool = False,
    records_most: int | None = None,
) -> Iterator[list[Record]]:
    """Read a list whole: gives its records page by page, each version once.

    When it has ended without an error, `proof` says how completeness was proved. Until then the
    records are true but may not be all.

    Args:
        client: Where from.
        request: What to read.
        proof: To be filled in.
        attempts: How many walks may be made.
        is_open: The list may grow at its end. On its second page that spoils the proof: where one
            record goes, the next page may begin one too late, and one that arrives keeps the count.
        records_most: How many records the first page may say that there are.

    Raises:
        LongListError: There are more than `records_most`; nothing was given yet.
        LongOpenListError: The list `is_open`, and does not fit on a page.
        IncompleteWalkError: Several walks did not agree with the total that the API states.
        ApiError: A page could not be had.
    """
    given: dict[str | int, int] = {}
    previous: set[str | int] | None = None
    tells_of_window: bool | None = None
    most = records_most
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311
        lap = _Lap()
        try:
            for page_records, total, server_time in _answers(client, request):
                _refuse_long(page_records, total, is_open=is_open, records_most=most)
                most = None
                lap.see(page_records, total, server_time)
                fresh: list[Record] = []
                for record in page_records:
                    if given.get(record.identity) != record.hash:
                        given[record.identity] = record.hash
                        fresh.append(record)
                if fresh:
                    yield fresh
        except (InvalidRequestError, NotFoundError):
            if not lap.totals:
                raise
            # A cursor may be the id of a record that has gone since.
            lap.is_broken = True
        proof.walks, proof.distinct, proof.total = attempt + 1, len(lap.seen), lap.totals[0]
        proof.pages += len(lap.totals)
        proof.server_time = lap.started_at
        if lap.agrees and (lap.has_all_totals or _total_now(client, request) == proof.distinct):
            proof.by = "total"
            return
        if tells_of_window is None and not lap.is_broken and not lap.has_no_totals:
            tells_of_window = not _totals_pass_over_windows(client, request)
        if (lap.has_no_totals or tells_of_window is False) and not lap.is_broken:
            if previous == lap.seen:
                proof.by = "repetition"
                return
            previous = lap.seen
    raise IncompleteWalkError(
        f"{request.operation.name} could not be read completely in {attempts} walks: the API "
        f"says that there are {proof.total}, and {proof.distinct} different records were seen. "
        "Nothing of it is used. Try again later; if it goes on, tell your contact at "
        "Let's Do This."
    )


def pages(client: Client, request: ListRequest) -> Iterator[list[Record]]:
    """Follow a list's cursors, for whoever stops before its end: nothing is proved.

    Raises:
        ApiError: A page could not be had.
    """
    for records, _, _ in _answers(client, request):
        yield records


def _refuse_long(
    records: list[Record], total: int | None, *, is_open: bool, records_most: int | None
) -> None:
    if is_open and total is not None and total > len(records):
        raise LongOpenListError
    if records_most is not None and (total or 0) > records_most:
        raise LongListError(total or 0, records[0].updated_at if records else None)


@dataclass(kw_only=True)
class _Lap:
    """One walk from the first page to the last: what it saw, and whether that proves itself."""

    seen: set[str | int] = field(default_factory=set[str | int])
    totals: list[int | None] = field(default_factory=list[int | None])
    before: list[int] = field(default_factory=list[int])
    """How many records came before each page."""
    given: int = 0
    pages_needed: int | None = None
    """After how many pages as many were seen as the first page said that there are."""
    started_at: dt.datetime | None = None
    is_broken: bool = False

    def see(
        self, records: list[Record], total: int | None, server_time: dt.datetime | None
    ) -> None:
        """Note a page."""
        self.started_at = self.started_at or server_time or now()
        self.before.append(self.given)
        self.given += len(records)
        self.totals.append(total)
        self.seen.update(record.identity for record in records)
        if self.pages_needed is None and len(self.seen) == self.totals[0]:
            self.pages_needed = len(self.totals)

    @property
    def agrees(self) -> bool:
        """Whether as many were seen as there are, and the list stood still meanwhile.

        Each page has to state the same total, or, where the API counts from the cursor on, what is
        left of it. One page that holds everything is proof by itself.
        """
        total = self.totals[0]
        if total is None or total != len(self.seen):
            return False
        needed = self.totals[: self.pages_needed]
        return all(
            stated in (None, total, total - before)
            for stated, before in zip(needed, self.before, strict=False)
        )

    @property
    def has_all_totals(self) -> bool:
        return None not in self.totals[: self.pages_needed]

    @property
    def has_no_totals(self) -> bool:
        return all(total is None for total in self.totals)


@dataclass(frozen=True, kw_only=True)
class FirstPage:
    """The first page of a list; `is_whole` says whether it is surely all of it."""

    records: list[Record]
    total: int | None
    is_whole: bool
    asked_at: dt.datetime


def first_page(client: Client, request: ListRequest, *, size: int = PAGE_SIZE_MAX) -> FirstPage:
    """Ask for a list's first page alone: one request.

    A list without a first record has none, whether or not the API says so.
    """
    page = client.get_page(
        request.operation,
        record_id=request.record_id,
        parameters=request.page_parameters(None, size=size),
    )
    records = [record_of(body) for body in page.records]
    total = 0 if not records and page.total is None else page.total
    return FirstPage(
        records=records,
        total=total,
        is_whole=len(records) == total if total is not None else page.next_cursor is None,
        asked_at=page.server_time or now(),
    )


def first_record(
    client: Client, request: ListRequest
) -> tuple[Record | None, int | None, dt.datetime]:
    """Ask for the list's first record alone: gives it, the total and the server's time.

    The cheapest question that there is: `page[size]=1`.
    """
    page = first_page(client, request, size=1)
    return page.records[0] if page.records else None, page.total, page.asked_at


def end_of_changes(
    client: Client, request: ListRequest, *, after: dt.datetime | None = None
) -> dt.datetime:
    """Give an instant at which a list that grows can be closed, by the API's own clock.

    The first whole second after the newest change: an API may compare bounds by their seconds. Where that
    second isn't over, more may come in it: then it is where it began, or, where the list begins there
    (`after`), the newest change itself. A change in the future counts as now: our clock, or that of a
    proxy, may be hours ahead, and a window up to there would not be closed.
    """
    newest_first = replace(request, parameters={**request.parameters, "sort[updatedAt]": "-1"})
    record, _, asked_at = first_record(client, newest_first)
    # The header that tells the server's time has whole seconds; our clock, in its place, hasn't.
    soon = whole_second(asked_at) + dt.timedelta(seconds=1)
    if record is None or record.updated_at is None:
        return soon
    began = whole_second(record.updated_at)
    ended = shifted(began, dt.timedelta(seconds=1))
    if ended <= asked_at:
        return ended
    return min(began if after is None or after < began else record.updated_at, soon)


def _totals_pass_over_windows(client: Client, request: ListRequest) -> bool:
    """Tell whether a window without records is said to hold some: then totals are of whole lists."""
    if not any(name.startswith(("createdAt[", "updatedAt[")) for name in request.parameters):
        return False
    nowhere = {"updatedAt[before]": format_instant(EPOCH - MILLISECOND)}
    kept = {
        name: value
        for name, value in request.parameters.items()
        if not name.startswith("updatedAt[")
    }
    page = first_page(client, replace(request, parameters={**kept, **nowhere}), size=1)
    return not page.records and bool(page.total)


def _total_now(client: Client, request: ListRequest) -> int | None:
    return first_record(client, request)[1]


def _answers(
    client: Client, request: ListRequest
) -> Iterator[tuple[list[Record], int | None, dt.datetime | None]]:
    """Follow the cursors of one walk to where it ends, by whichever reading."""
    followed: set[str] = set()
    versions: dict[str | int, int] = {}
    repeated = 0
    cursor: str | None = None
    while True:
        page = client.get_page(
            request.operation,
            record_id=request.record_id,
            parameters=request.page_parameters(cursor),
        )
        records = [record_of(body) for body in page.records]
        yield records, page.total, page.server_time
        fresh = [each for each in records if versions.get(each.identity) != each.hash]
        versions.update((each.identity, each.hash) for each in fresh)
        repeated = 0 if fresh else repeated + 1
        cursor = page.next_cursor
        ended = not records or cursor is None or cursor in followed
        if ended or cursor is None or repeated >= _REPEATED_PAGES_MOST:
            return
        followed.add(cursor)
