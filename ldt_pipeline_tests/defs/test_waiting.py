"""What is missing and on its way: the daemon waits for it, without a run that fails, and not for ever."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import (
    LOAD,
    PUBLISH,
    READ_EVENTS,
    RECONCILE,
    publish_config,
    reconcile_config,
)
from ldt_pipeline.defs.partitions import key_of, range_tags
from ldt_pipeline.defs.sensors import poll_sensor
from ldt_pipeline.settings import load_settings
from ldt_pipeline_tests.defs.conftest import STARTED_AT, published
from ldt_pipeline_tests.defs.ticking import run_it, tick

pytestmark = pytest.mark.slow


def test_the_daemon_publishes_a_new_event_when_its_lists_are_read_and_nothing_fails_before(
    synced, account, sandbox
) -> None:
    """Its groups are read in a run of their own, a minute after its first entry: nobody is alarmed."""
    runner = Runner(defs, synced)
    event_id = account.add_event(name="Unheard of")
    account.add_participant(race_id=account.race_ids(event_id)[0])
    month = f"{STARTED_AT:%Y-%m}"
    runner.run("fetch_participants", tags=range_tags(month, month))
    before = load_settings().published_path.stat().st_ino
    runner.run(PUBLISH)
    assert load_settings().published_path.stat().st_ino == before
    evaluation = last_evaluation(synced, "events", "tickets_are_read")
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    load_settings().published_path.unlink()
    runner.run(PUBLISH)
    assert not load_settings().published_path.exists(), "nor is there a first one"
    with pytest.raises(RunFailedError, match="tickets have not been read yet"):
        runner.run(PUBLISH, config=publish_config())
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute(
            "UPDATE tidy.participants SET _extracted_at = _extracted_at - INTERVAL 11 MINUTE"
        )
    with pytest.raises(RunFailedError, match="tickets have not been read yet"):
        runner.run(PUBLISH)
    synced.add_dynamic_partitions("event_id", [key_of(event_id)])
    runner.run(READ_EVENTS, tags=range_tags(key_of(event_id), key_of(event_id)))
    runner.run(PUBLISH)
    assert published(f"SELECT event_name FROM events WHERE event_id = '{event_id}'") == [
        ("Unheard of",)
    ]


def test_the_daemon_waits_for_the_reconcile_of_a_deletion_and_nothing_fails_before(
    synced, account, sandbox
) -> None:
    """It begins with the next poll, a minute later: nobody is alarmed. What lasts is told of."""
    runner = Runner(defs, synced)
    gone = sorted(account.participant_ids())[5]
    account.delete_participant(gone)
    before = load_settings().published_path.stat().st_ino
    for _ in range(2):
        runner.run(PUBLISH)
        assert load_settings().published_path.stat().st_ino == before
        evaluation = completeness(synced)
        assert not evaluation.passed
        assert evaluation.severity is dg.AssetCheckSeverity.WARN
    with pytest.raises(RunFailedError, match="How many participants more or fewer"):
        runner.run(PUBLISH, config=publish_config())
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute(
            "UPDATE ops.comparisons SET uneven_since = uneven_since - INTERVAL 11 MINUTE"
        )
    with pytest.raises(RunFailedError, match="How many participants more or fewer"):
        runner.run(PUBLISH)
    assert completeness(synced).severity is dg.AssetCheckSeverity.ERROR
    runner.run(RECONCILE, config=reconcile_config(whole=False))
    runner.run(LOAD)
    runner.run(PUBLISH)
    assert completeness(synced).passed
    assert published(f"SELECT count(*) FROM start_list WHERE participant_id = '{gone}'") == [(0,)]


def completeness(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    return last_evaluation(instance, "api_totals", "participants_are_complete")


def last_evaluation(
    instance: dg.DagsterInstance, asset: str, check_name: str
) -> dg.AssetCheckEvaluation:
    check = dg.AssetCheckKey(dg.AssetKey(asset), check_name)
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
    return found.event.asset_check_evaluation


def test_what_nothing_explained_while_it_was_waited_for_is_tried_once_more_and_fails(
    synced, account, monkeypatch
) -> None:
    """Else nobody is told for an hour that nothing is published."""
    monkeypatch.setattr("ldt_pipeline.sync.reconcile._settle_missing", lambda *_, **__: None)
    account.delete_participant(sorted(account.participant_ids())[0])
    for _ in range(2):
        (request,) = tick(poll_sensor, synced).run_requests
        run_it(request, synced)
    Runner(defs, synced).run(LOAD)
    Runner(defs, synced).run(PUBLISH)
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)
    let_time_pass()
    monkeypatch.setattr("ldt_pipeline.defs.sensors._AGAIN_AFTER", timedelta(0))
    (request,) = tick(poll_sensor, synced).run_requests
    assert request.job_name == PUBLISH
    with pytest.raises(RunFailedError, match="api_totals: How many participants"):
        Runner(defs, synced).run(PUBLISH)
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason), "one failure is enough to be told"


def let_time_pass() -> None:
    """Let eleven minutes pass since lists were last compared."""
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute(
            "UPDATE ops.comparisons SET uneven_since = uneven_since - INTERVAL 11 MINUTE, "
            "noted_at = noted_at - INTERVAL 11 MINUTE"
        )
