"""Alerts: when to look for trouble, and what Dagster's records tell of it.

One sensor looks at everything. Dagster's own run failure sensors are no match for a bad night: one
tick tells of five runs, one after the other, and what a hook or a sensor can't send is lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import cast

import dagster as dg

from ldt_pipeline.alerting.book import Book, BookFile
from ldt_pipeline.alerting.config import AlertsFileError, Watch, read_alerts_file
from ldt_pipeline.alerting.delivering import Delivery, deliver
from ldt_pipeline.alerting.sources import event_troubles, key_troubles, published_troubles
from ldt_pipeline.alerting.trouble import Trouble
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.defs.run_troubles import close_repaired_runs, note_failed_runs
from ldt_pipeline.settings import Settings, SettingsError, load_settings
from ldt_pipeline.warehouse.checks import checks


@dg.sensor(
    name="send_alerts",
    minimum_interval_seconds=30,
    default_status=(
        dg.DefaultSensorStatus.RUNNING
        if load_settings().alerts_file is not None
        else dg.DefaultSensorStatus.STOPPED
    ),
    description=(
        "Looks for trouble, and tells the channels of LDT_ALERTS_FILE; it runs by itself where "
        "that is set."
    ),
)
def send_alerts(context: dg.SensorEvaluationContext, storage: Storage) -> dg.SkipReason:
    """Look, and send what is owed."""
    repository = cast("dg.RepositoryDefinition", context.repository_def)
    done = look_and_deliver(
        storage.settings, context.instance, repository.asset_graph.get_all_asset_keys()
    )
    return dg.SkipReason(" ".join(_said(each) for each in done) or "Nobody has to be told now.")


def look_and_deliver(
    settings: Settings, instance: dg.DagsterInstance, assets: Collection[dg.AssetKey]
) -> list[Delivery]:
    """Write down all that is wrong now, and send each channel what it is owed.

    Raises:
        SettingsError: LDT_ALERTS_FILE is not set.
        AlertsFileError: That file can't be used. Runs that failed are written down all the same.
    """
    if settings.alerts_file is None:
        raise SettingsError(
            "LDT_ALERTS_FILE is not set: `ldt alerts example` prints a file to begin with."
        )
    file = BookFile(settings.alerts_dir)
    with file.changed() as book:
        note_failed_runs(book, instance, file.clock())
    config = read_alerts_file(settings.alerts_file)
    _require_assets(config.watch, assets)
    moment = file.clock()
    published = published_troubles(settings, config.watch, moment)
    events = event_troubles(settings, moment) if config.watch.stale_events else []
    days = config.watch.api_key_days
    with file.changed() as book:
        close_repaired_runs(book, instance, moment)
        _note_checks(book, instance, moment)
        book.observe("stale_asset", _stale_assets(instance, config.watch, assets, moment), moment)
        book.observe("api_key", key_troubles(settings, days, moment) if days else [], moment)
        if published is not None:
            book.observe("allocation", published.allocations, moment)
            book.observe("race_week", published.race_week, moment)
        if events is not None:
            book.observe("stale_events", events, moment)
        book.looked_at = moment
    return deliver(file, config)


def _said(done: Delivery) -> str:
    if done.error is not None:
        return f"{done.channel} was not told: {done.error}."
    return f"{done.channel} was told of {done.troubles}."


def _require_assets(watch: Watch, assets: Collection[dg.AssetKey]) -> None:
    known = {each.to_user_string() for each in assets}
    unknown = sorted(set(watch.stale_hours) - known)
    if unknown:
        raise AlertsFileError(
            f"The alerts file names assets in watch.stale_hours that don't exist: "
            f"{', '.join(unknown)}."
        )


def _note_checks(book: Book, instance: dg.DagsterInstance, moment: dt.datetime) -> None:
    """Write down how each structural check went last; one that is being evaluated stays as it was.

    So does one that failed as a warning: what is missing is on its way.
    """
    keys = [
        dg.AssetCheckKey(dg.AssetKey(each.table), each.name)
        for each in checks()
        if each.is_structural
    ]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in latest.items():
        evaluation = record.event.asset_check_evaluation if record.event else None
        if evaluation is None:
            continue
        offences = evaluation.metadata.get("offences")
        count = offences.value if isinstance(offences, dg.IntMetadataValue) else None
        trouble = Trouble(
            source="check",
            severity="error",
            asset=key.asset_key.to_user_string(),
            kind=key.name,
            run_id=record.run_id,
            count=count or 0,
        )
        if evaluation.passed:
            book.close(trouble.key, moment)
        elif evaluation.severity is dg.AssetCheckSeverity.ERROR:
            book.note(trouble, moment, is_occurrence=False)


def _stale_assets(
    instance: dg.DagsterInstance,
    watch: Watch,
    assets: Collection[dg.AssetKey],
    moment: dt.datetime,
) -> Iterator[Trouble]:
    """Give the assets that the alerts file, or a freshness policy of their own, calls stale."""
    by_policy = {
        key.to_user_string()
        for key, record in instance.get_freshness_state_records(list(assets)).items()
        if record.freshness_state.value == "FAIL"
    }
    for name in sorted({*by_policy, *watch.stale_hours}):
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        if event is None:
            continue  # never made: a new installation, not a stale one
        made_at = dt.datetime.fromtimestamp(event.timestamp, dt.UTC)
        hours = watch.stale_hours.get(name)
        if name in by_policy or (hours and made_at < moment - dt.timedelta(hours=hours)):
            yield Trouble(source="stale_asset", severity="error", asset=name, at=made_at)
