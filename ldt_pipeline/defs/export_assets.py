"""Start lists for timing companies, an asset for each race, by themselves in race week."""

from collections.abc import Iterator

import dagster as dg

from ldt_pipeline.defs.freshness import PUBLISHED
from ldt_pipeline.defs.metadata import OWNERS, Materialized, column_schema
from ldt_pipeline.defs.names import tag_run
from ldt_pipeline.defs.partitions import RACE_KEYS, RACES, id_of, key_of
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.defs.unfinished import running_partitions
from ldt_pipeline.exporting.race_week import due_races, export_race
from ldt_pipeline.instants import now
from ldt_pipeline.settings import load_settings
from ldt_pipeline.tables import table

EXPORT_RACES = "export_races"


@dg.asset(
    name="race_exports",
    partitions_def=RACES,
    group_name="exports",
    description=(
        "A race's start lists as files, in each layout of LDT_EXPORT_PRESETS, for starts that are at "
        "most a week away: in data/exports/, or where LDT_EXPORT_TARGET says. Entered in the ledger; "
        "a list that says what the last one said is neither written nor entered again."
    ),
    deps=[PUBLISHED],
    owners=list(OWNERS),
    kinds={"csv", "excel"},
    metadata={
        "dagster/table_name": "exports.race_exports",
        "dagster/column_schema": column_schema(table("start_list")),
    },
)
def race_exports(context: dg.AssetExecutionContext, storage: Storage) -> Materialized:
    """Write one race's lists."""
    race_id = id_of(context.partition_key)
    if not storage.settings.export_presets:
        raise dg.Failure(
            "LDT_EXPORT_PRESETS is not set: there is no layout to write a list in. "
            "`ldt start-list` writes one by hand.",
            allow_retries=False,
        )
    with storage.reading_published():
        tag_run(context, storage.settings.published_path, races=[race_id])
        done = export_race(storage.settings, race_id, now())
    without_day = max((each.undated for each in done), default=0)
    if without_day:
        context.log.warning(
            "%d participants of the race are on no list: when they start isn't known, and it starts "
            "on several days this week.",
            without_day,
        )
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": sum(each.rows for each in done),
            "files": len([name for each in done for name in each.files]),
            "unchanged": len([each for each in done if each.unchanged]),
            "left_out": sum(each.left_out for each in done),
            "without_start": without_day,
        }
    )


EXPORT_JOB = dg.define_asset_job(
    EXPORT_RACES,
    selection=dg.AssetSelection.assets(race_exports),
    description="Writes a race's start lists for those who time it.",
)


@dg.schedule(
    name="race_week_exports",
    job=EXPORT_JOB,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=(
        dg.DefaultScheduleStatus.RUNNING
        if load_settings().export_presets
        else dg.DefaultScheduleStatus.STOPPED
    ),
    description=(
        "Hourly in the week before a start, every 15 minutes in its last day, every minute in its "
        "last four hours, until an hour after; nearest first. It runs by itself where "
        "LDT_EXPORT_PRESETS is set."
    ),
)
def race_week_exports(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Ask for each race that is due in this minute, and whose last export is over."""
    known = set(context.instance.get_dynamic_partitions(RACE_KEYS))
    # Where a run takes longer than a minute, others would only queue up behind it.
    known -= running_partitions(context.instance, EXPORT_RACES)
    minute = context.scheduled_execution_time
    for race_id in due_races(load_settings(), minute):
        key = key_of(race_id)
        if key in known:
            # The key keeps a tick that is evaluated twice from writing twice.
            yield dg.RunRequest(run_key=f"{key} {minute:%Y-%m-%dT%H:%M}", partition_key=key)
