"""Records that don't say when they changed: where windows leave them out, no window brings them.

What belongs here: counting them, and finding them in a list. What doesn't: storing them
(`reader.py`, `rosters.py`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import InvalidRequestError
from ldt_pipeline.api.paging import ListRequest, Proof, Record, first_record, pages, walk
from ldt_pipeline.api.windows import Window

_LONG_AGO = Window(after=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))


def find_undated(client: Client, request: ListRequest) -> list[Record]:
    """Give the records of a list that bear no instant and are in no window by it.

    Two requests where there are none. Without totals nobody can tell how many there are: then it is
    those that stand at either end.

    Raises:
        ApiError: The list could not be read, or not completely.
    """
    missing = _count(client, request)
    if missing == 0:
        return []
    found: dict[str | int, Record] = {}
    for direction in ("1", "-1"):
        from_there = replace(
            request, parameters={**request.parameters, "sort[updatedAt]": direction}
        )
        for records in pages(client, from_there):
            undated = _undated(records)
            found.update((each.identity, each) for each in undated)
            # As a rule they stand before or after all others.
            if not undated or len(found) == missing:
                break
        if len(found) == missing:
            break
    if missing is not None and len(found) < missing:
        for records in walk(client, request, Proof()):
            found.update((each.identity, each) for each in _undated(records))
    return list(found.values())


def _count(client: Client, request: ListRequest) -> int | None:
    """Tell how many there are; None where the API states no totals.

    None of them is out of reach of a list that refuses windows: it is read without.
    """
    dated = replace(request, parameters={**request.parameters, **_LONG_AGO.parameters()})
    try:
        in_windows = first_record(client, dated)[1]
    except InvalidRequestError:
        return 0
    everywhere = first_record(client, request)[1]
    if everywhere is None or in_windows is None:
        return None
    if everywhere > in_windows:
        # What arrived between the two questions is not without an instant.
        in_windows = max(in_windows, first_record(client, dated)[1] or 0)
    return max(everywhere - in_windows, 0)


def _undated(records: list[Record]) -> list[Record]:
    return [each for each in records if each.updated_at is None]
