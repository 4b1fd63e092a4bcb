"""Killed at any moment: nothing is lost, nothing is there twice, and what is published can be read."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from ldt_pipeline_tests.forked import processes
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.sync.killed import READ, sync
from ldt_pipeline_tests.syncing import Account, assert_equals_truth, tables

KILLS = 8
LONGEST_SECONDS = 1.2


@pytest.mark.slow
def test_kills(tmp_path: Path) -> None:
    chances = random.Random(20261124)
    dataset = make_dataset(9, participants=90, applications=20, mass_update=20, tickets=3)
    context = processes()
    killed = 0
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
        account = Account.of(tmp_path / "data", api)
        for _ in range(KILLS):
            process = context.Process(
                target=sync, args=(tmp_path / "data", api.base_url, api.api_key), daemon=True
            )
            process.start()
            process.join(chances.random() * LONGEST_SECONDS)
            process.kill()
            process.join()
            killed += process.exitcode == -signal.SIGKILL
            if account.settings.published_path.exists():
                ((listed, live, counted),) = account.rows(READ)
                assert listed == live == counted
            account.sync()
            assert_equals_truth(account, dataset)
            unlucky, *others = chances.sample(dataset.live("participants"), 4)
            for record in others:
                api.touch("participants", record["id"], bibNumber=str(chances.randrange(1_000)))
            api.delete("participants", unlucky["id"])
        assert killed > KILLS // 3
        account.sync()
        assert_equals_truth(account, dataset)
        rebuilt = Account.of(tmp_path / "rebuilt", api)
        (tmp_path / "rebuilt").mkdir()
        (tmp_path / "data" / "raw").rename(tmp_path / "rebuilt" / "raw")
        rebuilt.sync()
        assert tables(rebuilt.settings.published_path, without_our_own=True) == tables(
            account.settings.published_path, without_our_own=True
        )
