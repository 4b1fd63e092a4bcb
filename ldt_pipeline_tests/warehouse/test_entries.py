"""Marts with rows for single entries, made of some entries at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.raw import RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse import changed, entries
from ldt_pipeline.warehouse import load as loading
from ldt_pipeline.warehouse.marts import Sources, build_mart
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
