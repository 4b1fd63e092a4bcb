"""Killed in the middle of an erasure: the next sync finishes it, and nothing counts as damaged."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from ldt_pipeline_tests.erasing.everywhere import find
from ldt_pipeline_tests.forked import processes
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.sync.killed import erase
from ldt_pipeline_tests.syncing import Account

KILLS = 8
LONGEST_SECONDS = 0.5


@pytest.mark.slow
def test_kills(tmp_path: Path) -> None:
    chances = random.Random(20261125)
    dataset = make_dataset(9, participants=90, applications=20, mass_update=20, tickets=3)
    context = processes()
    killed = 0
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
        account = Account.of(tmp_path / "data", api)
        account.sync()
        everybody = [each for each in dataset.live("participants") if not each["gdprRedacted"]]
        gone: set[str] = set()
        secrets: set[str] = set()
        for _ in range(KILLS):
            unlucky = chances.choice([each for each in everybody if each["id"] not in gone])
            gone.add(unlucky["id"])
            secrets |= {
                answer["value"]
                for answer in unlucky["fields"]
                if answer["label"] == "Email address" and answer["value"]
            }
            process = context.Process(
                target=erase,
                args=(tmp_path / "data", api.base_url, api.api_key, [unlucky["id"]]),
                daemon=True,
            )
            process.start()
            while process.is_alive() and unlucky["id"] not in _entered(account):
                time.sleep(0.01)
            process.join(chances.random() * LONGEST_SECONDS)
            process.kill()
            process.join()
            killed += process.exitcode == -signal.SIGKILL
            account.sync()
            assert find(tmp_path / "data", secrets) == {}
            assert account.rows(
                "SELECT count(*) FROM start_list WHERE is_redacted AND email IS NULL"
            ) >= [(len(gone),)]
        assert killed > KILLS // 3
        assert gone
        live = {each["id"] for each in dataset.live("participants")}
        assert {row[0] for row in account.rows("SELECT participant_id FROM start_list")} == live
        kept = _emails(everybody, {each["id"] for each in everybody} - gone)
        found = {text for hits in find(tmp_path / "data", kept).values() for text in hits}
        assert found == kept, "nobody else lost anything"


def _entered(account: Account) -> set[str]:
    from ldt_pipeline.erasing.book import Book

    return Book.read(account.store).erased["participants"]


def _emails(everybody: list, ids: set[str]) -> set[str]:
    return {
        answer["value"]
        for each in everybody
        if each["id"] in ids
        for answer in each["fields"]
        if answer["label"] == "Email address" and answer["value"]
    }
