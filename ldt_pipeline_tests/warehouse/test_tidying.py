"""Two processes tidy what one does, and nothing depends on the second."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from ldt_pipeline.tidy import Tidied
from ldt_pipeline.warehouse import tidying
from ldt_pipeline.warehouse.tidying import Tidy, made_ahead, tidied
from ldt_pipeline_tests.tidy.records import raw

pytestmark = pytest.mark.slow


def frames(count: int) -> list[pl.DataFrame]:
    return [
        raw(
            *(
                {
                    "id": f"{number}-{each}",
                    "odd": number,
                    "fields": [{"label": "Club", "value": each}],
                }
                for each in range(3)
            )
        )
        for number in range(count)
    ]


def helpers() -> list[psutil.Process]:
    return [
        each for each in psutil.Process().children() if tidying.__name__ in " ".join(each.cmdline())
    ]


def make(frame: pl.DataFrame, tidy: Tidy) -> tuple[Tidied, bool]:
    return tidy("participants", frame), tidy is not tidied


@pytest.mark.parametrize("records", [1, tidying.WORTH_A_PROCESS])
def test_in_order_and_by_both(records: int) -> None:
    raws = frames(40)
    found = list(made_ahead(make, raws, records=records))
    assert [each.tables["participants"]["participant_id"][0] for each, _ in found] == [
        f"{number}-0" for number in range(40)
    ]
    for frame, (each, _) in zip(raws, found, strict=True):
        alone = tidied("participants", frame)
        for name, table in alone.tables.items():
            assert each.tables[name].equals(table), name
        assert each.drift.equals(alone.drift)
        assert each.rejected.equals(alone.rejected)
    assert {was_helped for _, was_helped in found} == ({False} if records == 1 else {False, True})
    assert helpers() == []


def test_a_helper_that_dies_is_not_needed(caplog: pytest.LogCaptureFixture) -> None:
    chances = random.Random(1)

    def raws() -> Iterator[pl.DataFrame]:
        at = chances.randint(0, 9)
        for number, frame in enumerate(frames(20)):
            if number == at:
                for helper in helpers():
                    helper.kill()
            yield frame

    found = list(made_ahead(make, raws(), records=tidying.WORTH_A_PROCESS))
    assert [each.tables["participants"]["participant_id"][0] for each, _ in found] == [
        f"{number}-0" for number in range(20)
    ]
    assert "goes on without it" in caplog.text
    assert helpers() == []


def test_what_goes_wrong_there_is_raised_here() -> None:
    def others(frame: pl.DataFrame, tidy: Tidy) -> Tidied:
        return tidy("participants", frame if tidy is tidied else frame.drop("record"))

    with pytest.raises(ValueError, match="needs the column 'record'"):
        list(made_ahead(others, frames(20), records=tidying.WORTH_A_PROCESS))
    assert helpers() == []


def test_one_who_stops_asking_leaves_no_helper() -> None:
    made = made_ahead(make, frames(20), records=tidying.WORTH_A_PROCESS)
    next(made)
    made.close()
    assert helpers() == []


SCRIPT = """
import sys, threading
from ldt_pipeline.warehouse import tidying
with tidying._tidiers(tidying.WORTH_A_PROCESS):
    print("started", flush=True)
    threading.Event().wait()
"""


def test_it_ends_when_the_one_that_it_helps_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "started\n"
        (helper,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        helper.wait(60)
