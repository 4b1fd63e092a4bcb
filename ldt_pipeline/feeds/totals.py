"""The cheapest question: how many records does a list hold, and when did it last change?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import ListRequest, first_record
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.instants import format_instant


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What a list said of itself at `asked_at` (the server's clock)."""

    feed: str
    total: int | None
    newest_updated_at: dt.datetime | None
    asked_at: dt.datetime


def ask_totals(client: Client, feed: ChangeFeed) -> Totals:
    """Ask a list for its newest record alone: one request.

    Raises:
        ApiError: It could not be asked.
    """
    record, total, asked_at = first_record(
        client, ListRequest(operation=feed.operation, parameters={"sort[updatedAt]": "-1"})
    )
    return Totals(
        feed=feed.name,
        total=total,
        newest_updated_at=record.updated_at if record else None,
        asked_at=asked_at,
    )


def ask_total_created_before(client: Client, feed: ChangeFeed, moment: dt.datetime) -> int | None:
    """Ask how many records were created before an instant: one request.

    Unlike the whole total this stands still while entries arrive and change: only a deletion
    moves it.
    """
    request = ListRequest(
        operation=feed.operation, parameters={"createdAt[before]": format_instant(moment)}
    )
    return first_record(client, request)[1]
