"""The feeds: each list that is read, the folder it goes to, and the entity that it tells of."""

from __future__ import annotations

from dataclasses import dataclass

from ldt_pipeline.api import catalogue
from ldt_pipeline.api.catalogue import Operation


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One list of the API. `entity` is the tidy table that its records go to."""

    name: str
    operation: Operation
    partition_key: str
    entity: str


@dataclass(frozen=True, kw_only=True)
class ChangeFeed(Feed):
    """A list that is followed by `updatedAt`.

    `roster` is the list by race or event that shows what has gone, and `roster_column` the column
    of the tidy table that names that race or event. Partners have neither: their list is short.
    """

    get: Operation
    key: str
    roster: Feed | None = None
    roster_column: str | None = None


RACE_PARTICIPANTS = Feed(
    name="race_participants",
    operation=catalogue.LIST_RACE_PARTICIPANTS,
    partition_key="race_id",
    entity="participants",
)
EVENT_APPLICATIONS = Feed(
    name="event_applications",
    operation=catalogue.LIST_EVENT_APPLICATIONS,
    partition_key="event_id",
    entity="applications",
)
PARTICIPANTS = ChangeFeed(
    name="participants",
    operation=catalogue.LIST_PARTICIPANTS,
    partition_key="updated_in",
    entity="participants",
    get=catalogue.GET_PARTICIPANT,
    key="participant_id",
    roster=RACE_PARTICIPANTS,
    roster_column="race_id",
)
APPLICATIONS = ChangeFeed(
    name="applications",
    operation=catalogue.LIST_APPLICATIONS,
    partition_key="updated_in",
    entity="applications",
    get=catalogue.GET_APPLICATION,
    key="application_id",
    roster=EVENT_APPLICATIONS,
    roster_column="event_id",
)
PARTNERS = ChangeFeed(
    name="partners",
    operation=catalogue.LIST_PARTNERS,
    partition_key="updated_in",
    entity="partners",
    get=catalogue.GET_PARTNER,
    key="partner_id",
)
RESERVED_ENTRIES = Feed(
    name="reserved_entries",
    operation=catalogue.LIST_EVENT_RESERVED_ENTRIES,
    partition_key="event_id",
    entity="reserved_entry_groups",
)
TICKETS = Feed(
    name="tickets",
    operation=catalogue.LIST_EVENT_TICKETS,
    partition_key="event_id",
    entity="tickets",
)

CHANGE_FEEDS: tuple[ChangeFeed, ...] = (PARTICIPANTS, APPLICATIONS, PARTNERS)
"""Lists with timestamps, followed by `updatedAt`."""

SNAPSHOT_FEEDS: tuple[Feed, ...] = (RESERVED_ENTRIES, TICKETS)
"""Lists without timestamps or pages, read whole per event."""

ROSTER_FEEDS: tuple[Feed, ...] = (RACE_PARTICIPANTS, EVENT_APPLICATIONS)
"""Full lists per race and event, read where totals disagree."""

FEEDS: dict[str, Feed] = {
    feed.name: feed for feed in (*CHANGE_FEEDS, *SNAPSHOT_FEEDS, *ROSTER_FEEDS)
}
