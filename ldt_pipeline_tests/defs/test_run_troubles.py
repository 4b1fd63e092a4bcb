"""Runs that failed: told apart by what they were for, and over when that has been made."""

import datetime as dt
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ldt_pipeline.alerting.book import Book, Record
from ldt_pipeline.alerting.message import compose
from ldt_pipeline.alerting.owed import Rules, owed
from ldt_pipeline.defs.run_troubles import (
    REPEATED_WITHIN,
    close_repaired_runs,
    note_failed_runs,
)
from ldt_pipeline.home import open_instance
from ldt_pipeline.instants import now

BROKEN: set[str] = set()
EVENTS = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])
CALM = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def work(context: dg.AssetExecutionContext) -> None:
    keys = {each.to_user_string() for each in context.selected_asset_keys}
    if BROKEN & (
        keys | (set(context.partition_keys) if context.has_partition_key_range else set())
    ):
        raise ValueError("broken")


@dg.asset
def start_list(context: dg.AssetExecutionContext) -> None:
    work(context)


@dg.asset(deps=[start_list])
def published(context: dg.AssetExecutionContext) -> None:
    work(context)


@dg.asset
def plot(context: dg.AssetExecutionContext) -> None:
    work(context)


with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):

    @dg.asset(partitions_def=EVENTS, backfill_policy=dg.BackfillPolicy.single_run())
    def tickets(context: dg.AssetExecutionContext) -> None:
        work(context)


DEFS = dg.Definitions(
    assets=[start_list, published, plot, tickets],
    jobs=[
        dg.define_asset_job("load_and_publish", [start_list, published]),
        dg.define_asset_job("read_events", [tickets]),
    ],
    executor=dg.in_process_executor,
)


class Looker:
    """A book, and an instance that is looked at."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.book = Book()
        self.look()

    def look(self, moment: dt.datetime | None = None) -> list[Record]:
        """Give what is wrong after one more look."""
        moment = moment or now()
        note_failed_runs(self.book, self.instance, moment)
        close_repaired_runs(self.book, self.instance, moment)
        return self.book.open_records()

    def automation(self, *assets: str) -> bool:
        job = DEFS.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(each) for each in assets]
        return job.execute_in_process(
            instance=self.instance, asset_selection=keys, raise_on_error=False, run_config=CALM
        ).success

    def job(self, name: str, *, span: str = "") -> bool:
        ends = zip(("start", "end"), span.split("-") if span else (), strict=False)
        return (
            DEFS.resolve_job_def(name)
            .execute_in_process(
                instance=self.instance,
                raise_on_error=False,
                run_config=CALM,
                tags={f"dagster/asset_partition_range_{end}": key for end, key in ends},
            )
            .success
        )


@pytest.fixture
def looker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looker]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    BROKEN.clear()
    with open_instance() as instance:
        yield Looker(instance)


def test_a_failed_publication_is_not_over_by_a_plot(looker: Looker) -> None:
    BROKEN.add("published")
    assert not looker.automation("start_list", "published")
    (record,) = looker.look()
    assert "(published, start_list) failed" in record.trouble.sentence()
    assert looker.automation("plot")
    assert looker.automation("start_list")
    assert looker.look() == [record]
    BROKEN.clear()
    assert looker.automation("published"), "the rest was made by the run that failed"
    assert looker.look() == []


def test_what_automation_failed_to_make_another_job_makes(looker: Looker) -> None:
    BROKEN.update({"start_list", "plot"})
    assert not looker.automation("start_list", "published")
    assert not looker.automation("plot", "start_list")
    assert len(looker.look()) == 2, "they were for different things"
    BROKEN.clear()
    assert looker.job("load_and_publish")
    (record,) = looker.look()
    assert record.trouble.asset == "plot, start_list"
    assert looker.automation("plot")
    assert looker.look() == []


def test_a_range_is_over_when_all_of_it_has_been_read(looker: Looker) -> None:
    BROKEN.add("b")
    assert not looker.job("read_events", span="a-c")
    (record,) = looker.look()
    assert record.trouble.partition == "a...c"
    assert looker.job("read_events", span="d-d")
    assert looker.job("read_events", span="c-d")
    assert not looker.job("read_events", span="a-b")
    assert len(looker.look()) == 2
    BROKEN.clear()
    assert looker.job("read_events", span="b-b")
    assert [each.trouble.partition for each in looker.look()] == ["a...c", "a...b"]
    assert looker.job("read_events", span="a-a")
    assert looker.look() == []


def test_a_key_is_no_longer_for_more_assets() -> None:
    from ldt_pipeline.defs.run_troubles import _trouble

    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        run_id="r",
        asset_selection=frozenset(dg.AssetKey(f"asset_{number:03}") for number in range(500)),
    )
    trouble = _trouble(run, "ValueError")
    assert len(trouble.key) < 60
    assert "asset_000, asset_001, asset_002 and 497 more" in trouble.sentence()


def test_what_nobody_repeats_is_told_of_no_more(looker: Looker) -> None:
    BROKEN.add("plot")
    assert not looker.automation("plot")
    (record,) = looker.look()
    later = now() + REPEATED_WITHIN
    assert looker.look(later - dt.timedelta(minutes=5)) == [record]
    told = owed(looker.book, "c", later, rules=Rules(), at_least="error")[0].told
    record.told = {"c": told}
    assert looker.look(later) == []
    items = owed(looker.book, "c", later, rules=Rules(), at_least="error")
    text = compose(items, later, held_since=None, pages=None).text
    assert "Over:" in text
    assert "has neither been repeated nor failed again since" in text
    assert "told of no more" in text
