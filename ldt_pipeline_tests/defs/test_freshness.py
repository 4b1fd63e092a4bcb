"""What Dagster says of the freshness of events: where it is published, and from minute to minute."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from ldt_pipeline.defs import freshness
from ldt_pipeline.defs.freshness import EVENTS_ARE_FRESH, PUBLISHED, freshness_sensor
from ldt_pipeline.defs.sensors import poll_sensor
from ldt_pipeline.instants import now
from ldt_pipeline.settings import load_settings
from ldt_pipeline.sync.freshness import freshness_of_events
from ldt_pipeline_tests.defs.conftest import STARTED_AT
from ldt_pipeline_tests.defs.ticking import tick

pytestmark = pytest.mark.slow

CHECK = dg.AssetCheckKey(dg.AssetKey(PUBLISHED), EVENTS_ARE_FRESH)


def watch(instance: dg.DagsterInstance, cursor: str | None = None):
    resources = {"storage": freshness.Storage()}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        return freshness_sensor(context)


def test_publishing_says_so_and_the_sensor_finds_what_got_too_old(synced, monkeypatch) -> None:
    (said,) = synced.event_log_storage.get_asset_check_execution_history(CHECK, limit=1)
    assert said.event.dagster_event.asset_check_evaluation_data.passed

    assert isinstance(tick(poll_sensor, synced), dg.SkipReason)
    events = freshness_of_events(load_settings(), now())
    assert max(each.age for each in events if each.age) < now() - STARTED_AT
    first = watch(synced)
    (evaluation,) = first.asset_events
    assert evaluation.passed
    assert isinstance(watch(synced, first.cursor), dg.SkipReason)

    ahead = [each for each in events if each.next_start_at]
    nearest = min(ahead, key=lambda each: each.next_start_at)
    monkeypatch.setattr(freshness, "now", lambda: nearest.next_start_at - dt.timedelta(days=3))
    late = watch(synced, first.cursor)
    (evaluation,) = late.asset_events
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert f"{nearest.event_id}, starts in 3 days" in evaluation.description
    assert "may be 15 minutes old" in evaluation.description
    rows = evaluation.metadata["events"].records
    assert rows[0].data["event"] == nearest.event_name
    assert rows[0].data["fresh"] == "no"
    synced.report_runless_asset_event(evaluation)
    assert isinstance(watch(synced, late.cursor), dg.SkipReason)


def test_it_is_repeated_once_an_hour(synced, monkeypatch) -> None:
    first = watch(synced)
    later = now() + dt.timedelta(hours=1)
    monkeypatch.setattr(freshness, "now", lambda: later)
    assert len(watch(synced, first.cursor).asset_events) == 1


def test_before_anything_is_published_it_waits(instance) -> None:
    assert "Nothing is published" in watch(instance).skip_message


def test_a_file_of_another_version_is_told_of(instance) -> None:
    path = load_settings().published_path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no database")
    assert "can't be read" in watch(instance).skip_message
