"""Raw assets: the API's lists in the raw store, by month, event and race, and the tombstones."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from ldt_pipeline.defs.lineage import raw_asset_name, raw_keys
from ldt_pipeline.defs.metadata import OWNERS, Materialized
from ldt_pipeline.defs.names import published_names, tag_run
from ldt_pipeline.defs.partitions import EVENTS, RACES, id_of, key_of, months
from ldt_pipeline.defs.resources import LetsDoThis, Storage
from ldt_pipeline.feeds.catalogue import (
    APPLICATIONS,
    CHANGE_FEEDS,
    EVENT_APPLICATIONS,
    FEEDS,
    PARTICIPANTS,
    RACE_PARTICIPANTS,
    SNAPSHOT_FEEDS,
    ChangeFeed,
    Feed,
)
from ldt_pipeline.feeds.changes import fetch_changes, fetch_months
from ldt_pipeline.feeds.reader import Fetched
from ldt_pipeline.feeds.snapshots import fetch_snapshots
from ldt_pipeline.leftovers import clear_leftovers
from ldt_pipeline.progress import reporter
from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.raw.quarantine import look_for_damage, past_damage
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.reconcile import (
    Reconciled,
    reconcile_by_roster,
    reconcile_roster,
    reconcile_whole,
)

GROUP = "raw"
API_POOL = "lets_do_this_api"
"""One run at a time asks the API: each already sends as many requests at once as is allowed."""


def record_columns(feed: Feed) -> dg.TableSchema:
    """Give the keys of a feed's records that tables are read from; records have others, too."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(key, "json", description="A key of the record, as received.")
            for key in raw_keys(feed.entity)
        ]
    )


class ChangesConfig(dg.Config):
    """What to read of a list that is followed by `updatedAt`."""

    only_changes: bool = False
    """Read what changed since the last time, not the months of the run in full."""


class ReconcileConfig(dg.Config):
    """How thoroughly to look for what has gone."""

    feeds: list[str] = Field(default_factory=lambda: [feed.name for feed in CHANGE_FEEDS])
    """Which lists, by name."""
    whole: bool = False
    """Read the lists in full, not only the rosters whose totals disagree."""


def change_asset(feed: ChangeFeed, settings: Settings) -> dg.AssetsDefinition:
    """Give the asset of a list that is followed by `updatedAt`."""

    @dg.asset(
        name=raw_asset_name(feed.name),
        group_name=GROUP,
        description=(
            f"Every version of {feed.name} that the API showed, byte for byte, in the month of its "
            "last change. Materialising a month by hand reads all of it again."
        ),
        partitions_def=months(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=list(OWNERS),
        kinds={"json"},
        pool=API_POOL,
        metadata={
            "dagster/table_name": f"raw.{feed.name}",
            "dagster/column_schema": record_columns(feed),
        },
    )
    def raw_changes(
        context: dg.AssetExecutionContext,
        config: ChangesConfig,
        api: LetsDoThis,
        storage: Storage,
    ) -> None:
        progress = reporter(feed.name)
        with api.client() as client:
            if config.only_changes:
                fetched = fetch_changes(client, storage.raw(), feed, progress=progress)
            else:
                keys = context.partition_keys
                fetched = fetch_months(
                    client, storage.raw(), feed, first=keys[0], last=keys[-1], progress=progress
                )
            _report_months(context, storage.raw(), feed, fetched, client.requests_sent)

    return raw_changes


def snapshot_asset(feed: Feed) -> dg.AssetsDefinition:
    """Give the asset of a list that hangs off an event and is read whole."""

    @dg.asset(
        name=raw_asset_name(feed.name),
        group_name=GROUP,
        description=f"Each event's {feed.name.replace('_', ' ')}, as they were whenever they were read.",
        partitions_def=EVENTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=list(OWNERS),
        kinds={"json"},
        pool=API_POOL,
        metadata={
            "dagster/table_name": f"raw.{feed.name}",
            "dagster/column_schema": record_columns(feed),
        },
    )
    def raw_snapshot(context: dg.AssetExecutionContext, api: LetsDoThis, storage: Storage) -> None:
        event_ids = [id_of(key) for key in context.partition_keys]
        tag_run(context, storage.settings.published_path, events=event_ids)
        with api.client() as client:
            left_out = storage.settings.events_without_groups
            snapshots = fetch_snapshots(client, storage.raw(), feed, event_ids, left_out=left_out)
        names = published_names(storage.settings.published_path)
        for event_id, manifest in snapshots.items():
            context.add_asset_metadata(
                {
                    # What the API knows no longer keeps the list that was read before.
                    **({"dagster/partition_row_count": manifest.records} if manifest else {}),
                    **(
                        {"left_out": True}
                        if event_id in left_out
                        else {"known_to_the_api": manifest is not None}
                    ),
                    **_named(names, event_id),
                },
                partition_key=key_of(event_id),
            )

    return raw_snapshot


def _named(names: Mapping[str, str], partition: str) -> dict[str, dg.MetadataValue]:
    """Give the metadata that says what an event or a race is called, as far as that is known."""
    name = names.get(partition)
    return {} if name is None else {"name": dg.MetadataValue.text(name)}


def roster_asset(
    feed: ChangeFeed, roster: Feed, partitions: dg.DynamicPartitionsDefinition
) -> dg.AssetsDefinition:
    """Give the asset of a full list per race or event, which is read to find deletions."""

    @dg.asset(
        name=raw_asset_name(roster.name),
        group_name=GROUP,
        description=(
            "Full rosters, read where totals disagree. Materialising one by hand reads it, and "
            "asks the API for each record that we hold and it lacks."
        ),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=list(OWNERS),
        kinds={"json"},
        pool=API_POOL,
        metadata={
            "dagster/table_name": f"raw.{roster.name}",
            "dagster/column_schema": record_columns(roster),
        },
    )
    def raw_roster(context: dg.AssetExecutionContext, api: LetsDoThis, storage: Storage) -> None:
        path = storage.settings.published_path
        names = published_names(path)
        ids = [id_of(key) for key in context.partition_keys]
        if partitions is EVENTS:
            tag_run(context, path, events=ids)
        else:
            tag_run(context, path, races=ids)
        with api.client() as client:
            for key in context.partition_keys:
                result = reconcile_roster(client, storage.raw(), storage.settings, feed, id_of(key))
                context.add_asset_metadata(
                    {
                        "dagster/partition_row_count": _held(storage.raw(), roster, id_of(key)),
                        "in_roster": result.compared,
                        "stored_now": sum(each.records for each in result.rosters),
                        "deleted": result.deleted,
                        **_named(names, id_of(key)),
                    },
                    partition_key=key,
                )

    return raw_roster


@dg.asset(
    group_name=GROUP,
    description=(
        "Tombstones: records that the API answers 404 for. Materialising compares totals race by "
        "race and event by event, and reads the rosters that disagree."
    ),
    owners=list(OWNERS),
    kinds={"json"},
    pool=API_POOL,
    metadata={
        "dagster/table_name": "raw.deletions",
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("id", "string", description="The record that has gone."),
                dg.TableColumn("deletedAt", "string", description="When we found out (UTC)."),
            ]
        ),
    },
)
def raw_deletions(
    context: dg.AssetExecutionContext, config: ReconcileConfig, api: LetsDoThis, storage: Storage
) -> Materialized:
    """Reconcile the lists with what we hold."""
    unknown = sorted(set(config.feeds) - {feed.name for feed in CHANGE_FEEDS})
    if unknown:
        raise dg.Failure(
            f"{', '.join(unknown)} is no list that can be reconciled: `feeds` in the configuration "
            f"takes {', '.join(feed.name for feed in CHANGE_FEEDS)}.",
            allow_retries=False,
        )
    deleted = 0
    damaged = look_for_damage(storage.raw()) if config.whole else []
    leftovers = clear_leftovers(storage.settings) if config.whole else 0
    if damaged:
        context.log.warning(f"{len(damaged)} extracts are damaged, and will be read again.")
    with api.client() as client:
        for feed in CHANGE_FEEDS:
            if feed.name not in config.feeds:
                continue
            reconcile = reconcile_whole if config.whole else reconcile_by_roster
            result = reconcile(client, storage.raw(), storage.settings, feed)
            deleted += result.deleted
            _report_rosters(context, storage.raw(), feed, result)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(each.records for each in storage.raw().manifests(DELETIONS)),
            "deleted_now": deleted,
            **(
                {"damaged_extracts": len(damaged), "leftovers_removed": leftovers}
                if config.whole
                else {}
            ),
        }
    )


def _report_months(
    context: dg.AssetExecutionContext,
    store: RawStore,
    feed: Feed,
    fetched: Fetched,
    requests: int,
) -> None:
    by_month = fetched.records_by_month
    for key in context.partition_keys:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": _held(store, feed, key),
                "stored_now": by_month.get(key, 0),
            },
            partition_key=key,
        )
    context.log.info(
        f"Stored {fetched.records} of {fetched.seen} records seen, in {fetched.walks} proved "
        f"walks and {requests} requests."
    )


def _held(store: RawStore, feed: Feed, partition: str) -> int:
    """Count the records that a partition holds, of whichever run."""
    manifests = past_damage(
        store, lambda: store.manifests_in(feed.name, feed.partition_key, partition)
    )
    return sum(each.records for each in manifests)


def _report_rosters(
    context: dg.AssetExecutionContext, store: RawStore, feed: ChangeFeed, result: Reconciled
) -> None:
    """Tell Dagster of rosters that were read on the way, and of the comparison."""
    for manifest in result.rosters:
        held = _held(store, FEEDS[manifest.feed], manifest.partition)
        context.log_event(_roster_materialization(manifest, held))
    context.log.info(
        f"{feed.name}: compared {result.compared}, read {len(result.rosters)} rosters, "
        f"{result.deleted} records are gone, {result.still_there} have moved, of {result.unclear} "
        "the API's answers say neither."
    )


def _roster_materialization(manifest: Manifest, held: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=raw_asset_name(manifest.feed),
        partition=key_of(manifest.partition),
        metadata={"dagster/partition_row_count": held, "stored_now": manifest.records},
    )


def raw_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Give every raw asset."""
    return [
        *(change_asset(feed, settings) for feed in CHANGE_FEEDS),
        *(snapshot_asset(feed) for feed in SNAPSHOT_FEEDS),
        roster_asset(PARTICIPANTS, RACE_PARTICIPANTS, RACES),
        roster_asset(APPLICATIONS, EVENT_APPLICATIONS, EVENTS),
        raw_deletions,
    ]
