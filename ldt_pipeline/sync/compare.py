"""Are we complete? What we hold of each list beside what the API says it has.

A list that moves while it is compared can't be compared whole: entries arrive between the two
counts. Then only what was created before the last reading is counted on both sides; that number
stands still while entries arrive and change.

A rebuild has no API to ask: it is compared with what the API said last.
"""

from __future__ import annotations

import duckdb

from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.positions import OVERLAP, position
from ldt_pipeline.feeds.totals import ask_total_created_before, ask_totals
from ldt_pipeline.raw import ListTotal, RawStore
from ldt_pipeline.sync.unlisted import doubted
from ldt_pipeline.warehouse import books
from ldt_pipeline.warehouse.books import Comparison

_ASKED_AGAIN = 3


def compare_with_api(
    client: Client, store: RawStore, connection: duckdb.DuckDBPyConnection, feed: ChangeFeed
) -> Comparison:
    """Compare one list with what the warehouse holds: one request, two while the list moves.

    Where the API says nothing of a total that it stated before, it is asked again: without it, a
    deletion would pass unnoticed.

    Raises:
        ApiError: The list could not be asked.
    """
    totals = ask_totals(client, feed)
    stated = store.total(feed.name)
    for _ in range(_ASKED_AGAIN):
        if totals.total is not None or stated is None or stated.total is None:
            break
        totals = ask_totals(client, feed)
    whole = books.compare(
        connection,
        feed=feed.name,
        entity=feed.entity,
        api_total=totals.total,
        created_before=None,
        compared_at=totals.asked_at,
        doubted=doubted(store, feed.name),
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
        doubted=doubted(store, feed.name),
    )


def keep_total(store: RawStore, comparison: Comparison) -> None:
    """Keep the API's total beside the raw data that it agrees with."""
    if comparison.agrees:
        store.write_total(
            ListTotal(
                feed=comparison.feed,
                total=comparison.api_total,
                created_before=comparison.created_before,
                asked_at=comparison.compared_at,
            )
        )


def compare_with_raw(
    store: RawStore, connection: duckdb.DuckDBPyConnection, feed: ChangeFeed
) -> Comparison | None:
    """Compare what the warehouse holds with what the API said last, without asking it.

    None where the list was never read to its end: it can't be complete then.
    """
    last = store.total(feed.name)
    if last is None:
        return None
    return books.compare(
        connection,
        feed=feed.name,
        entity=feed.entity,
        api_total=last.total,
        created_before=last.created_before,
        compared_at=last.asked_at,
        # However long ago: whoever was doubted didn't count when that total agreed.
        doubted=store.unlisted(feed.name).since,
    )
