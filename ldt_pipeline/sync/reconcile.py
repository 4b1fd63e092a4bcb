"""Finding deletions, late rows and silent changes: where totals disagree, and at night everywhere.

What belongs here: which rosters are read, and which ids are asked for. What doesn't: reading them
(`feeds/rosters.py`). What is found goes to the raw store; the next load brings it in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import first_record
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.changes import fetch_everything
from ldt_pipeline.feeds.reader import list_request
from ldt_pipeline.feeds.rosters import (
    UNCLEAR_MOST,
    Confirmed,
    confirm_missing,
    fetch_roster,
    roster_totals,
    store_confirmed,
    write_tombstones,
)
from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.raw.quarantine import SetAside, note_read_again, waiting_of
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.unlisted import decide
from ldt_pipeline.warehouse.books import tombstones_of
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.read import hashes, held_from, live_counts_by

_logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Reconciled:
    """What was compared and found. `rosters` are the manifests of what was new in rosters.

    `compared` counts rosters where several are looked at, and else the records of the list.
    """

    feed: str
    compared: int = 0
    rosters: list[Manifest] = field(default_factory=list[Manifest])
    stored: int = 0
    deleted: int = 0
    still_there: int = 0
    unclear: int = 0
    """So many ids the API's answers said nothing about: only the whole list tells of them."""


def reconcile_by_roster(
    client: Client, store: RawStore, settings: Settings, feed: ChangeFeed
) -> Reconciled:
    """Compare totals race by race (or event by event) and read the rosters that disagree.

    A list without rosters, or one that is as short as the partners', is read whole; so is one of
    which earlier findings were damaged.

    Raises:
        ApiError: Something could not be read.
    """
    damaged = findings_to_read_again(store, feed)
    if feed.roster is None or feed.roster_column is None or damaged:
        return reconcile_whole(client, store, settings, feed)
    with open_warehouse(settings.warehouse_path) as connection:
        held = live_counts_by(connection, feed.entity, feed.roster_column)
    totals = roster_totals(client, feed.roster, list(held))
    result = Reconciled(feed=feed.name, compared=len(totals))
    for key, total in totals.items():
        if total == held[key]:
            continue
        reconcile_roster(client, store, settings, feed, key, into=result)
    return result


def reconcile_roster(
    client: Client,
    store: RawStore,
    settings: Settings,
    feed: ChangeFeed,
    key: str,
    *,
    into: Reconciled | None = None,
) -> Reconciled:
    """Read one race's or event's roster, and ask for each record that we hold and it lacks.

    Raises:
        ApiError: Something could not be read.
    """
    result = into or Reconciled(feed=feed.name)
    if feed.roster is None:
        raise ValueError(f"{feed.name} has no rosters.")
    with open_warehouse(settings.warehouse_path) as connection:
        known = hashes(connection, feed.entity, feed.roster_column, key)
    manifest, identities = fetch_roster(client, store, feed.roster, key, known=known)
    if into is None:
        result.compared = len(identities)
    if manifest is not None:
        result.rosters.append(manifest)
        result.stored += manifest.records
    if result.unclear < UNCLEAR_MOST:
        missing = _ids(known.keys() - identities)
        _settle_missing(client, store, feed, missing, result, list_is_whole=False)
    return result


def reconcile_whole(
    client: Client, store: RawStore, settings: Settings, feed: ChangeFeed
) -> Reconciled:
    """Read the whole list, store what differs from what we hold, and ask for what it lacks.

    Raises:
        ApiError: Something could not be read.
    """
    damaged = findings_to_read_again(store, feed)
    with open_warehouse(settings.warehouse_path) as connection:
        held = hashes(connection, feed.entity)
        # The warehouse has it, and the raw store no longer: to a rebuild it would be unknown.
        lost = held_from(connection, feed.entity, [each.extract_id for each in damaged])
        deleted = {
            each.extract_id: tombstones_of(connection, each.extract_id)
            for each in damaged
            if each.feed == DELETIONS
        }
    known = {identity: held[identity] for identity in held.keys() - lost} if lost else held
    fetched, identities = fetch_everything(client, store, feed, known=known)
    result = Reconciled(feed=feed.name, compared=len(identities), stored=fetched.records)
    missing = _ids(held.keys() - identities)
    _settle_missing(client, store, feed, missing, result, list_is_whole=True)
    for tombstones in deleted.values():
        for deleted_at, ids in tombstones.items():
            write_tombstones(store, feed, ids, deleted_at=deleted_at)
    note_read_again(store, damaged)
    return result


def findings_to_read_again(store: RawStore, feed: ChangeFeed) -> list[SetAside]:
    """Give the damaged extracts of what reconciling had found: rosters and tombstones.

    Which records a roster brought can't be told any more, and neither can the months that they
    belong to: the list has to be read whole.
    """
    return waiting_of(store, feed.name, {feed.roster.name} if feed.roster else set())


def _ids(identities: set[str | int]) -> list[str]:
    return sorted(each for each in identities if isinstance(each, str))


def _settle_missing(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    missing: list[str],
    result: Reconciled,
    *,
    list_is_whole: bool,
) -> None:
    confirmed = confirm_missing(client, feed, missing) if missing else Confirmed()
    result.unclear += len(confirmed.unclear)
    if confirmed.unclear and list_is_whole:
        # Unclear because of the ids, not of the key or of an outage: the list is still given.
        first_record(client, list_request(feed))
        confirmed.deleted += confirmed.unclear
    unlisted = decide(store, feed, confirmed, missing) if list_is_whole else None
    store_confirmed(store, feed, confirmed)
    if unlisted is not None and unlisted != store.unlisted(feed.name):
        store.write_unlisted(unlisted)
    result.deleted += len(confirmed.deleted)
    result.still_there += len(confirmed.found)
    if not missing:
        return
    _logger.info(
        "%s: %d records are gone, %d have moved, of %d the API's answers say neither.",
        feed.name,
        len(confirmed.deleted),
        len(confirmed.found),
        len(confirmed.unclear),
    )
