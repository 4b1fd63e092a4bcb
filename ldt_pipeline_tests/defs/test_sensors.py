"""Sensors and automation, ticked by hand against a real instance and the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.dagster_runs import Runner
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs import unfinished
from ldt_pipeline.defs.jobs import LOAD, PUBLISH, reconcile_config
from ldt_pipeline.defs.sensors import partition_sensor, poll_sensor
from ldt_pipeline.defs.unfinished import has_ended, rests
from ldt_pipeline.instants import now
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.quarantine import set_aside
from ldt_pipeline.sandbox import Faults, SandboxAccount
from ldt_pipeline.settings import load_settings
from ldt_pipeline.sync.lock import sync_lock
from ldt_pipeline.sync.state import read_state
from ldt_pipeline.tables import TABLES
from ldt_pipeline_tests.defs.conftest import STARTED_AT
from ldt_pipeline_tests.defs.ticking import run_it, tick

pytestmark = pytest.mark.slow

FAILURE = dg.DagsterRunStatus.FAILURE


def test_a_poll_of_an_empty_warehouse_starts_the_first_load(instance, sandbox) -> None:
    result = tick(poll_sensor, instance)
    assert {request.job_name for request in result.run_requests} == {
        "fetch_participants",
        "fetch_applications",
        "fetch_partners",
    }
    for request in result.run_requests:
        feed = request.job_name.removeprefix("fetch_")
        assert request.run_config["ops"][f"raw_{feed}"]["config"] == {"only_changes": True}
        assert request.tags["dagster/asset_partition_range_end"]


def test_a_poll_without_news_asks_little_and_starts_nothing(synced, sandbox) -> None:
    tick(poll_sensor, synced)
    sandbox.clear_requests()
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)
    assert len(sandbox.requests) <= 6


def test_a_poll_after_an_edit_starts_that_feed_alone(synced, account) -> None:
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    result = tick(poll_sensor, synced)
    assert [request.job_name for request in result.run_requests] == ["fetch_participants"]


def test_a_poll_after_a_deletion_starts_a_reconcile(synced, account) -> None:
    account.delete_participant(sorted(account.participant_ids())[0])
    result = tick(poll_sensor, synced)
    assert [request.job_name for request in result.run_requests] == ["reconcile"]
    config = result.run_requests[0].run_config["ops"]["raw_deletions"]["config"]
    assert config["feeds"] == ["participants"]


def test_what_waits_to_be_loaded_is_not_missing(synced, account) -> None:
    """A poll between the run that read an entry and the one that loads it: no reason to reconcile."""
    account.add_participant(race_id=account.race_ids()[0])
    (request,) = tick(poll_sensor, synced).run_requests
    run_it(request, synced)
    result = tick(poll_sensor, synced)
    assert [request.job_name for request in result.run_requests] == ["load_and_publish"]


def test_a_deletion_is_found_while_the_list_never_stands_still(synced, account) -> None:
    """Tickets on sale: each poll finds news, and yet what was deleted must not keep all from readers."""
    gone, edited, *_ = sorted(account.participant_ids())
    account.delete_participant(gone)
    jobs: list[set[str]] = []
    for number in range(3):
        account.update_participant(edited, bib_number=str(number))
        requests = tick(poll_sensor, synced).run_requests
        jobs.append({request.job_name for request in requests})
        for request in requests:
            run_it(request, synced)
        load_and_compare(synced, account, edited)
    assert jobs == [
        {"fetch_participants"},
        {"fetch_participants", "reconcile"},
        {"fetch_participants"},
    ]
    assert not read_state(load_settings()).uneven


def test_what_nothing_explains_of_a_moving_list_is_not_reconciled_every_minute(
    synced, account, monkeypatch
) -> None:
    monkeypatch.setattr("ldt_pipeline.sync.reconcile._settle_missing", lambda *_, **__: None)
    gone, edited, *_ = sorted(account.participant_ids())
    account.delete_participant(gone)
    wholes: list[list[bool]] = []
    for number in range(4):
        account.update_participant(edited, bib_number=str(number))
        requests = tick(poll_sensor, synced).run_requests
        configs = [each.run_config["ops"].get("raw_deletions") for each in requests]
        wholes.append([each["config"]["whole"] for each in configs if each])
        for request in requests:
            run_it(request, synced)
        load_and_compare(synced, account, edited)
    assert wholes == [[], [False], [True], []]


def load_and_compare(instance: dg.DagsterInstance, account: SandboxAccount, edited: str) -> None:
    """Load and compare, as automation does; something changes meanwhile, and totals may differ.

    No run fails of it: nobody is to be alarmed by what the next poll has put right.
    """
    Runner(defs, instance).run(LOAD)
    account.update_participant(edited, bib_number="meanwhile")
    Runner(defs, instance).run(PUBLISH)


def test_a_list_that_was_never_read_to_its_end_is_not_reconciled(instance, account) -> None:
    """Automation compares an empty warehouse, too, while the first load is under way."""
    load_and_compare(instance, account, sorted(account.participant_ids())[0])
    jobs = {each.job_name for each in tick(poll_sensor, instance).run_requests}
    assert jobs == {"fetch_participants", "fetch_applications", "fetch_partners"}


def test_what_rosters_do_not_explain_has_the_list_read_whole(synced, account) -> None:
    """A late row of a race that nobody has heard of is in no roster that we know to read."""
    event_id = account.add_event(name="Unheard of")
    late = account.insert_late_participant(
        race_id=account.race_ids(event_id)[0], updated_at=STARTED_AT - timedelta(days=90)
    )
    wholes: list[bool] = []
    for _ in range(2):
        (request,) = tick(poll_sensor, synced).run_requests
        wholes.append(request.run_config["ops"]["raw_deletions"]["config"]["whole"])
        run_it(request, synced)
    assert wholes == [False, True]
    Runner(defs, synced).run(LOAD)
    assert late in read_ids(), "found, and loaded"
    jobs = [each.job_name for each in tick(poll_sensor, synced).run_requests]
    assert jobs == ["load_and_publish"]


def test_what_nothing_explains_is_not_reconciled_every_minute(synced, account, monkeypatch) -> None:
    """A total that is wrong stays wrong, and each try may read a million records."""
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute(
            "INSERT INTO tidy.participants BY NAME (SELECT * REPLACE ('twin' AS participant_id) "
            "FROM tidy.participants LIMIT 1)"
        )
    monkeypatch.setattr("ldt_pipeline.sync.reconcile._settle_missing", lambda *_, **__: None)
    for _ in range(2):
        (request,) = tick(poll_sensor, synced).run_requests
        run_it(request, synced)
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)
    account.delete_participant(sorted(account.participant_ids())[0])
    (request,) = tick(poll_sensor, synced).run_requests
    assert request.run_config["ops"]["raw_deletions"]["config"]["whole"] is False, "news"


def test_a_list_that_cannot_be_read_is_not_read_whole_every_minute(synced, account) -> None:
    account.delete_participant(sorted(account.participant_ids())[0])
    (request,) = tick(poll_sensor, synced).run_requests
    job = defs.resolve_job_def(request.job_name)
    whole = {key: value.replace("rosters", "whole list") for key, value in request.tags.items()}
    synced.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags=whole)
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)


def test_what_may_not_be_published_is_not_tried_every_minute(synced) -> None:
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute("UPDATE ops.publications SET extracts = 0")
    name = defs.resolve_implicit_global_asset_job_def().name
    automation = dg.DagsterRun(job_name=name, status=dg.DagsterRunStatus.STARTED)
    synced.add_run(automation)
    assert "Assets are being made" in tick(poll_sensor, synced).skip_message
    synced.delete_run(automation.run_id)
    (request,) = tick(poll_sensor, synced).run_requests
    assert request.job_name == "load_and_publish"
    job = defs.resolve_job_def(request.job_name)
    synced.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)


def read_ids() -> set[str]:
    with duckdb.connect(str(load_settings().warehouse_path), read_only=True) as connection:
        rows = connection.execute("SELECT participant_id FROM tidy.participants").fetchall()
    return {row[0] for row in rows}


def test_a_poll_without_a_key_says_so(instance, monkeypatch) -> None:
    monkeypatch.delenv("LDT_API_KEY")
    assert "LDT_API_KEY" in tick(poll_sensor, instance).skip_message


def test_a_poll_of_an_api_that_is_down_is_skipped_with_a_sentence(
    instance, sandbox, monkeypatch
) -> None:
    sandbox.revoke_key(sandbox.api_key)
    result = tick(poll_sensor, instance)
    assert "refused the key" in result.skip_message
    assert sandbox.api_key not in result.skip_message


@pytest.mark.parametrize("fault", ["http_500", "throttled_seconds", "throttled_date"])
def test_a_poll_gives_up_before_dagster_ends_it(synced, sandbox, fault) -> None:
    """After 60 s a tick is a failure which says that our code can't be reached, and not why."""
    sandbox.faults = Faults(rates={fault: 1.0}, retry_after_seconds=60)
    sandbox.clear_requests()
    result = tick(poll_sensor, synced)
    # Few questions, no wait that was asked for.
    assert len(sandbox.requests) == (3 if fault == "http_500" else 1)
    assert "GET /participants" in result.skip_message


def test_events_that_wait_to_be_loaded_are_not_read_again(synced, account) -> None:
    """While a backfill runs nothing is loaded, and each event was read every half minute."""
    make_all_events_due()
    (request,) = tick(partition_sensor, synced).run_requests
    job = defs.resolve_job_def(request.job_name)
    assert job.execute_in_process(instance=synced, tags=request.tags).success
    assert read_state(load_settings()).pending_extracts
    assert isinstance(tick(partition_sensor, synced), dg.SkipReason)


def test_what_fails_again_and_again_is_tried_less_and_less(synced, account, sandbox) -> None:
    """A key that is revoked over a weekend would leave thousands of failed runs otherwise."""
    sandbox.revoke_key(sandbox.api_key)
    make_all_events_due()
    (request,) = tick(partition_sensor, synced).run_requests
    job = defs.resolve_job_def(request.job_name)
    result = job.execute_in_process(instance=synced, tags=request.tags, raise_on_error=False)
    assert not result.success
    assert "failed" in tick(partition_sensor, synced).skip_message
    (run,) = synced.get_run_records(dg.RunsFilter(job_name="read_events", statuses=[FAILURE]))
    at = datetime.fromtimestamp(run.end_time, UTC)
    assert rests(synced, "read_events", at + timedelta(seconds=50))
    assert not rests(synced, "read_events", at + timedelta(seconds=70))
    for _ in range(40):
        synced.create_run_for_job(job, status=FAILURE)
    moment = now() + timedelta(minutes=20)
    assert rests(synced, "read_events", moment)
    assert not rests(synced, "read_events", moment + timedelta(minutes=11)), "half an hour at most"
    synced.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    assert not rests(synced, "read_events", now())


def test_a_list_that_fails_again_and_again_is_read_less_and_less(synced, account) -> None:
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    assert tick(poll_sensor, synced).run_requests
    synced.create_run_for_job(defs.resolve_job_def("fetch_participants"), status=FAILURE)
    assert "has just failed" in tick(poll_sensor, synced).skip_message


def test_what_failed_while_the_clock_was_ahead_keeps_nothing_back(instance, monkeypatch) -> None:
    """A machine that starts with a wrong clock fails, as certificates have expired; then it is set right."""
    instance.create_run_for_job(defs.resolve_job_def("fetch_partners"), status=FAILURE)
    set_right = now() - timedelta(days=400)
    assert rests(instance, "fetch_partners", now())
    assert not rests(instance, "fetch_partners", set_right)
    since = set_right - timedelta(minutes=10)
    assert has_ended(instance, "fetch_partners", since=since)
    monkeypatch.setattr(unfinished, "now", lambda: set_right)
    assert not has_ended(instance, "fetch_partners", since=since)


def make_all_events_due() -> None:
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute("UPDATE ops.load_log SET extracted_at = extracted_at - INTERVAL 90 DAY")


def test_reconciling_a_list_that_does_not_exist_says_so(synced) -> None:
    job = defs.resolve_job_def("reconcile")
    config = reconcile_config(whole=False, feeds=["participant"])
    result = job.execute_in_process(instance=synced, run_config=config, raise_on_error=False)
    assert not result.success
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert "participant is no list" in failure.step_failure_data.error.to_string()


def test_new_events_and_races_become_partitions_and_are_read(synced, account) -> None:
    assert isinstance(tick(partition_sensor, synced), dg.SkipReason)
    event_id = account.add_event(name="A new one")
    race_id = account.race_ids(event_id)[0]
    account.add_participant(race_id=race_id)
    for job in ("fetch_participants", "load"):
        result = defs.resolve_job_def(job).execute_in_process(
            instance=synced,
            tags={
                "dagster/asset_partition_range_start": "2026-11",
                "dagster/asset_partition_range_end": "2026-11",
            }
            if job != "load"
            else {},
        )
        assert result.success
    result = tick(partition_sensor, synced)
    added = {
        request.partitions_def_name: list(request.partition_keys)
        for request in result.dynamic_partitions_requests
    }
    assert added == {"event_id": [event_id], "race_id": [race_id]}
    requested = {
        request.tags["dagster/asset_partition_range_end"] for request in result.run_requests
    }
    assert event_id in requested


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_news_of_one_month_is_loaded_and_published_by_automation(synced, account) -> None:
    """As soon as raw data is new, and not before; and once, not again and again."""
    ticked = dg.evaluate_automation_conditions(defs=defs, instance=synced)
    ticked = dg.evaluate_automation_conditions(defs=defs, instance=synced, cursor=ticked.cursor)
    assert ticked.total_requested == 0
    month = max(synced.get_materialized_partitions(dg.AssetKey("raw_participants")))
    tags = {
        "dagster/asset_partition_range_start": month,
        "dagster/asset_partition_range_end": month,
    }
    assert (
        defs.resolve_job_def("fetch_participants")
        .execute_in_process(instance=synced, tags=tags)
        .success
    )
    ticked = dg.evaluate_automation_conditions(defs=defs, instance=synced, cursor=ticked.cursor)
    for name in ("participants", "start_list", "api_totals", "published"):
        assert ticked.get_num_requested(dg.AssetKey(name)) == 1, name
    assert ticked.total_requested <= len(TABLES) + 2


def test_a_poll_beside_a_sync_from_the_command_line_waits_its_turn(synced, account) -> None:
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    with sync_lock(load_settings(), lambda _: None):
        for sensor in (poll_sensor, partition_sensor):
            assert "`ldt sync` is under way" in tick(sensor, synced).skip_message
    assert tick(poll_sensor, synced).run_requests


def test_a_poll_has_damaged_extracts_read_again(synced, sandbox) -> None:
    settings = load_settings()
    store = RawStore(str(settings.raw_dir))
    for feed in ("participants", "tickets"):
        (path, *_) = sorted(settings.raw_dir.glob(f"{feed}/*=*/*.ndjson.zst"))
        path.write_bytes(b"")
        (manifest,) = (
            each
            for each in store.manifests(feed)
            if each.extract_id == path.name.removesuffix(".ndjson.zst")
        )

        def read(manifest: Manifest = manifest) -> None:
            for _ in store.read(manifest, batch_records=1):
                pass

        with pytest.raises(DamagedExtractError) as raised:
            read()
        set_aside(store, raised.value)
    (fetch,) = tick(poll_sensor, synced).run_requests
    assert fetch.job_name == "fetch_participants"
    (event,) = tick(partition_sensor, synced).run_requests
    assert event.job_name == "read_events"
