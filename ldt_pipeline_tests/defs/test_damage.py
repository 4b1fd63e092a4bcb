"""Damaged files, through real runs: found, set aside, fetched again, and never published half."""

from __future__ import annotations

import random
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.dagster_runs import RunFailedError
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.sensors import poll_sensor
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.quarantine import all_set_aside, waiting
from ldt_pipeline.runner import erase, rebuild, sync
from ldt_pipeline.settings import load_settings
from ldt_pipeline.warehouse.connection import DamagedWarehouseError, open_warehouse
from ldt_pipeline_tests.defs.conftest import run_sync
from ldt_pipeline_tests.defs.ticking import tick

pytestmark = pytest.mark.slow


def start_list() -> dict[str, str | None]:
    with duckdb.connect(str(load_settings().published_path), read_only=True) as connection:
        rows = connection.execute("SELECT participant_id, bib_number FROM start_list").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return dict(rows)


def truth(account) -> dict[str, str | None]:
    return {
        each: (account.participant(each) or {}).get("bibNumber") or None
        for each in account.participant_ids()
    }


def extracts(feed: str) -> list[Path]:
    return sorted(load_settings().raw_dir.glob(f"{feed}/*=*/*.ndjson.zst"), key=lambda p: p.name)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def test_damaged_extracts_are_fetched_again(synced, account) -> None:
    store = RawStore(str(load_settings().raw_dir))
    feeds = ["applications", "participants", "partners", "tickets"]
    for feed in feeds:
        cut(extracts(feed)[0])
    load_settings().warehouse_path.unlink()
    said: list[str] = []
    sync(load_settings(), defs, synced, said.append)
    assert all(any("Damaged" in line and feed in line for line in said) for feed in feeds), said
    assert sorted(each.feed for each in all_set_aside(store)) == feeds
    assert waiting(store) == []
    assert start_list() == truth(account)
    before = start_list()
    rebuild(load_settings(), defs, synced, said.append)
    assert start_list() == before
    assert run_sync(synced).was_quiet


@pytest.mark.usefixtures("lean")
def test_damage_in_what_is_loaded_is_found_by_a_whole_sync(synced, account) -> None:
    """A rebuild would be the next to read it: perhaps when the API has it no more."""
    store = RawStore(str(load_settings().raw_dir))
    feeds = ["participants", "partners", "tickets"]
    for feed in feeds:
        cut(extracts(feed)[0])
    sync(load_settings(), defs, synced, print, whole=True)
    assert sorted(each.feed for each in all_set_aside(store)) == feeds
    assert waiting(store) == []
    assert start_list() == truth(account)
    rebuild(load_settings(), defs, synced, print)
    assert len(all_set_aside(store)) == len(feeds), "the rebuild found nothing more"
    assert start_list() == truth(account)


@pytest.mark.usefixtures("lean")
def test_a_damaged_edit_keeps_the_total_and_is_not_forgotten(synced, account, sandbox) -> None:
    """Only the extract says that a bib changed: no total tells of it."""
    from ldt_pipeline.feeds.catalogue import PARTICIPANTS
    from ldt_pipeline.feeds.changes import fetch_changes
    from ldt_pipeline_tests.syncing import Account

    someone = sorted(account.participant_ids())[3]
    account.update_participant(someone, bib_number="LOST")
    settings = load_settings()
    store = RawStore(str(settings.raw_dir))
    reader = Account(settings.data_dir, base_url=sandbox.base_url, api_key=sandbox.api_key)
    with reader.client() as client:
        fetch_changes(client, store, PARTICIPANTS)
    cut(extracts("participants")[-1])
    run_sync(synced)
    assert start_list()[someone] == "LOST"
    assert waiting(store) == []


def test_lost_tombstones_and_rosters_are_found_again(synced, account) -> None:
    gone = sorted(account.participant_ids())[5]
    account.delete_participant(gone)
    run_sync(synced)
    (tombstones,) = extracts("deletions")
    cut(tombstones)
    load_settings().warehouse_path.unlink()
    run_sync(synced)
    assert gone not in start_list()
    rebuild(load_settings(), defs, synced, lambda _: None)
    assert gone not in start_list()
    assert start_list() == truth(account)


def test_a_rebuild_of_damaged_data_publishes_nothing(synced, account) -> None:
    published = load_settings().published_path
    before = published.read_bytes()
    cut(extracts("participants")[0])
    with pytest.raises(RunFailedError, match="damaged and have to be read again"):
        rebuild(load_settings(), defs, synced, lambda _: None)
    assert published.read_bytes() == before
    run_sync(synced)
    assert start_list() == truth(account)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "overwritten", "earlier version"])
@pytest.mark.usefixtures("lean")
def test_a_warehouse_is_made_anew_from_raw(synced, account, sandbox, damage: str) -> None:
    path = load_settings().warehouse_path
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "earlier version":
        with duckdb.connect(str(path)) as connection:
            connection.execute("UPDATE ops.about SET fingerprint = 'earlier'")
    else:
        noise = random.Random(1).randbytes(len(content))
        path.write_bytes({"empty": b"", "cut": content[:-5000], "overwritten": noise}[damage])
    account.update_participant(sorted(account.participant_ids())[0], bib_number="9")
    sandbox.clear_requests()
    run_sync(synced)
    assert start_list() == truth(account)
    rosters = [each for each in sandbox.requests if "/races/" in each.path]
    assert not rosters, "what waits to be loaded is not missing"


def make_outdated() -> None:
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute("UPDATE ops.about SET fingerprint = 'earlier'")


def damage_what_a_poll_does_not_read() -> None:
    with (
        pytest.raises(DamagedWarehouseError),
        open_warehouse(load_settings().warehouse_path),
    ):
        raise duckdb.IOException("Corrupt database file: computed checksum doesn't match")


def overwrite() -> None:
    path = load_settings().warehouse_path
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def run_requested(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    (request,) = tick(poll_sensor, instance).run_requests
    return defs.resolve_job_def(request.job_name).execute_in_process(
        instance=instance,
        run_config=request.run_config,
        tags=request.tags,
        raise_on_error=False,
    )


@pytest.mark.parametrize(
    "damage", [make_outdated, overwrite, damage_what_a_poll_does_not_read], ids=lambda x: x.__name__
)
def test_the_daemon_makes_a_warehouse_anew_from_raw(synced, account, damage) -> None:
    before = start_list()
    load_settings().published_path.unlink()
    damage()
    (request,) = tick(poll_sensor, synced).run_requests
    job = defs.resolve_job_def(request.job_name)
    run = synced.create_run_for_job(job_def=job, run_config=request.run_config)
    assert "under way" in tick(poll_sensor, synced).skip_message, "once, while it is queued"
    synced.delete_run(run.run_id)
    assert run_requested(synced).success
    assert start_list() == before == truth(account)
    assert not load_settings().warehouse_path.with_suffix(".damaged").exists()
    assert "Nothing changed" in tick(poll_sensor, synced).skip_message


@pytest.mark.usefixtures("lean")
def test_the_daemon_makes_nothing_anew_that_somebody_else_has(synced) -> None:
    make_outdated()
    (request,) = tick(poll_sensor, synced).run_requests
    rebuild(load_settings(), defs, synced, print)
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute("CREATE TABLE the_same AS SELECT 1")
    job = defs.resolve_job_def(request.job_name)
    assert job.execute_in_process(instance=synced, run_config=request.run_config).success
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        assert connection.execute("FROM the_same").fetchall() == [(1,)]


@pytest.mark.usefixtures("lean")
def test_the_daemon_drops_no_warehouse_while_the_book_cannot_be_read(synced, account) -> None:
    erase(load_settings(), defs, synced, print, participants=[account.participant_ids()[0]])
    cut(book())
    make_outdated()
    assert not run_requested(synced).success
    assert load_settings().warehouse_path.exists()
    # Again and again would not mend it; somebody has been told of the run that failed.
    assert "that was to do so failed" in tick(poll_sensor, synced).skip_message


def book() -> Path:
    (path,) = extracts("erasures")
    return path


@pytest.mark.usefixtures("lean")
def test_a_rebuild_heals_the_book_of_erasures_before_it_drops_the_warehouse(
    synced, account
) -> None:
    """The warehouse is the only other place that knows whom to forget."""
    someone = account.participant_ids()[0]
    erase(load_settings(), defs, synced, print, participants=[someone])
    store = RawStore(str(load_settings().raw_dir))
    before = Book.read(store)
    cut(book())
    rebuild(load_settings(), defs, synced, print)
    assert Book.read(store) == before


@pytest.mark.usefixtures("lean")
def test_a_warehouse_is_not_dropped_while_the_book_cannot_be_read(synced, account) -> None:
    someone = account.participant_ids()[0]
    erase(load_settings(), defs, synced, print, participants=[someone])
    cut(book())
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute("UPDATE ops.about SET fingerprint = 'another version'")
    for work in (sync, rebuild):
        with pytest.raises(DamagedExtractError, match="Restore its files from a backup"):
            work(load_settings(), defs, synced, print)
        assert load_settings().warehouse_path.exists()


def test_damage_that_an_erasure_finds_is_fetched_again_in_the_same_sync(synced, account) -> None:
    """It reads all of raw, where what a sync reads otherwise begins: nothing was published then."""
    someone, *_ = sorted(account.participant_ids())
    for feed in ("participants", "tickets"):
        cut(extracts(feed)[0])
    account.redact_participant(someone)
    run_sync(synced)
    assert start_list() == truth(account)
    assert run_sync(synced).was_quiet
