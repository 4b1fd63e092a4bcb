"""Jobs that the UI, the sensors and the command line share."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from ldt_pipeline.defs.erasing_assets import EraseConfig
from ldt_pipeline.defs.freshness import PUBLISHED
from ldt_pipeline.defs.lineage import raw_asset_name
from ldt_pipeline.defs.raw_assets import ChangesConfig, ReconcileConfig
from ldt_pipeline.defs.warehouse_assets import LOAD_STEP, LoadConfig, PublishConfig
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.warehouse.outcomes import API_TOTALS

LOAD = "load"
PUBLISH = "load_and_publish"
REBUILD = "publish_without_api"
READ_EVENTS = "read_events"
RECONCILE = "reconcile"
ERASE = "erase"


def fetch_job_name(feed: str) -> str:
    """Give the name of the job that reads a feed's changes."""
    return f"fetch_{feed}"


# Names in a list would be parsed as queries, and the parser takes half a second to import.
_assets = dg.AssetSelection.assets

_TIDY = _assets(*(each.name for each in TABLES.values() if each.layer is Layer.TIDY))
_WITHOUT_API = _assets(*TABLES, PUBLISHED)
_WAREHOUSE = _assets(*TABLES, API_TOTALS, PUBLISHED)


def changes_config(feed: str) -> dg.RunConfig:
    """Give the configuration of the job that reads a feed's changes."""
    return dg.RunConfig(ops={raw_asset_name(feed): ChangesConfig(only_changes=True)})


def remake_config() -> dg.RunConfig:
    """Give the configuration with which a job that loads first makes a useless warehouse anew."""
    return dg.RunConfig(ops={LOAD_STEP: LoadConfig(remake=True)})


def publish_config() -> dg.RunConfig:
    """Give the configuration with which publishing fails where anything is still on its way."""
    return dg.RunConfig(ops={PUBLISHED: PublishConfig(wait=False)})


def erase_config(
    *, participants: Sequence[str] = (), applications: Sequence[str] = ()
) -> dg.RunConfig:
    """Give the configuration of the job that erases."""
    config = EraseConfig(participants=list(participants), applications=list(applications))
    return dg.RunConfig(ops={"raw_erasures": config})


def reconcile_config(*, whole: bool, feeds: list[str] | None = None) -> dg.RunConfig:
    """Give the configuration of the reconcile job."""
    config = ReconcileConfig(whole=whole, feeds=feeds or [feed.name for feed in CHANGE_FEEDS])
    return dg.RunConfig(ops={"raw_deletions": config})


JOBS = [
    *(
        dg.define_asset_job(
            fetch_job_name(feed.name),
            selection=_assets(raw_asset_name(feed.name)),
            config=changes_config(feed.name),
            description=f"Read what changed in {feed.name} since the last time.",
        )
        for feed in CHANGE_FEEDS
    ),
    dg.define_asset_job(
        READ_EVENTS,
        selection=_assets(*(raw_asset_name(feed.name) for feed in SNAPSHOT_FEEDS)),
        description="Read events' reserved entry groups and tickets.",
    ),
    dg.define_asset_job(
        RECONCILE,
        selection=_assets("raw_deletions"),
        description="Find what was deleted or committed late, and what changed silently.",
    ),
    dg.define_asset_job(
        ERASE,
        selection=_assets("raw_erasures"),
        description=(
            "Take a person's data out of every copy: those named in the configuration, whom the "
            "API has redacted, and what retention is over for."
        ),
    ),
    dg.define_asset_job(
        LOAD,
        selection=_TIDY - dg.AssetSelection.all_asset_checks(),
        description="Load new extracts.",
    ),
    dg.define_asset_job(
        PUBLISH,
        selection=_WAREHOUSE,
        description="Load new extracts, compare with the API, build marts, check, publish.",
    ),
    dg.define_asset_job(
        REBUILD,
        selection=_WITHOUT_API,
        description="Load extracts, build marts, check against the API's last totals, publish.",
    ),
]
