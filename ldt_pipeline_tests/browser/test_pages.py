"""What people see and click in Dagster's pages. A screenshot of each is kept in `build/browser/`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from ldt_pipeline.defs.names import EVENT_NAME_TAG, EVENT_TAG, published_names
from ldt_pipeline.defs.partitions import EVENT_KEYS
from ldt_pipeline.notebook import connect
from ldt_pipeline.settings import load_settings
from ldt_pipeline.warehouse.checking import Outcome
from ldt_pipeline.warehouse.checks import checks
from ldt_pipeline_tests.browser.conftest import ARTEFACTS, SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def show(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_load_state("load")


def keep(page: Page, name: str) -> None:
    """Keep a screenshot, once nothing moves any more."""
    page.wait_for_timeout(2_000)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def test_the_graph_shows_every_group_and_leads_back_to_raw_data(page: Page) -> None:
    show(page, "/asset-groups")
    for group in ("raw", "tidy", "marts", "quality", "published", "exports", "plots"):
        page.get_by_text(group, exact=True).first.wait_for()
    keep(page, "groups")
    show(page, "/assets/start_list?view=lineage&lineageScope=upstream&lineageDepth=2")
    for asset in ("start_list", "participants", "raw_participants"):
        page.get_by_text(asset, exact=True).first.wait_for()
    keep(page, "graph")


def test_an_event_is_read_again_by_clicking(page: Page, instance: dg.DagsterInstance) -> None:
    event_id = min(instance.get_dynamic_partitions(EVENT_KEYS))
    name = published_names(load_settings().published_path)[event_id]
    show(page, "/assets/raw_tickets?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text(event_id, exact=True).locator("visible=true").last.click()
    page.keyboard.press("Escape")  # closes the list, not the dialog
    page.get_by_role("button", name="Launch 1 run").click()
    run = finished_run(instance, "raw_tickets")
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.tags["dagster/partition"] == event_id
    assert (run.tags[EVENT_TAG], run.tags[EVENT_NAME_TAG]) == (event_id, name)

    show(page, f"/assets/raw_tickets?view=partitions&partition={event_id}")
    page.get_by_text(name).first.wait_for()
    keep(page, "event")
    show(page, "/runs")
    page.get_by_text(f"{EVENT_TAG}: {event_id}").first.wait_for()
    keep(page, "runs")


def finished_run(instance: dg.DagsterInstance, asset: str) -> dg.DagsterRun:
    """Give the run that a click has started, when it has ended."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for run in instance.get_runs(limit=10):
            if (
                run.is_finished
                and run.asset_selection == {dg.AssetKey(asset)}
                and "dagster/partition" in run.tags
            ):
                return run
        time.sleep(1)
    raise AssertionError("No run of that asset has ended.")


def test_a_check_that_fails_says_its_sentence(page: Page) -> None:
    (check,) = (each for each in checks() if each.name == "bibs_are_unique")
    with connect() as connection:
        ((offences,),) = connection.sql(
            "SELECT count(*) FROM data_issues WHERE kind = 'duplicate_bib_number'"
        ).fetchall()
    assert offences
    show(page, "/assets/start_list?view=checks&checkDetail=bibs_are_unique")
    page.get_by_text(Outcome(check=check, offences=offences).sentence).first.wait_for()
    page.get_by_text(re.compile("Failed|Warning")).first.wait_for()
    keep(page, "check")


def test_plots_are_drawn_by_themselves_and_seen(page: Page, instance: dg.DagsterInstance) -> None:
    until = time.monotonic() + SECONDS
    while instance.get_latest_materialization_event(dg.AssetKey("registrations_plot")) is None:
        assert time.monotonic() < until, "the daemon has drawn nothing"
        time.sleep(1)
    show(page, "/assets/registrations_plot")
    page.get_by_text("[Show Markdown]").first.click()
    image = page.locator("img[src^='data:image/svg+xml']").first
    image.wait_for()
    width, height = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert width > 300
    assert height > 200
    keep(page, "plot")
