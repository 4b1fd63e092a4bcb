"""A check that ends a sync says what it found, and what to do."""

from __future__ import annotations

import duckdb
import pytest

from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.jobs import PUBLISH, publish_config
from ldt_pipeline.settings import load_settings

pytestmark = pytest.mark.slow


def test_a_check_that_fails_says_what_is_wrong_and_what_to_do(synced, account) -> None:
    account.delete_participant(sorted(account.participant_ids())[7])
    runner = Runner(defs, synced)
    with pytest.raises(RunFailedError) as failed:
        runner.run(PUBLISH, config=publish_config())
    assert str(failed.value) == (
        "Nothing was published, the last published file stays. api_totals: How many participants more "
        "or fewer we hold than the API says it has, or it was never asked (`ldt sync` puts that "
        "right): 1."
    )


def test_a_check_before_the_marts_says_so_too(synced, account) -> None:
    account.update_participant(sorted(account.participant_ids())[7], bib_number="B7")
    runner = Runner(defs, synced)
    with duckdb.connect(str(load_settings().warehouse_path)) as connection:
        connection.execute(
            "INSERT INTO tidy.participant_answers BY NAME "
            "SELECT 'nobody' AS participant_id, 0 AS position, 'x' AS answer"
        )
    with pytest.raises(RunFailedError) as failed:
        runner.run(PUBLISH, config=publish_config())
    assert "blocking asset check" not in str(failed.value)
    assert "participant_answers: Rows with a participant_id that is not in participants: 1" in str(
        failed.value
    )
