"""A sync through Dagster: real runs, in a real instance, against the sandbox over HTTP."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.dead_runs import our_tags, release_dead_runs
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import (
    LOAD,
    PUBLISH,
    RECONCILE,
    changes_config,
    reconcile_config,
)
from ldt_pipeline.defs.names import EVENT_NAME_TAG, EVENT_TAG, published_names
from ldt_pipeline.defs.partitions import key_of, range_tags
from ldt_pipeline.home import open_instance
from ldt_pipeline.raw import RawStore
from ldt_pipeline.runner import rebuild
from ldt_pipeline.settings import load_settings
from ldt_pipeline.sync.state import read_state
from ldt_pipeline.tables import TABLES
from ldt_pipeline_tests.defs.conftest import STARTED_AT, published, run_sync

pytestmark = pytest.mark.slow


def test_a_first_sync_publishes_everything(instance, account) -> None:
    run_sync(instance)
    ids = {row[0] for row in published("SELECT participant_id FROM start_list")}
    assert ids == set(account.participant_ids())
    assert published("SELECT count(*) FROM partner_allocations")[0][0] == len(account.group_ids())
    runs = instance.get_runs()
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    months = instance.get_materialized_partitions(dg.AssetKey("raw_participants"))
    assert len(months) > 12
    events = instance.get_materialized_partitions(dg.AssetKey("raw_tickets"))
    assert events == set(account.event_ids())
    races = set(instance.get_dynamic_partitions("race_id"))
    assert races == set(account.race_ids())


def test_a_second_sync_asks_little_and_changes_no_published_byte(synced, sandbox) -> None:
    path = load_settings().published_path
    before = path.stat(), path.read_bytes()
    sandbox.clear_requests()
    assert run_sync(synced).was_quiet
    assert len(sandbox.requests) <= 6
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (
        before[0].st_ino,
        before[0].st_mtime_ns,
    )
    assert path.read_bytes() == before[1]


def test_what_was_deleted_leaves_the_start_list_and_stays_in_participants(
    synced, account, sandbox
) -> None:
    gone = sorted(account.participant_ids())[5]
    account.delete_participant(gone)
    sandbox.clear_requests()
    run_sync(synced)
    assert published(f"SELECT count(*) FROM start_list WHERE participant_id = '{gone}'") == [(0,)]
    rows = published(
        f"SELECT deleted_at IS NOT NULL FROM participants WHERE participant_id = '{gone}'"
    )
    assert rows == [(True,)]
    walked = [
        each for each in sandbox.requests if "/races/" in each.path and "500" in each.raw_query
    ]
    assert len({each.path for each in walked}) == 1, "only the roster that disagrees is read"


def test_a_late_row_of_a_new_event_is_found_and_read_in_one_sync(synced, account, sandbox) -> None:
    """Reconciling may find an event that nobody has heard of: its lists are read after it."""
    event_id = account.add_event(name="Unheard of")
    late = account.insert_late_participant(
        race_id=account.race_ids(event_id)[0], updated_at=STARTED_AT - timedelta(days=90)
    )
    run_sync(synced)
    assert published(f"SELECT event_id FROM start_list WHERE participant_id = '{late}'") == [
        (event_id,)
    ]
    sandbox.clear_requests()
    assert run_sync(synced).was_quiet
    assert len(sandbox.requests) <= 6


@pytest.mark.usefixtures("lean")
def test_an_edit_arrives_and_costs_little(synced, account, sandbox) -> None:
    raw = load_settings().raw_dir
    before = {path: path.stat().st_mtime_ns for path in raw.rglob("*.zst")}
    someone = sorted(account.participant_ids())[3]
    account.update_participant(someone, bib_number="A007")
    run_sync(synced)
    assert published(f"SELECT bib_number FROM start_list WHERE participant_id = '{someone}'") == [
        ("A007",)
    ]
    untouched = {path: path.stat().st_mtime_ns for path in before}
    assert untouched == before, "no old extract is rewritten"
    new = [path for path in raw.glob("participants/*/*.zst") if path not in before]
    assert len(new) == 1


def test_a_partition_shows_all_that_it_holds_and_not_what_a_run_brought(synced, account) -> None:
    """Else a month of thousands is one of a single row after the next edit."""
    store = RawStore(str(load_settings().raw_dir))
    someone = sorted(account.participant_ids())[3]
    account.update_participant(someone, bib_number="A007")
    runner = Runner(defs, synced)
    month = f"{STARTED_AT:%Y-%m}"
    runner.run(
        "fetch_participants", tags=range_tags(month, month), config=changes_config("participants")
    )
    runner.run(LOAD)
    for name, partition in (("raw_participants", month), ("raw_tickets", account.event_ids()[0])):
        (record,) = synced.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=dg.AssetKey(name), asset_partitions=[key_of(partition)]
            ),
            limit=1,
        ).records
        shown = record.asset_materialization.metadata["dagster/partition_row_count"].value
        held = [
            each.records
            for each in store.manifests(name.removeprefix("raw_"))
            if each.partition == partition
        ]
        assert shown == (sum(held) if name == "raw_participants" else held[-1]) > 1, name


def test_a_roster_without_news_is_not_empty(synced, account) -> None:
    race_id = account.race_ids()[0]
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=synced,
        asset_selection=[dg.AssetKey("raw_race_participants")],
        partition_key=race_id,
    )
    (made,) = result.asset_materializations_for_node("raw_race_participants")
    assert made.metadata["in_roster"].value > 1
    assert made.metadata["stored_now"].value == 0


def test_tables_that_are_older_than_what_is_loaded_are_not_published(synced, account) -> None:
    """Somebody materialises single assets by hand: totals and ids agree, and the bib is the old one."""
    runner = Runner(defs, synced)
    someone = sorted(account.participant_ids())[3]
    account.update_participant(someone, bib_number="A007")
    month = f"{STARTED_AT:%Y-%m}"
    runner.run("fetch_participants", tags=range_tags(month, month))
    runner.run(LOAD)
    inode = load_settings().published_path.stat().st_ino
    for wanted in (["published"], ["events", "published"]):
        found = materialize(synced, *wanted)
        assert not found.success
        assert load_settings().published_path.stat().st_ino == inode
    assert not read_state(load_settings()).is_published
    assert materialize(synced, *(each for each in TABLES), "published").success
    assert published(f"SELECT bib_number FROM start_list WHERE participant_id = '{someone}'") == [
        ("A007",)
    ]
    assert materialize(synced, "start_list", "published").success, "nothing is new, all is right"


def materialize(instance: dg.DagsterInstance, *names: str) -> dg.ExecuteInProcessResult:
    """Materialize chosen assets, as the button of the pages does."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(each) for each in names],
        raise_on_error=False,
    )


@pytest.mark.usefixtures("lean")
def test_an_incomplete_list_is_not_published(synced, account, sandbox) -> None:
    inode = load_settings().published_path.stat().st_ino
    account.add_participant(race_id=account.race_ids()[0])
    sandbox.faults = sandbox_faults(wrong_total=1.0)
    with pytest.raises(RunFailedError, match="could not be read completely"):
        run_sync(synced)
    assert load_settings().published_path.stat().st_ino == inode
    sandbox.faults = sandbox_faults()
    run_sync(synced)
    assert published("SELECT count(*) FROM start_list")[0][0] == len(account.participant_ids())


def sandbox_faults(**rates: float):
    from ldt_pipeline.sandbox import Faults

    return Faults(rates=rates)


def test_a_rebuild_needs_no_api_and_gives_the_same_tables(
    synced, account, sandbox, monkeypatch
) -> None:
    account.delete_participant(sorted(account.participant_ids())[7])
    account.update_participant(sorted(account.participant_ids())[9], bib_number="B2")
    run_sync(synced)
    before = everything_published()
    monkeypatch.delenv("LDT_API_KEY")
    sandbox.clear_requests()
    rebuild(load_settings(), defs, synced, lambda _: None)
    assert sandbox.requests == []
    assert everything_published() == before


def everything_published() -> dict[str, list[tuple]]:
    return {name: published(f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}


def test_a_rebuild_of_half_a_first_load_is_not_published(synced) -> None:
    """Raw data that was never complete can't be published by rebuilding it."""
    for path in load_settings().raw_dir.glob("participants/*/*.manifest.json"):
        path.unlink()
        break
    inode = load_settings().published_path.stat().st_ino
    with pytest.raises(RunFailedError, match="than the API says"):
        rebuild(load_settings(), defs, synced, lambda _: None)
    assert load_settings().published_path.stat().st_ino == inode


def test_a_killed_command_does_not_keep_its_place_in_a_pool(synced) -> None:
    """A run of a process that is no more still holds the pool: the next one would wait for ever.

    Not so one of another data folder, whose right to sync is another's."""
    job = defs.resolve_job_def(PUBLISH)
    dead = synced.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        tags=our_tags(load_settings()),
    )
    synced.event_log_storage.initialize_concurrency_limit_to_default("warehouse")
    synced.event_log_storage.claim_concurrency_slot("warehouse", dead.run_id, "publish")
    other = synced.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        tags={**our_tags(load_settings()), "ldt/data_folder": "/elsewhere"},
    )
    assert release_dead_runs(synced, load_settings()) == 1
    assert synced.get_run_by_id(dead.run_id).status is dg.DagsterRunStatus.FAILURE
    assert synced.get_run_by_id(other.run_id).status is dg.DagsterRunStatus.STARTED
    Runner(defs, synced).run(LOAD)


@pytest.mark.usefixtures("lean")
def test_a_sync_after_a_killed_one_takes_away_what_that_had_begun(synced) -> None:
    """Half an extract holds people too, and nobody would look for them there."""
    begun = load_settings().raw_dir / "participants" / "updated_in=2026-11" / ".tmp-begun"
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.write_text("half a record of somebody")
    run_sync(synced)
    assert begun.exists(), "no run was killed, so nothing was looked for"
    job = defs.resolve_job_def(PUBLISH)
    synced.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags=our_tags(load_settings())
    )
    run_sync(synced)
    assert not begun.exists()


def test_reading_every_list_whole_takes_away_what_killed_runs_of_the_daemon_left(synced) -> None:
    begun = load_settings().exports_dir / "race=1" / ".tmp-begun"
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.write_text("half a list of somebody")
    Runner(defs, synced).run(RECONCILE, config=reconcile_config(whole=True))
    assert not begun.exists()


def test_neither_key_nor_people_reach_dagsters_records(synced, account, sandbox) -> None:
    """Everything that Dagster wrote, in files and databases, is looked through byte by byte."""
    account.update_participant(sorted(account.participant_ids())[3], bib_number="1")
    run_sync(synced)
    secrets = {sandbox.api_key, sandbox.api_key.split(".")[1]}
    rows = published(
        "SELECT email, phone, last_name || first_name, booker_email, emergency_contact_phone "
        "FROM start_list"
    )
    secrets |= {value for row in rows for value in row if value and len(value) > 6}
    home = load_settings().data_dir / "dagster"
    synced.dispose()
    assert (home / "history").exists()
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found = [each for each in secrets if each.encode() in content]
            assert not found, f"{len(found)} secrets in {path.name}"


def test_dagster_home_is_honoured(sandbox, monkeypatch, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with open_instance() as instance:
        Runner(defs, instance).run(LOAD)
    assert (
        sqlite3.connect(home / "history" / "runs.db")
        .execute("SELECT count(*) FROM runs")
        .fetchall()[0][0]
    )
    assert not (load_settings().data_dir / "dagster").exists()
    assert os.environ["DAGSTER_HOME"] == str(home)


def test_a_partition_and_its_run_say_which_event_or_race_it_is(synced, account) -> None:
    event_id = sorted(account.event_ids())[0]
    race_id = account.race_ids(event_id)[0]
    names = published_names(load_settings().published_path)
    assert (
        names[event_id]
        == published(f"SELECT event_name FROM events WHERE event_id = '{event_id}'")[0][0]
    )
    for job, asset, key in (
        ("read_events", "raw_reserved_entries", event_id),
        (None, "raw_race_participants", race_id),
    ):
        definition = (
            defs.resolve_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        )
        done = definition.execute_in_process(
            instance=synced,
            partition_key=key_of(key),
            asset_selection=[dg.AssetKey(asset)],
        )
        (event,) = done.asset_materializations_for_node(asset)
        assert event.metadata["name"].value == names[key]
        tags = synced.get_run_by_id(done.run_id).tags
        assert (tags[EVENT_TAG], tags[EVENT_NAME_TAG]) == (event_id, names[event_id])
    (of_all,) = synced.get_runs(dg.RunsFilter(job_name="read_events"), limit=1, ascending=True)
    assert EVENT_TAG not in of_all.tags, "it was about several"
    assert published_names(load_settings().data_dir / "nowhere.duckdb") == {}
