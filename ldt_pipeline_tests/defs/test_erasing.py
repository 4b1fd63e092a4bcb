"""The job `erase`, as it is started from Dagster's pages: with ids that somebody typed."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import ERASE, erase_config
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.raw import RawStore
from ldt_pipeline.settings import load_settings

pytestmark = pytest.mark.slow


def run(instance: dg.DagsterInstance, **ids: list[str]) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(ERASE).execute_in_process(
        instance=instance, run_config=erase_config(**ids), raise_on_error=False
    )


def book() -> Book:
    return Book.read(RawStore(str(load_settings().raw_dir)))


def test_an_application_goes_with_the_one_entry_that_it_led_to(synced) -> None:
    with duckdb.connect(str(load_settings().published_path), read_only=True) as connection:
        ((participant, application),) = connection.execute(
            "SELECT participant_id, application_id FROM participants JOIN applications "
            "USING (application_id) ORDER BY 1 LIMIT 1"
        ).fetchall()
    assert run(synced, participants=[participant]).success
    assert book().erased == {"participants": {participant}, "applications": {application}}
    assert run(synced, participants=[participant]).success, "once more, as after a kill"


def test_whom_nobody_holds_fails_the_run_and_is_entered_nowhere(synced, account) -> None:
    """A mistyped id would look erased, and an address in the place of one would be kept for ever."""
    typed = "ann@example.org"
    result = run(synced, participants=[account.participant_ids()[0], typed])
    assert not result.success
    (failed,) = [each for each in result.all_events if each.is_step_failure]
    said = failed.step_failure_data.user_failure_data.description
    assert "number 2 of `participants`" in said
    assert "Nobody was erased" in said
    assert typed not in said
    assert book().ids("participants") == []
