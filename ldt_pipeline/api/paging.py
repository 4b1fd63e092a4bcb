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
from dataclasses import dataclass, field
from hashlib import blake2b

from ldt_pipeline.api.answers import record_key
from ldt_pipeline.api.catalogue import PAGE_SIZE_MAX, Operation
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import IncompleteWalkError
from ldt_pipeline.instants import now

_ATTEMPTS = 6
_PAUSE_SECONDS = 0.2
_REPEATED_PAGES_MOST = 2
"""So many pages in a row that bring nothing new end a walk. One may be a page that a record moved
behind; a list that wraps round, or a proxy that repeats itself, brings them for ever."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record as received, with what a walk counts by. `hash` is of its bytes."""

    body: bytes
    id: str | None
    updated_at: str | None
    hash: int

    @property
    def identity(self) -> str | int:
        """What makes it one record: its id, or its bytes where it has none."""
        return self.id if self.id is not None else self.hash


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
    """`total`: it agreed with `totalResults`. `repetition`: the API states no total, and two
    walks in a row saw the same records."""
    server_time: dt.datetime | None = None
    """When the first page of the walk that counts was answered, by the server's clock."""


def record_of(body: bytes) -> Record:
    """Read what a walk needs of a record."""
    record_id, updated_at = record_key(body)
    digest = blake2b(body, digest_size=8).digest()
    return Record(
        body=body,
        id=record_id,
        updated_at=updated_at,
        hash=int.from_bytes(digest, "big", signed=True),
    )


def walk(client: Client, request: ListRequest, proof: Proof) -> Iterator[list[Record]]:
    """Read a list whole: gives its records page by page, each version once.

    When it has ended without an error, `proof` says how completeness was proved. Until then the
    records are true but may not be all.

    Raises:
        IncompleteWalkError: Several walks did not agree with the total that the API states.
        ApiError: A page could not be had.
    """
    given: dict[str | int, int] = {}
    previous: set[str | int] | None = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311
        seen: set[str | int] = set()
        totals: list[int | None] = []
        started_at: dt.datetime | None = None
        for page_records, total, server_time in _pages(client, request):
            started_at = started_at or server_time or now()
            totals.append(total)
            fresh: list[Record] = []
            for record in page_records:
                seen.add(record.identity)
                if given.get(record.identity) != record.hash:
                    given[record.identity] = record.hash
                    fresh.append(record)
            if fresh:
                yield fresh
        proof.walks, proof.distinct, proof.server_time = attempt + 1, len(seen), started_at
        proof.pages += len(totals)
        proof.total = totals[0]
        if _agrees(client, request, totals, len(seen)):
            proof.by = "total"
            return
        if all(total is None for total in totals):
            if previous == seen:
                proof.by = "repetition"
                return
            previous = seen
    raise IncompleteWalkError(
        f"{request.operation.name} could not be read completely in {_ATTEMPTS} walks: the API "
        f"says that there are {proof.total}, and {proof.distinct} different records were seen. "
        "Nothing of it is used. Try again later; if it goes on, tell your contact at "
        "Let's Do This."
    )


def first_record(
    client: Client, request: ListRequest
) -> tuple[Record | None, int | None, dt.datetime]:
    """Ask for the list's first record alone: gives it, the total and the server's time.

    The cheapest question that there is: one request with `page[size]=1`.
    """
    page = client.get_page(
        request.operation,
        record_id=request.record_id,
        parameters=request.page_parameters(None, size=1),
    )
    record = record_of(page.records[0]) if page.records else None
    return record, page.total, page.server_time or now()


def _agrees(client: Client, request: ListRequest, totals: list[int | None], distinct: int) -> bool:
    if totals[0] is None or totals[0] != distinct:
        return False
    if totals[-1] == totals[0]:
        return True
    # The total moved with the walk: the list changed, or it counts from the cursor on.
    return first_record(client, request)[1] == distinct


def _pages(
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
