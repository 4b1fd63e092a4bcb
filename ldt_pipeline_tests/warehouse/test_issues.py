"""Data issues of whole races, from what the API gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ldt_pipeline.raw import RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import Sources, build_mart
from ldt_pipeline_tests.warehouse.histories import Extract, warehouse, write


def test_issues_of_races_are_found_in_what_the_api_gives(tmp_path: Path) -> None:
    race_day = datetime.now(UTC).replace(hour=9) + timedelta(days=70)
    people = [_entry(number, race_day, "07/03/90") for number in range(20)]
    people.append(_entry(20, race_day + timedelta(days=400), ""))
    others = [
        _entry(30, race_day, "07/03/90") | {"raceId": "r2"},
        _entry(31, race_day, "1990-03-07") | {"raceId": "r2"},
        _entry(32, race_day, "") | {"raceId": "r3"},
    ]
    lines = tuple(map(json.dumps, [*people, *others]))
    store = RawStore(str(tmp_path / "raw"))
    write(store, [Extract("participants", "2025-01", lines)])
    with warehouse(tmp_path / "w.duckdb") as connection:
        load_pending(connection, store)
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        for name in ("start_list", "data_issues"):
            build_mart(sources, name)
        found = connection.execute(
            "SELECT kind, race_id, subject_id, split_part(sentence, ' starters', 1) "
            "FROM marts.data_issues WHERE kind IN ('odd_race_start', 'unread_dates_of_birth') "
            "ORDER BY kind"
        ).fetchall()
    odd = str((race_day + timedelta(days=400)).date())
    assert [row[:3] for row in found] == [
        ("odd_race_start", "r1", odd),
        ("unread_dates_of_birth", "r1", ""),
    ]
    assert found[1][3] == "20 of the 21"


def _entry(number: int, start: datetime, born: str) -> dict[str, Any]:
    return {
        "id": f"p{number:02}",
        "eventId": "e1",
        "eventOccurrenceId": "o1",
        "raceId": "r1",
        "raceStartDate": start.isoformat(),
        "fields": [
            {"label": "First name", "value": "Ann"},
            {"label": "Last name", "value": "Lee"},
            {"label": "Date of birth", "value": born},
        ],
    }
