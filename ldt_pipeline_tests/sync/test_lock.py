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
