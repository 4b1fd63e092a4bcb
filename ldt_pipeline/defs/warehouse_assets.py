"""Warehouse assets: tidy tables, the comparison with the API, marts, and the published file."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from ldt_pipeline.defs.automation import ON_NEWS
from ldt_pipeline.defs.freshness import FRESHNESS_SPEC, freshness_result
from ldt_pipeline.defs.lineage import raw_asset_name
from ldt_pipeline.defs.metadata import (
    OWNERS,
    Materialized,
    check_result,
    check_spec,
    rows_metadata,
    table_metadata,
)
from ldt_pipeline.defs.raw_assets import API_POOL
from ldt_pipeline.defs.resources import LetsDoThis, Storage
from ldt_pipeline.erasing.book import ENTITIES
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, FEEDS
from ldt_pipeline.progress import reporter
from ldt_pipeline.sync.compare import compare_with_api, keep_total
from ldt_pipeline.tables import TABLES, Layer, Table
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse.books import note_comparison
from ldt_pipeline.warehouse.checking import (
    NotYetError,
    require_nothing_to_read_again,
    require_structure,
    run_check,
)
from ldt_pipeline.warehouse.checks import checks
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import Sources, build_mart
from ldt_pipeline.warehouse.outcomes import API_TOTALS
from ldt_pipeline.warehouse.publish import publish
from ldt_pipeline.warehouse.remaking import remove_unusable_warehouse

LOAD_STEP = "load_extracts"

WAREHOUSE_POOL = "warehouse"
"""One writer at a time: DuckDB takes no second one."""

FRESH_WITHIN = dt.timedelta(hours=26)
"""A nightly reconcile publishes at least once a day, be there news or not."""

_TIDY = [each for each in TABLES.values() if each.layer is Layer.TIDY]
_MARTS = [each for each in TABLES.values() if each.layer is Layer.MART]
_QUALITY_NAMES = (
    "data_issues",
    "rejected_records",
    "schema_drift",
    "sync_status",
    "loaded_extracts",
    "erasures",
    "exports",
    "allocation_changes",
)
PEOPLES_MARTS = [each for each in _MARTS if each.name not in _QUALITY_NAMES]
QUALITY_MARTS = [each for each in _MARTS if each.name in _QUALITY_NAMES]

_MART_DEPENDENCIES: dict[str, list[str]] = {
    "events": ["participants", "applications", "reserved_entry_groups", "tickets"],
    "races": ["participants", "applications"],
    "start_list": [
        "participants",
        "participant_answers",
        "partners",
        "reserved_entry_groups",
    ],
    "participant_versions": ["start_list", "participants", "participant_answers"],
    "start_list_changes": ["participant_versions"],
    "partner_allocations": ["reserved_entry_groups", "partners", "participants", "events"],
    "application_funnel": ["applications", "participants"],
    "registrations_by_day": ["participants"],
    "allocation_history": ["reserved_entry_groups"],
    "data_issues": ["start_list", "partner_allocations", "participant_answers"],
    "sync_status": [*dict.fromkeys(feed.entity for feed in FEEDS.values()), "api_totals"],
    "rejected_records": [each.name for each in _TIDY],
    "schema_drift": [each.name for each in _TIDY],
    "loaded_extracts": [each.name for each in _TIDY],
    "erasures": ["participants", "applications"],
    "exports": ["start_list"],
    "allocation_changes": ["reserved_entry_groups"],
}


def _spec(table: Table, group: str, dependencies: list[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        group_name=group,
        description=f"{table.description} {table.grain.capitalize()}.",
        deps=dependencies,
        owners=list(OWNERS),
        kinds={"duckdb", "polars"},
        metadata=table_metadata(table),
        automation_condition=ON_NEWS,
    )


def _raw_dependencies(table: Table) -> list[str]:
    """Give the raw assets that a tidy table is made from."""
    entity = next(each for each in _TIDY if each.key == table.key[:1])
    raw = [raw_asset_name(feed.name) for feed in FEEDS.values() if feed.entity == entity.name]
    if any(feed.entity == entity.name for feed in CHANGE_FEEDS):
        raw.append("raw_deletions")
    if entity.name in ENTITIES:
        raw.append("raw_erasures")
    return raw


class LoadConfig(dg.Config):
    """What to load into."""

    remake: bool = False
    """Make the warehouse anew first, if it is damaged or of another version of the pipeline."""


@dg.multi_asset(
    name=LOAD_STEP,
    specs=[_spec(each, "tidy", _raw_dependencies(each)) for each in _TIDY],
    pool=WAREHOUSE_POOL,
)
def tidy_tables(
    context: dg.AssetExecutionContext, config: LoadConfig, storage: Storage
) -> Iterator[Materialized]:
    """Load every extract that is not loaded yet: rows and load log in one transaction."""
    settings = storage.settings
    if config.remake and remove_unusable_warehouse(settings.warehouse_path, storage.raw()):
        context.log.info("The warehouse is made anew from the raw store.")
    with open_warehouse(settings.warehouse_path) as connection:
        loaded = load_pending(connection, storage.raw(), progress=reporter("load"))
        context.log.info(
            f"Loaded {loaded.records} records of {loaded.extracts} extracts; "
            f"{loaded.rejected} could not be read."
        )
        for table in _TIDY:
            yield dg.MaterializeResult(
                asset_key=table.name, metadata=rows_metadata(connection, table)
            )


@dg.asset(
    group_name="quality",
    description="How many records the API says each list has, beside how many we hold.",
    deps=[each.name for each in _TIDY if each.name in {feed.entity for feed in CHANGE_FEEDS}],
    owners=list(OWNERS),
    kinds={"duckdb"},
    pool=API_POOL,
    automation_condition=ON_NEWS,
    check_specs=[check_spec(check) for check in checks() if check.table == API_TOTALS],
    metadata={
        "dagster/table_name": "warehouse.ops.comparisons",
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("feed", "VARCHAR", description="The list."),
                dg.TableColumn("api_total", "BIGINT", description="How many the API has."),
                dg.TableColumn("held", "BIGINT", description="How many we hold."),
                dg.TableColumn("agrees", "BOOLEAN", description="Whether that is complete."),
            ]
        ),
    },
)
def api_totals(api: LetsDoThis, storage: Storage) -> Iterator[Materialized | dg.AssetCheckResult]:
    """Compare each list with what the warehouse holds."""
    with api.client() as client, open_warehouse(storage.settings.warehouse_path) as connection:
        comparisons = [
            compare_with_api(client, storage.raw(), connection, feed) for feed in CHANGE_FEEDS
        ]
        for comparison in comparisons:
            note_comparison(connection, comparison)
            keep_total(storage.raw(), comparison)
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(comparisons),
                **{
                    f"{each.feed} held / api": f"{each.held} / {each.api_total}"
                    for each in comparisons
                },
            }
        )
        for check in checks():
            if check.table == API_TOTALS:
                yield check_result(run_check(connection, check))


def mart_assets(name: str, group: str, tables: list[Table]) -> dg.AssetsDefinition:
    """Give the assets of some marts, which are computed in one step from tables read once."""

    @dg.multi_asset(
        name=name,
        specs=[_spec(each, group, _MART_DEPENDENCIES[each.name]) for each in tables],
        pool=WAREHOUSE_POOL,
        can_subset=True,
    )
    def build(context: dg.AssetExecutionContext, storage: Storage) -> Iterator[Materialized]:
        settings = storage.settings
        wanted = {key.to_user_string() for key in context.selected_asset_keys}
        with open_warehouse(settings.warehouse_path) as connection:
            sources = Sources(
                connection=connection,
                questions=load_questions(settings.questions_file),
                configured_event_ids=settings.event_ids,
                ledger_dir=settings.ledger_dir,
                minimum_ages=settings.minimum_ages,
                events_without_groups=settings.events_without_groups,
                allocations_dir=settings.allocations_dir,
            )
            for table in tables:
                if table.name in wanted:
                    build_mart(sources, table.name)
                    yield dg.MaterializeResult(
                        asset_key=table.name, metadata=rows_metadata(connection, table)
                    )

    return build


marts = mart_assets("build_marts", "marts", PEOPLES_MARTS)
quality = mart_assets("build_quality", "quality", QUALITY_MARTS)


class PublishConfig(dg.Config):
    """What to do where what is missing is on its way.

    The groups and tickets of an event that has just appeared are read in a minute; what was deleted
    is found out about as soon.
    """

    wait: bool = True
    """Leave the published file as it is, without a failure: whatever brings it starts the next run."""


@dg.asset(
    group_name="published",
    description=(
        "The file that people open: data/ldt.duckdb. It is replaced in one step, and only when "
        "every structural check holds; whoever has it open keeps what they opened."
    ),
    output_required=False,
    deps=list(TABLES),
    owners=list(OWNERS),
    kinds={"duckdb"},
    pool=WAREHOUSE_POOL,
    automation_condition=ON_NEWS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FRESH_WITHIN),
    check_specs=[FRESHNESS_SPEC],
    metadata={
        "dagster/table_name": "ldt",
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(each.name, "TABLE", description=each.description)
                for each in TABLES.values()
            ]
        ),
    },
)
def published(
    context: dg.AssetExecutionContext, config: PublishConfig, storage: Storage
) -> Iterator[Materialized | dg.AssetCheckResult]:
    """Publish the warehouse."""
    settings = storage.settings
    with open_warehouse(settings.warehouse_path) as connection:
        require_nothing_to_read_again(storage.raw())
        try:
            require_structure(connection)
        except NotYetError as error:
            if not config.wait:
                raise
            context.log.info(f"{error} The next run will publish, once that is read.")
            is_new = None
        else:
            is_new = publish(
                connection,
                settings.published_path,
                personal_data=settings.publish_personal_data,
            )
    if is_new is not None:
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(TABLES),
                "replaced": is_new,
                "personal_data": settings.publish_personal_data,
                "bytes": settings.published_path.stat().st_size,
            }
        )
    yield freshness_result(storage)
