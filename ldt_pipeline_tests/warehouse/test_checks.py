"""Checks find what is double or an orphan, and are run again after whatever is written."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.instants import now
from ldt_pipeline.raw import RawStore
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse import checking
from ldt_pipeline.warehouse.books import Comparison, compare, note_comparison
from ldt_pipeline.warehouse.checking import ChecksFailedError, require_structure
from ldt_pipeline.warehouse.checks import Check, checks
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import BUILDERS, Sources, build_mart
from ldt_pipeline.warehouse.outcomes import (
    API_TOTALS,
    note_made,
    note_outcomes,
    noted_outcomes,
    outdated_marts,
)
from ldt_pipeline_tests.warehouse.histories import Extract, warehouse, write

TIDY = [each for each in TABLES.values() if each.layer is Layer.TIDY]


def check(table: str, name: str) -> Check:
    return next(each for each in checks() if (each.table, each.name) == (table, name))


positions = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([61, 62, 63, 124, 1000]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", None]), positions), max_size=12),
    known=st.sets(st.sampled_from(["a", "b", "c"])),
)
def test_answers_that_are_double_or_orphans_are_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]], known: set[str]
) -> None:
    with warehouse(tmp_path_factory.mktemp("checks") / "w.duckdb") as connection:
        for row in rows:
            connection.execute(
                "INSERT INTO tidy.participant_answers (participant_id, position) VALUES (?, ?)", row
            )
        for name in known:
            connection.execute("INSERT INTO tidy.participants (participant_id) VALUES (?)", [name])
        double = checking.run_check(connection, check("participant_answers", "key_is_unique"))
        orphans = checking.run_check(connection, check("participant_answers", "participant_exists"))
    counts = Counter(rows)
    assert double.offences == sum(count > 1 or None in pair for pair, count in counts.items())
    assert orphans.offences == sum(row[0] is not None and row[0] not in known for row in rows)


ids = st.sets(st.sampled_from(["a", "b", "c", "aa"]))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    live=ids,
    listed=ids,
    standing=st.lists(st.sampled_from(["a", "b", "c", "aa"]), max_size=5),
    gone=ids,
)
def test_whoever_is_missing_or_too_many_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
    live: set[str],
    listed: set[str],
    standing: list[str],
    gone: set[str],
) -> None:
    rows = {
        "tidy.participants": live,
        "marts.start_list": listed,
        "marts.participant_versions": standing,
    }
    with warehouse(tmp_path_factory.mktemp("checks") / "w.duckdb") as connection:
        for name, people in rows.items():
            for each in people:
                connection.execute(f"INSERT INTO {name} (participant_id) VALUES (?)", [each])
        for each in gone:
            connection.execute(
                "INSERT INTO marts.participant_versions (participant_id, valid_to) VALUES (?, ?)",
                [each, now()],
            )
        missing = checking.run_check(connection, check("start_list", "has_every_live_participant"))
        none = checking.run_check(connection, check("participant_versions", "has_the_start_list"))
    assert missing.offences == len(live ^ listed)
    assert none.offences == sum(
        standing.count(each) != (each in listed) for each in {*standing, *listed}
    )


def test_a_list_that_is_short_or_long_is_not_complete(tmp_path: Path) -> None:
    """One that was never asked is not either: nobody knows."""
    complete = check(API_TOTALS, "participants_are_complete")
    with warehouse(tmp_path / "w.duckdb") as connection:
        assert checking.run_check(connection, complete).offences == 1
        for api_total, held, rejected, offences in [
            (None, 5, 0, 0),
            (5, 5, 0, 0),
            (9, 5, 0, 4),
            (3, 5, 0, 2),
            (6, 5, 1, 0),
            (7, 5, 1, 2),
            (4, 5, 1, 1),
        ]:
            comparison = Comparison(
                feed="participants",
                api_total=api_total,
                held=held,
                rejected=rejected,
                created_before=None,
                compared_at=now(),
            )
            note_comparison(connection, comparison)
            note_comparison(connection, replace(comparison, feed="partners", api_total=99))
            assert checking.run_check(connection, complete).offences == offences


def test_a_list_that_does_not_agree_is_waited_for_ten_minutes_from_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it says meanwhile; and not because of a clock that was ahead, be it ours or the API's."""
    complete = check(API_TOTALS, "participants_are_complete")
    agreeing = Comparison(
        feed="participants",
        api_total=5,
        held=5,
        rejected=0,
        created_before=None,
        compared_at=now() + timedelta(days=1),
    )
    with warehouse(tmp_path / "w.duckdb") as connection:
        assert checking.run_check(connection, complete).is_error, "nobody ever asked"
        for minutes, held, is_error, is_over in [
            (-30, 5, False, False),
            (-9, 7, False, False),
            (-5, 8, False, False),
            (-4, 5, False, False),
            (-11, 6, True, True),
            (-2, 7, True, True),
            (0, 7, True, False),
            (0, 5, False, False),
            (11, 7, True, True),
            (0, 7, False, False),
        ]:
            noted_at = now() + timedelta(minutes=minutes)
            with monkeypatch.context() as patch:
                patch.setattr("ldt_pipeline.warehouse.books.now", lambda at=noted_at: at)
                note_comparison(connection, replace(agreeing, held=held))
            outcome = checking.run_check(connection, complete)
            assert outcome.passed == (held == 5)
            assert outcome.is_error == is_error, minutes
            assert checking.wait_is_over(connection) == is_over, minutes


def every_check() -> dict[tuple[str, str], int]:
    return {(each.table, each.name): 7 for each in checks()}


def test_what_was_found_counts_until_something_is_written(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path / "raw"))
    with warehouse(tmp_path / "w.duckdb") as connection:
        note_outcomes(connection, {("participants", "key_is_unique"): 7})
        with pytest.raises(ChecksFailedError, match="more than once: 7"):
            require_structure(connection)

        note_outcomes(connection, every_check())
        write(store, [Extract("participants", "2025-01", ('{"id": "a", "eventId": "e1"}',))])
        load_pending(connection, store)
        assert noted_outcomes(connection) == {}

        note_outcomes(connection, every_check())
        found = compare(
            connection,
            feed="participants",
            entity="participants",
            api_total=1,
            created_before=None,
            compared_at=now(),
        )
        note_comparison(connection, found)
        left = noted_outcomes(connection)
        assert left == {key: 7 for key in every_check() if key[0] != API_TOTALS}


def test_a_mart_that_is_made_forgets_the_checks_that_read_it_and_no_others(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path / "raw"))
    with warehouse(tmp_path / "w.duckdb") as connection:
        write(store, [Extract("participants", "2025-01", ('{"id": "a", "eventId": "e1"}',))])
        load_pending(connection, store)
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        for name in BUILDERS:
            note_outcomes(connection, every_check())
            build_mart(sources, name)
            left = noted_outcomes(connection)
            for each in checks():
                reads_it = each.table == name or re.search(rf"marts\.{name}\b", each.query)
                if reads_it:
                    assert (each.table, each.name) not in left, (name, each.name)
                else:
                    assert (each.table, each.name) in left, (name, each.name)


def test_the_second_check_of_the_same_rows_reads_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse(tmp_path / "w.duckdb") as connection:
        structural = [each for each in checks() if each.is_structural]
        note_outcomes(connection, {(each.table, each.name): 0 for each in structural})
        for name in BUILDERS:
            note_made(connection, name)
        monkeypatch.setattr(checking, "run_check", None)
        require_structure(connection)


def test_marts_that_are_older_than_what_is_loaded_are_not_published(tmp_path: Path) -> None:
    """Also where one was made before another that it follows."""
    store = RawStore(str(tmp_path / "raw"))
    record = '{"id": "a", "eventId": "e1", "bibNumber": "%s"}'
    with warehouse(tmp_path / "w.duckdb") as connection:
        for bib, first in (("1", "start_list"), ("2", "participant_versions")):
            write(store, [Extract("participants", "2025-01", (record % bib,))])
            load_pending(connection, store)
            assert outdated_marts(connection, BUILDERS) == sorted(BUILDERS)
            sources = Sources(
                connection=connection, questions=load_questions(None), configured_event_ids=()
            )
            for name in sorted(BUILDERS, key=lambda each, first=first: each != first):
                build_mart(sources, name)
        assert outdated_marts(connection, BUILDERS) == ["participant_versions"]
        with pytest.raises(ChecksFailedError, match="Older than what is loaded: participant_v"):
            require_structure(connection)
