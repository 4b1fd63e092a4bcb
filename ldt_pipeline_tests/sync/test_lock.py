"""One sync at a time: the second waits and says for what, and a dead one is not waited for."""

from __future__ import annotations

import multiprocessing as mp
import threading
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.lock import is_syncing, sync_lock
from ldt_pipeline.warehouse.connection import WarehouseBusyError


def settings_of(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]


def hold_for_ever(folder: Path, held: Any) -> None:
    with sync_lock(settings_of(folder), lambda _: None):
        held.set()
        threading.Event().wait()


def test_nobody_waits_for_nobody(tmp_path: Path) -> None:
    said: list[str] = []
    with sync_lock(settings_of(tmp_path / "data"), said.append):
        assert is_syncing(settings_of(tmp_path / "data"))
        assert not is_syncing(settings_of(tmp_path / "other"))
    assert not is_syncing(settings_of(tmp_path / "data"))
    assert said == []
    assert (tmp_path / "data" / "sync.lock").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_the_second_waits_until_the_first_is_killed(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    held = context.Event()
    first = context.Process(target=hold_for_ever, args=(tmp_path, held), daemon=True)
    first.start()
    assert held.wait(60)
    said: list[str] = []
    with (
        pytest.raises(WarehouseBusyError, match="under way"),
        sync_lock(settings_of(tmp_path), said.append, wait_seconds=0.2),
    ):
        pass
    assert said == ["Waiting for another sync of this data folder to finish"]
    assert is_syncing(settings_of(tmp_path))
    first.kill()
    first.join()
    with sync_lock(settings_of(tmp_path), said.append, wait_seconds=20):
        pass


@pytest.mark.slow
def test_what_a_killed_holder_had_begun_is_taken_away(tmp_path: Path) -> None:
    """It may have been killed before or between its runs, which Dagster knows nothing of then."""
    begun = [
        tmp_path / ".tmp-0123456789abcdef",
        tmp_path / "raw" / "participants" / ".tmp-0123456789abcdef",
        tmp_path / "ledger" / "exports" / ".tmp-0123456789abcdef",
    ]
    not_ours = tmp_path / ".tmp-publish-17.duckdb"
    for path in (*begun, not_ours):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half a record of somebody")
    with sync_lock(settings_of(tmp_path), lambda _: None):
        assert all(path.exists() for path in begun), "nobody was killed"
    context = mp.get_context("spawn")
    held = context.Event()
    first = context.Process(target=hold_for_ever, args=(tmp_path, held), daemon=True)
    first.start()
    assert held.wait(60)
    first.kill()
    first.join()
    with sync_lock(settings_of(tmp_path), lambda _: None):
        assert not any(path.exists() for path in begun)
    assert not_ours.exists(), "whoever has the warehouse looks after it"
