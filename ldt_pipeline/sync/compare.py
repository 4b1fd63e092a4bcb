"""Are we complete? What we hold of each list beside what the API says it has.

A list that moves while it is compared can't be compared whole: entries arrive between the two
counts. Then only what was created before the last reading is counted on both sides; that number
stands still while entries arrive and change.
"""

from __future__ import annotations

import duckdb

from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.changes import OVERLAP, position
from ldt_pipeline.feeds.totals import ask_total_created_before, ask_totals
from ldt_pipeline.raw import RawStore
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.books import Comparison


def compare_with_api(
    client: Client, store: RawStore, connection: duckdb.DuckDBPyConnection, feed: ChangeFeed
) -> Comparison:
    """Compare one list with what the warehouse holds: one request, two while the list moves.

    Raises:
        ApiError: The list could not be asked.
    """
    totals = ask_totals(client, feed)
    whole = books.compare(
        connection,
        feed=feed.name,
        entity=feed.entity,
        api_total=totals.total,
        created_before=None,
        compared_at=totals.asked_at,
    )
    at = position(store, feed)
    moved = (
        at is not None
        and totals.newest_updated_at is not None
        and (at.watermark is None or totals.newest_updated_at > at.watermark)
    )
    if whole.agrees or not moved or at is None:
        return whole
    moment = books.quiet_instant(connection, feed.entity, at.read_at - OVERLAP)
    return books.compare(
        connection,
        feed=feed.name,
        entity=feed.entity,
        api_total=ask_total_created_before(client, feed, moment),
        created_before=moment,
        compared_at=totals.asked_at,
    )
