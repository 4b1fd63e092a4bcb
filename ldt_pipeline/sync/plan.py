"""What has to be read: the cheapest questions first, and nothing that is known already.

What belongs here: when a feed or an event is due. What doesn't: reading it (`feeds/`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import ListRequest, first_record
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, ChangeFeed
from ldt_pipeline.feeds.changes import has_unseen
from ldt_pipeline.feeds.positions import Position, position
from ldt_pipeline.feeds.totals import Totals, ask_totals
from ldt_pipeline.instants import month_of, now
from ldt_pipeline.race_calendar import read_again_after
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.sync.reconcile import findings_to_read_again
from ldt_pipeline.sync.state import EventState, State

_PAST_EVENT_DAYS = 2
_PAST_EVENT_REFRESH = dt.timedelta(days=7)
_FAR = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class FeedPlan:
    """What one poll found out about a feed.

    Where `months` are given (first and last, `YYYY-MM`), there are changes to read in them, or
    extracts of them were damaged. Where `is_short_or_long`, nothing changed and yet the totals
    differ: something was deleted, or was committed late; or what reconciling had found was damaged.
    """

    feed: ChangeFeed
    totals: Totals
    months: tuple[str, str] | None
    is_short_or_long: bool

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to do."""
        return self.months is None and not self.is_short_or_long


def plan_feeds(
    client: Client, store: RawStore, state: State, *, is_hasty: bool = False
) -> list[FeedPlan]:
    """Ask each list whether anything changed: one request a list, two soon after a change.

    More where many changed at once; `is_hasty` leaves that to the run that reads them.

    Raises:
        ApiError: A list could not be asked.
    """
    return [_plan_feed(client, store, state, feed, is_hasty) for feed in CHANGE_FEEDS]


def due_events(
    events: Sequence[EventState], *, refresh_minutes: int, at: dt.datetime | None = None
) -> list[str]:
    """Give the events whose groups and tickets have to be read again.

    They carry no timestamps. Due is an event that was never read, one whose entries changed since
    it was read, and one that was read longer ago than `refresh_minutes`, or than the nearness of its
    next race allows; once its last race is over, a week is soon enough. Those with the nearest race
    come first.
    """
    moment = at or now()
    refresh = dt.timedelta(minutes=refresh_minutes)

    def is_due(event: EventState) -> bool:
        if event.read_at is None:
            return True
        if event.changed_at and event.changed_at >= event.read_at:
            return True
        is_over = event.race_ends_at and event.race_ends_at < moment - dt.timedelta(
            days=_PAST_EVENT_DAYS
        )
        if is_over:
            return moment - event.read_at >= max(refresh, _PAST_EVENT_REFRESH)
        near = read_again_after(event.next_start_at, moment)
        return moment - event.read_at >= (refresh if near is None else min(refresh, near))

    nearest_first = sorted(events, key=lambda event: event.next_start_at or _FAR)
    return [event.event_id for event in nearest_first if is_due(event)]


def _plan_feed(
    client: Client, store: RawStore, state: State, feed: ChangeFeed, is_hasty: bool
) -> FeedPlan:
    totals = ask_totals(client, feed)
    at = position(store, feed)
    months = _months(client, store, feed, totals, at, is_hasty=is_hasty)
    damaged = [each.folder.partition("=")[2] for each in waiting(store, feed.name)]
    if damaged:
        months = min(*damaged, *(months or damaged)), max(*damaged, *(months or damaged))
    held, rejected = state.held.get(feed.name, 0), state.rejected.get(feed.name, 0)
    return FeedPlan(
        feed=feed,
        totals=totals,
        months=months,
        is_short_or_long=(
            (
                months is None
                and totals.total is not None
                and not held <= totals.total <= held + rejected
            )
            or bool(findings_to_read_again(store, feed))
        ),
    )


def _months(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    totals: Totals,
    at: Position | None,
    *,
    is_hasty: bool,
) -> tuple[str, str] | None:
    newest = totals.newest_updated_at or totals.asked_at
    if at is None:
        if totals.total == 0:
            return month_of(totals.asked_at), month_of(totals.asked_at)
        oldest = first_record(client, ListRequest(operation=feed.operation))[0]
        oldest_at = (oldest.updated_at if oldest else None) or newest
        return month_of(min(oldest_at, newest)), month_of(newest)
    if at.watermark is None:
        return None if totals.total == 0 else (month_of(newest), month_of(newest))
    is_newer = totals.newest_updated_at is not None and totals.newest_updated_at > at.watermark
    # A record without an instant may stand before all others, and hide which one is the newest. So does
    # any older one where the order that was asked for isn't kept, or the newest was deleted.
    is_hidden = totals.newest_updated_at is None or totals.newest_updated_at < at.watermark
    is_unsure = not at.is_settled or (is_hidden and totals.total != 0)
    if is_newer or (is_unsure and has_unseen(client, store, feed, at, is_hasty=is_hasty)):
        first = at.next_after or at.watermark
        newest = totals.asked_at if is_hidden else newest
        return month_of(min(first, newest)), month_of(max(newest, at.watermark))
    return None
