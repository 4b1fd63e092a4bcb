"""Reading a spike in pieces: many records that changed at one instant, as after a ballot's result.

What belongs here: cutting a window by when its records were made, and whether the pieces were all
of it. What doesn't: cutting by when they changed (`pieces.py`), and walking (`reader.py`).

Nothing says that every record tells when it was made, nor that it stays where it is while pieces of
a spike are read. So they are counted: together they must hold as many different records as the
spike did, before and after, or it is read as one. Where all say when they were made is asked before.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

import msgspec

from ldt_pipeline.api.answers import created_at
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import InvalidRequestError, ServerError
from ldt_pipeline.api.paging import ListRequest, first_record
from ldt_pipeline.api.windows import Window
from ldt_pipeline.feeds.pieces import pieces_wanted
from ldt_pipeline.instants import shifted
from ldt_pipeline.raw import Walk

_BEYOND = dt.timedelta(seconds=2)
"""So long after the last record was made, none was: also where the API gives seconds without fractions."""


@dataclass(kw_only=True)
class Spike:
    """A window that no time of change cuts, which held `total` records made from `first` to `last`."""

    window: Window
    total: int
    first: dt.datetime
    last: dt.datetime
    records_most: int
    identities: set[str | int] = field(default_factory=set[str | int])
    """Of all records that were seen in its pieces."""
    _left: int = 0
    _walks: list[Walk] = field(default_factory=list[Walk])

    def cut(self, piece: Window, total: int) -> list[Window]:
        """Cut a piece that holds too many; gives it alone where its records were made at once, too.

        From any thread: nothing is noted.
        """
        count = pieces_wanted(total, records_most=self.records_most)
        return piece.pieces_by_creation(count, first=self.first, last=self.last)

    def begin(self, pieces: int) -> None:
        """Note that so many pieces are going to be read, or be cut."""
        self._left += pieces

    def end(self, walk: Walk | None) -> None:
        """Note that a piece was read, or (None) that others were begun in its place."""
        self._left -= 1
        if walk is not None:
            self._walks.append(walk)

    @property
    def is_read(self) -> bool:
        """Whether all of its pieces were."""
        return self._left == 0

    def walk(self, total_now: int | None) -> Walk | None:
        """Give the walk of the whole window, as if it had been one; None where a record is missing.

        `total_now` is how many it holds after its pieces were read. Some may have left it since they
        were seen, but none that came since may make up for one that wasn't.
        """
        if total_now is None or len(self.identities) < max(self.total, total_now):
            return None
        newest = filter(None, (each.newest_updated_at for each in self._walks))
        return msgspec.structs.replace(
            self._walks[0],
            started_at=min(each.started_at for each in self._walks),
            newest_updated_at=max(newest, default=None),
            total=self.total,
            distinct=len(self.identities),
            walks=sum(each.walks for each in self._walks),
            extracts=tuple(extract for each in self._walks for extract in each.extracts),
        )


def find_spike(
    client: Client, request: ListRequest, window: Window, total: int, *, records_most: int
) -> Spike | None:
    """Find out when the records of a window were made: three questions.

    Gives None where that cuts nothing: they were made at once, don't say when, or the API doesn't
    narrow this list by it. It may refuse to: the reference doesn't say that bounds and orders of both
    times can be asked for together.

    Raises:
        ApiError: The API can't be asked at all.
    """

    def asked(narrowed: Window, **order: str) -> tuple[dt.datetime | None, int | None]:
        parameters = {**request.parameters, **narrowed.parameters(), **order}
        record, count, _ = first_record(client, replace(request, parameters=parameters))
        return (created_at(record.body) if record else None), count

    try:
        first, before = asked(window, **{"sort[createdAt]": "1"})
        if first is None or before is None:
            return None
        # All of them again, but for those that don't say it, wherever the API puts these.
        made = replace(window, created_after=first)
        last, told = asked(made, **{"sort[createdAt]": "-1"})
        if last is None or not first < last or told is None or told < before:
            return None
        # Nothing was made later; asked for as the pieces will be.
        beyond = replace(window, created_after=shifted(last, _BEYOND))
        is_narrowed = asked(beyond)[1] == 0
    except (InvalidRequestError, ServerError):
        return None
    if not is_narrowed:
        return None
    return Spike(window=window, total=total, first=first, last=last, records_most=records_most)
