"""Which version of a record stands, and what has gone: held against the rule, in every order of loading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.record_hash import record_hash
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.read import hashes, live_count, live_counts_by, relation
from ldt_pipeline_tests.warehouse.histories import START, Extract, load, warehouse, write

MINUTE = timedelta(minutes=1)
Version = tuple[int, timedelta | None] | tuple[int, timedelta | None, bool]
"""The extract that a version is in, from 0, when it changed, and whether it is redacted."""

WINNERS: dict[str, tuple[list[Version], int]] = {
    "changed later": ([(0, MINUTE), (1, 5 * MINUTE)], 1),
    "changed earlier, read later": ([(0, 5 * MINUTE), (1, MINUTE)], 0),
    "changed at the same instant": ([(0, MINUTE), (1, MINUTE)], 1),
    "twice in one extract": ([(1, MINUTE), (1, MINUTE)], 1),
    "twice in one extract, the older last": ([(1, 2 * MINUTE), (1, MINUTE)], 0),
    "says no more when it changed": ([(0, MINUTE), (1, None)], 0),
    "never said when it changed": ([(0, None), (1, None)], 1),
    "says when it changed at last": ([(0, None), (1, -9 * MINUTE)], 1),
    "changed after a date in the future": ([(0, timedelta(days=900)), (2, MINUTE)], 1),
    "changed by a clock that is a little ahead": ([(0, timedelta(hours=9)), (2, MINUTE)], 0),
    "redacted": ([(0, MINUTE, True), (1, 5 * MINUTE)], 0),
    "redacted, without an instant": ([(0, None, True), (1, 5 * MINUTE)], 0),
    "redacted twice": ([(0, MINUTE, True), (1, 5 * MINUTE, True), (2, 9 * MINUTE)], 1),
    "three versions": ([(0, 2 * MINUTE), (1, 3 * MINUTE), (2, MINUTE)], 1),
}


def entry(record_id: str, bib: int, changed: timedelta | None, redacted: bool = False) -> str:
    record = {
        "id": record_id,
        "raceId": "r1",
        "bibNumber": str(bib),
        "gdprRedacted": redacted,
        "fields": [{"label": "Club", "value": f"club {bib}"}] * 2,
    }
    if changed is not None:
        record["updatedAt"] = (START + changed).isoformat()
    return json.dumps(record)


def history_of_winners() -> list[Extract]:
    lines: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for record_id, (versions, _) in WINNERS.items():
        for bib, (extract, *version) in enumerate(versions):
            lines[extract].append(entry(record_id, bib, *version))
    return [Extract("participants", "2025-01", tuple(each)) for each in lines.values()]


@pytest.mark.parametrize("order", [None, (0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_version_stands_with_its_answers(
    order: tuple[int, ...] | None, tmp_path: Path
) -> None:
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history_of_winners())]
    steps = [ids] if order is None else [[ids[each]] for each in order]
    with warehouse(tmp_path / "w.duckdb") as connection:
        load(connection, tmp_path / "raw", steps)
        found = connection.execute(
            "SELECT participant_id, bib_number, _seen_at FROM tidy.participants"
        ).fetchall()
        answers = connection.execute(
            "SELECT participant_id, position, answer FROM tidy.participant_answers"
        ).fetchall()
    assert {each[0]: int(each[1]) for each in found} == {
        record_id: winner for record_id, (_, winner) in WINNERS.items()
    }
    assert {each[0]: each[2] for each in found} == {
        record_id: START + max(each[0] for each in versions) * MINUTE
        for record_id, (versions, _) in WINNERS.items()
    }, "it was last seen when any version of it was"
    assert sorted(answers) == sorted(
        (record_id, position, f"club {winner}")
        for record_id, (versions, winner) in WINNERS.items()
        if len(versions[winner]) == 2  # else it is redacted
        for position in range(2)
    )


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse(tmp_path / "w.duckdb") as connection:
        yield connection


def rows(
    connection: duckdb.DuckDBPyConnection, name: str, columns: list[str]
) -> dict[str, tuple[Any, ...]]:
    found = connection.execute(relation(table(name), columns)).fetchall()
    return {each[0]: each[1:] for each in found}


def at(minute: int | None) -> datetime | None:
    return None if minute is None else START + minute * MINUTE


@pytest.mark.parametrize("together", [True, False])
def test_gone_is_what_was_not_seen_after_its_last_tombstone(
    together: bool, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    people = {
        "gone": ([0], [1], 1),
        "gone twice": ([0], [1, 3], 3),
        "came back": ([0, 2], [1], None),
        "came back and went": ([0, 2], [1, 3], 3),
        "gone before it came": ([4], [1], None),
        "never gone": ([0], [], None),
    }
    history: list[Extract] = []
    for minute in range(5):
        seen = [each for each, (when, _, _) in people.items() if minute in when]
        gone = [each for each, (_, when, _) in people.items() if minute in when]
        assert not (seen and gone)
        # What came back may be the version that went.
        lines = [entry(each, 0, MINUTE) for each in seen] or [json.dumps({"id": e}) for e in gone]
        feed, partition = ("participants", "2025-01") if seen else (DELETIONS, "participants")
        history.append(Extract(feed, partition, tuple(lines)))
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    load(connection, tmp_path / "raw", [ids] if together else [[each] for each in reversed(ids)])
    assert rows(connection, "participants", ["participant_id", "deleted_at"]) == {
        each: (at(deleted),) for each, (_, _, deleted) in people.items()
    }
    live = {each for each, (_, _, deleted) in people.items() if deleted is None}
    assert live_count(connection, "participants") == len(live)
    assert live_counts_by(connection, "participants", "race_id") == {"r1": len(live)}
    assert live_counts_by(connection, "participants", "bib_number") == {"0": len(live)}
    # Whom we hold and the API lacks is asked for by these: who came back may go once more.
    assert hashes(connection, "participants").keys() == live
    assert hashes(connection, "participants", "race_id", "r1").keys() == live
    assert hashes(connection, "participants", "race_id", "r2") == {}


def test_a_tombstone_of_the_same_instant_counts(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    store = RawStore(str(tmp_path / "raw"))
    for feed, key, partition, line in (
        ("participants", "updated_in", "2025-01", entry("a", 0, MINUTE)),
        (DELETIONS, "of", "participants", '{"id":"a"}'),
    ):
        writer = store.writer(
            feed=feed, partition_key=key, partition=partition, extracted_at=START, source={}
        )
        writer.append(line.encode())
        writer.commit()
    load(connection, tmp_path / "raw", [sorted(store.extract_ids())])
    assert rows(connection, "participants", ["participant_id", "deleted_at"]) == {"a": (START,)}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_a_group_is_gone_since_the_first_reading_without_it_and_as_of_the_last_with_it(
    order: tuple[int, ...], connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    groups = {
        "stays": ([0, 1, 2, 3], None),
        "gone": ([0], 1),
        "gone late": ([0, 1, 2], 3),
        "came back": ([0, 3], None),
    }
    history = [
        Extract(
            "reserved_entries",
            "e1",
            tuple(json.dumps({"id": each}) for each, (when, _) in groups.items() if number in when),
        )
        for number in range(4)
    ]
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    load(connection, tmp_path / "raw", [[ids[each]] for each in order])
    columns = ["reserved_entry_group_id", "deleted_at", "read_at"]
    assert rows(connection, "reserved_entry_groups", columns) == {
        each: (at(deleted), at(max(when))) for each, (when, deleted) in groups.items()
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_same_bytes_again_are_known_by_where_they_were_read_last(
    order: tuple[int, ...], connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    line = entry("a", 0, MINUTE)
    history = [
        Extract("participants", "2025-01", (line,)),
        Extract("participants", "2025-02", ("17", line)),
        Extract("race_participants", "r1", ("17", "18", line)),
    ]
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    load(connection, tmp_path / "raw", [[ids[each]] for each in order])
    assert connection.execute(
        "SELECT _extract_id, _record_number, _extracted_at, _seen_at, _partition "
        "FROM tidy.participants"
    ).fetchall() == [(ids[2], 3, at(2), at(2), "r1")]


@pytest.mark.parametrize("together", [True, False])
def test_what_is_gone_is_told_by_its_own_list_alone(
    together: bool, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Ids of other lists may be the same, and other lists are read more often."""
    history = [
        Extract("participants", "2025-01", (entry("1", 0, MINUTE), "17")),
        Extract("applications", "2025-01", (entry("1", 0, MINUTE),)),
        Extract("partners", "2025-01", (entry("1", 0, MINUTE),)),
        Extract("reserved_entries", "e1", ('{"id":"re_1"}',)),
        Extract("tickets", "e1", ('{"id":"t1"}',)),
        Extract("reserved_entries", "e2", ('{"id":"re_2"}',)),
        Extract("tickets", "e1", ('{"id":"t1"}',)),
        Extract(DELETIONS, "applications", ('{"id":"1"}',)),
    ]
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    load(connection, tmp_path / "raw", [ids] if together else [[each] for each in ids])
    gone = {
        name: set(rows(connection, name, [table(name).key[0], "deleted_at"]).items())
        for name in ("participants", "applications", "partners", "reserved_entry_groups", "tickets")
    }
    assert gone == {
        "participants": {("1", (None,))},
        "applications": {("1", (at(7),))},
        "partners": {("1", (None,))},
        "reserved_entry_groups": {("re_1", (None,)), ("re_2", (None,))},
        "tickets": {("t1", (None,))},
    }
    # What could not be read is known by its bytes, and isn't read again each night.
    assert hashes(connection, "participants").keys() == {"1", record_hash(b"17")}
    assert hashes(connection, "applications").keys() == set()
