"""People read the published file while it is replaced: neither they nor we have to wait."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from ldt_pipeline_tests.forked import processes
from ldt_pipeline_tests.other_api import OtherApi, make_dataset
from ldt_pipeline_tests.sync.killed import READ, read_until
from ldt_pipeline_tests.syncing import Account

PUBLICATIONS = 10
READERS = 3


def serve() -> OtherApi:
    return OtherApi(make_dataset(9, participants=60, applications=10, mass_update=9))


@pytest.fixture(scope="module")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a first sync: copy it, never write into it."""
    folder = tmp_path_factory.mktemp("first") / "data"
    with serve() as api:
        Account.of(folder, api).sync()
    return folder


@pytest.fixture
def account(first_sync: Path, tmp_path: Path) -> Account:
    """An account that was synced, from an API that is there no more."""
    folder = shutil.copytree(first_sync, tmp_path / "data")
    return Account(folder, base_url="http://127.0.0.1:9/v0", api_key="none")


def publish_again(account: Account) -> None:
    """Publish what is there, as if an extract had been loaded."""
    from ldt_pipeline.warehouse.connection import open_warehouse
    from ldt_pipeline.warehouse.publish import publish

    with open_warehouse(account.settings.warehouse_path, wait_seconds=0) as connection:
        assert publish(connection, account.settings.published_path, force=True)


@pytest.mark.slow
def test_readers_and_publications(account: Account) -> None:
    path = account.settings.published_path
    context = processes()
    stop, reads = context.Event(), context.Value("i", 0)
    readers = [
        context.Process(target=read_until, args=(path, stop, reads), daemon=True)
        for _ in range(READERS)
    ]
    for reader in readers:
        reader.start()
    while reads.value < READERS:
        assert all(reader.is_alive() for reader in readers)
    stamps = {account.stamp()}
    for _ in range(PUBLICATIONS):
        publish_again(account)
        stamps.add(account.stamp())
    stop.set()
    for reader in readers:
        reader.join()
    assert [reader.exitcode for reader in readers] == [0] * READERS
    assert len(stamps) == PUBLICATIONS + 1
    assert reads.value > READERS


def test_a_reader_that_never_closes(account: Account) -> None:
    held = duckdb.connect(str(account.settings.published_path), read_only=True)
    before = held.execute(READ).fetchall()
    publish_again(account)
    assert held.execute(READ).fetchall() == before
    held.close()
    assert account.rows(READ) == before


def test_a_write_ahead_log_that_somebody_left(account: Account) -> None:
    """It belongs to another file: with it, nobody could open the new one."""
    path = account.settings.published_path
    log = path.with_name(path.name + ".wal")
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET wal_autocheckpoint = '1TB'")
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("CREATE TABLE notes AS SELECT 1 AS note")
    assert log.exists()
    publish_again(account)
    assert not log.exists()
    assert account.rows(READ)
    with pytest.raises(duckdb.CatalogException):
        account.rows("SELECT * FROM notes")


def test_what_a_killed_publication_left(account: Account) -> None:
    folder = account.settings.data_dir
    (folder / ".tmp-publish-1.duckdb").write_bytes(b"half")
    (folder / ".tmp-publish-1.duckdb.wal").write_bytes(b"half")
    publish_again(account)
    assert not list(folder.glob(".tmp-*"))
    assert account.settings.published_path.stat().st_mode & 0o777 == 0o600


def test_a_published_file_that_was_deleted_comes_back(account: Account) -> None:
    account.settings.published_path.unlink()
    with serve() as api:
        again = Account.of(account.settings.data_dir, api)
        assert again.sync().published
    assert again.rows(READ)
