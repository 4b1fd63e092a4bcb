"""Plots in Dagster: drawn by themselves, not again where nothing is new, and never within a sync."""

from __future__ import annotations

import base64
import datetime as dt
import re
import subprocess
import sys

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.definitions import defs
from ldt_pipeline.defs import plot_assets
from ldt_pipeline.defs.jobs import JOBS
from ldt_pipeline.defs.plot_assets import PLOTS, race_office_plots
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.instants import now
from ldt_pipeline.settings import load_settings

pytestmark = pytest.mark.slow

KEYS = {dg.AssetKey(each.asset) for each in PLOTS}
IMAGE = re.compile(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)")


def drawn(instance: dg.DagsterInstance) -> dict[str, dg.AssetMaterialization]:
    result = dg.materialize(
        [race_office_plots, *published()],
        selection=dg.AssetSelection.assets(*KEYS),
        instance=instance,
        resources={"storage": Storage()},
    )
    assert result.success
    return {
        each.asset_key.to_user_string(): each.step_materialization_data.materialization
        for each in result.get_asset_materialization_events()
    }


def published() -> list[dg.AssetSpec]:
    return [dg.AssetSpec("published")]


def test_each_is_an_image_and_is_made_again_only_for_new_data(synced, monkeypatch) -> None:
    # Shares of an age are rounded: two runs a second apart may stand on both sides of a step.
    moment = now()
    monkeypatch.setattr(plot_assets, "now", lambda: moment)
    first = drawn(synced)
    assert set(first) == {each.asset for each in PLOTS}
    for plot in PLOTS:
        metadata = first[plot.asset].metadata
        found = IMAGE.fullmatch(metadata["plot"].value)
        assert found, metadata["plot"].value[:80]
        assert base64.b64decode(found[1]).startswith(b"<svg")
        data = plot.data(Storage().settings, moment)
        assert data.columns == [each.name for each in plot.columns]
        assert data.dtypes == [each.type for each in plot.columns]
        assert metadata["dagster/row_count"].value == data.height

    assert drawn(synced) == {}, "an image is 50 kB in Dagster's records"
    monkeypatch.setattr(plot_assets, "now", lambda: moment + dt.timedelta(minutes=70))
    assert set(drawn(synced)) == {"freshness_plot"}


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_they_are_asked_for_at_first_and_then_by_the_hour(synced) -> None:
    at = dt.datetime(2026, 11, 25, 10, 10, tzinfo=dt.UTC)
    cursor, requested = None, []
    for minute in (0, 1, 30, 58, 59):
        ticked = dg.evaluate_automation_conditions(
            defs=defs,
            instance=synced,
            asset_selection=dg.AssetSelection.assets(*KEYS),
            cursor=cursor,
            evaluation_time=at + dt.timedelta(minutes=minute),
        )
        cursor = ticked.cursor
        requested.append(ticked.total_requested)
        for key in KEYS if minute == 0 else ():
            synced.report_runless_asset_event(dg.AssetMaterialization(key))
    assert requested == [len(KEYS), 0, 0, len(KEYS), 0]


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_before_anything_is_published_there_is_nothing_to_draw(instance) -> None:
    ticked = dg.evaluate_automation_conditions(
        defs=defs, instance=instance, asset_selection=dg.AssetSelection.assets(*KEYS)
    )
    assert ticked.total_requested == 0
    with pytest.raises(dg.Failure, match="Nothing is published yet"):
        drawn(instance)


def test_what_another_version_published_is_called_so(synced) -> None:
    """New plots are asked for right after an upgrade, when the file is still the old one."""
    with duckdb.connect(str(load_settings().published_path)) as connection:
        connection.execute("DROP TABLE registrations_by_day")
    with pytest.raises(dg.Failure, match="another version of the pipeline"):
        drawn(synced)


def test_no_job_of_a_sync_draws() -> None:
    for job in JOBS:
        resolved = defs.resolve_job_def(job.name)
        assert not KEYS & set(resolved.asset_layer.selected_asset_keys), job.name


def test_the_libraries_that_draw_are_not_imported_with_the_definitions() -> None:
    script = (
        "import sys, warnings; warnings.simplefilter('ignore'); import ldt_pipeline.definitions\n"
        "sys.exit(bool({'altair', 'vl_convert'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
