"""Marts with rows for single entries, made of some entries at a time."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse import changed, entries
from ldt_pipeline.warehouse import load as loading
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.marts import Sources, build_mart
from ldt_pipeline.warehouse.schema import create_or_check
from ldt_pipeline_tests.warehouse.histories import (
    Extract,
    Hidden,
    history_marts,
    warehouse,
    write,
)

PEOPLE = 9


def history() -> list[Extract]:
    """Give people in two versions each, with their names in answers."""
    return [
        Extract(
            "participants",
            month,
            tuple(
                json.dumps(
                    {
                        "id": f"p{number}",
                        "eventId": "e1",
                        "raceId": "r1",
                        "createdAt": "2025-01-01T00:00:00Z",
                        "updatedAt": f"{month}-02T00:00:00Z",
                        "bibNumber": bib,
                        "fields": [
                            {"id": "firstName", "label": "First name", "value": f"F{number}"}
                        ],
                    }
                )
                for number in range(PEOPLE)
            ),
        )
        for month, bib in (("2025-01", None), ("2025-02", "7"))
    ]


@pytest.mark.parametrize("between", ["nothing", "versions"])
def test_a_start_list_that_was_interrupted_is_made_whole(
    between: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is what follows from it, though somebody had that made of half a start list."""
    write(RawStore(str(tmp_path / "raw")), history())
    with warehouse(tmp_path / "expected.duckdb") as connection:
        loading.load_pending(connection, RawStore(str(tmp_path / "raw")))
        expected = history_marts(connection)
    assert len(expected["start_list"]) == PEOPLE
    assert len(expected["participant_versions"]) == 2 * PEOPLE
    assert len(expected["start_list_changes"]) == 2 * PEOPLE
    monkeypatch.setattr(changed, "_SLICE", 2)
    true, made = entries._insert, list[str]()

    def fail_at_fourth(connection: Any, name: str, rows: Any) -> None:
        made.append(name)
        if len(made) == 4:
            raise MemoryError
        true(connection, name, rows)

    monkeypatch.setattr(entries, "_insert", fail_at_fourth)
    with warehouse(tmp_path / "w.duckdb") as connection:
        loading.load_pending(connection, RawStore(str(tmp_path / "raw")))
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        with pytest.raises(MemoryError):
            build_mart(sources, "start_list")
        assert made == ["start_list"] * 4
        assert connection.execute("SELECT count(*) FROM marts.start_list").fetchall() == [(4,)]
        if between == "versions":
            for name in ("participant_versions", "start_list_changes"):
                build_mart(sources, name)
        assert history_marts(connection) == expected
        assert history_marts(connection) == expected


def test_who_changes_again_while_a_change_is_owed_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted build owes lies in as many slices as it is owed times."""
    changes = [
        Extract(
            "participants",
            "2025-02",
            tuple(json.dumps({"id": each, "bibNumber": bib}) for each in ids),
        )
        for ids, bib in ((("p0", "p1"), "8"), (("p0",), "9"))
    ]
    ids = [
        each.extract_id for each in write(RawStore(str(tmp_path / "raw")), [history()[0], *changes])
    ]
    store = Hidden(tmp_path / "raw")
    monkeypatch.setattr(changed, "_SLICE", 1)
    with warehouse(tmp_path / "w.duckdb") as connection:
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        for each in ids:
            store.shown.add(each)
            loading.load_pending(connection, store)
            with monkeypatch.context() as failing:
                if each == ids[1]:
                    failing.setattr(entries, "_insert", _fail)
                with pytest.raises(MemoryError) if each == ids[1] else nullcontext():
                    build_mart(sources, "start_list")
        assert connection.execute(
            "SELECT count(*), count(DISTINCT participant_id) FROM marts.start_list"
        ).fetchall() == [(PEOPLE, PEOPLE)]


def _fail(*_: Any) -> None:
    raise MemoryError


def test_all_of_a_group_are_told_of_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are compared many at a time: what changes alike in two of them mustn't cancel out."""
    monkeypatch.setattr(changed, "_BUCKETS", 1)
    people = tuple(
        json.dumps({"id": f"p{number}", "eventId": "e1", "reservedEntryGroupCode": "re_1"})
        for number in range(PEOPLE + 1)
    )
    groups = [
        Extract("reserved_entries", "e1", (json.dumps({"id": "re_1", "name": name}),))
        for name in ("Hope", "Care")
    ]
    history = [Extract("participants", "2025-01", people), *groups]
    manifests = write(RawStore(str(tmp_path / "raw")), history)
    store = Hidden(tmp_path / "raw")
    with warehouse(tmp_path / "w.duckdb") as connection:
        for shown, name in ((manifests[:2], "Hope"), (manifests, "Care")):
            store.shown = {each.extract_id for each in shown}
            loading.load_pending(connection, store)
            history_marts(connection)
            named = connection.execute(
                "SELECT DISTINCT reserved_entry_group_name FROM marts.start_list"
            ).fetchall()
            assert named == [(name,)]


def test_rows_follow_whatever_is_told_of_an_entry_and_in_whichever_order(tmp_path: Path) -> None:
    """Of few that changed rows are made anew: they are those that all would have, made at once."""

    def entry(number: int, **others: str) -> str:
        return json.dumps({"id": f"p{number}", "eventId": "e1", **others})

    def changed(number: int, day: int, **others: str) -> str:
        return entry(number, updatedAt=f"2025-01-{day:02}T00:00:00Z", **others)

    def people(*lines: str) -> Extract:
        return Extract("participants", "2025-01", lines)

    history = [
        people(entry(1), changed(3, 5, bibNumber="1"), changed(4, 9, reservedEntryGroupName="A")),
        people(*map(entry, range(30)), changed(3, 6, bibNumber="2"), changed(4, 10)),
        Extract(DELETIONS, "participants", ('{"id":"p0"}', '{"id":"p2"}')),
        people(entry(2), changed(5, 7, bibNumber="3")),
        Extract("reserved_entries", "e1", ('{"id":"re_1","name":"A","partnerId":"c"}',)),
        Extract("partners", "2025-01", ('{"id":"c","name":"Care"}',)),
    ]
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    store = Hidden(tmp_path / "raw")
    listed: list[int] = []
    with warehouse(tmp_path / "w.duckdb") as connection:
        for shown in ([1], [2], [3], [0], [4, 5]):  # what was read first is loaded late
            store.shown |= {ids[each] for each in shown}
            loading.load_pending(connection, store)
            found = history_marts(connection)
            listed.append(len(found["start_list"]))
    assert listed == [30, 28, 29, 29, 29]
    with warehouse(tmp_path / "expected.duckdb") as connection:
        loading.load_pending(connection, store)
        assert history_marts(connection) == found


def test_answers_are_found_though_duckdb_moves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two slices a checkpoint may put rows into the place of deleted ones."""
    monkeypatch.setattr(changed, "_SLICE", 1_000)
    people = [
        [
            json.dumps(
                {
                    "id": f"p{number:05}",
                    "bibNumber": bib,
                    "fields": [{"label": "First name", "value": "Jo"}],
                }
            )
            for number in range(count)
        ]
        for bib, count in ((None, 9_000), ("7", 6_000))
    ]
    write(
        RawStore(str(tmp_path / "raw")),
        [Extract("participants", "2025-01", tuple(each)) for each in people],
    )
    monkeypatch.setattr(loading, "_TRANSACTION_RECORDS", 1)
    true = entries._insert

    def fill_the_log(connection: Any, name: str, rows: Any) -> None:
        connection.execute("SET checkpoint_threshold = '1KB'")
        true(connection, name, rows)

    monkeypatch.setattr(entries, "_insert", fill_the_log)
    with connect(tmp_path / "engine.duckdb") as connection:
        # With groups of rows as small as they get, it shows with few people.
        connection.execute(f"ATTACH '{tmp_path / 'w.duckdb'}' AS w (ROW_GROUP_SIZE 2048)")
        connection.execute("USE w")
        create_or_check(connection)
        loading.load_pending(connection, RawStore(str(tmp_path / "raw")))
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        assert build_mart(sources, "start_list") == 9_000
        named = "SELECT count(first_name) FROM marts.start_list"
        assert connection.execute(named).fetchall() == [(9_000,)]
        connection.execute("USE engine")
