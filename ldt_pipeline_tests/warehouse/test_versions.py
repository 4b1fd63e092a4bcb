"""What changed is what differs: `start_list_changes` against two lists as they stood."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.warehouse.histories import (
    START,
    Extract,
    history_marts,
    load,
    warehouse,
    write,
)

MINUTES = 8
PAIRS = 10


def entry(
    record_id: str = "a",
    *,
    minute: float | None = 0,
    created: float | None = 0,
    answers: dict[str, str] | None = None,
    **others: Any,
) -> str:
    record: dict[str, Any] = {"id": record_id, "eventId": "e1", "raceId": "r1", **others}
    if minute is not None:
        record["updatedAt"] = (START + timedelta(minutes=minute)).isoformat()
    if created is not None:
        record["createdAt"] = (START + timedelta(minutes=created)).isoformat()
    record["fields"] = [{"label": label, "value": each} for label, each in (answers or {}).items()]
    return json.dumps(record)


entries = st.builds(
    entry,
    st.sampled_from(["a", "b", "c"]),
    minute=st.one_of(st.none(), st.integers(0, MINUTES)),
    created=st.sampled_from([None, -1, 0]),
    raceId=st.sampled_from(["r1", "r2"]),
    bibNumber=st.sampled_from([None, "7", "007"]),
    waves=st.sampled_from([[], [{"name": "Red"}], [{"name": "Red"}, {"name": "Blue"}]]),
    ticketId=st.sampled_from(["t1", "t2"]),
    gdprRedacted=st.sampled_from([False, False, False, False, True]),
    answers=st.dictionaries(
        st.sampled_from(["First name", "Last name", "Emergency contact name"]),
        st.sampled_from(["Æsa", "李", ""]),
        max_size=3,
    ),
)
steps = st.one_of(
    st.lists(entries, min_size=1, max_size=3).map(
        lambda lines: Extract("participants", "2025-01", tuple(lines))
    ),
    st.sampled_from(["a", "b"]).map(
        lambda each: Extract(DELETIONS, "participants", (json.dumps({"id": each}),))
    ),
)


def as_of(connection: duckdb.DuckDBPyConnection, instant: datetime) -> pl.DataFrame:
    return connection.sql(
        "SELECT * FROM marts.participant_versions "
        "WHERE valid_from <= $at AND (valid_to > $at OR valid_to IS NULL)",
        params={"at": instant},
    ).pl()


def folded(changes: pl.DataFrame, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    """Give what single changes come to together, in a loop that anybody can check by eye."""
    first: dict[tuple[str, str], Any] = {}
    last: dict[tuple[str, str], Any] = {}
    was_listed: dict[str, bool] = {}
    is_listed: dict[str, bool] = {}
    rows = changes.filter(pl.col("changed_at").is_between(since, until, closed="right"))
    for row in rows.sort("changed_at").iter_rows(named=True):
        person, change = row["participant_id"], row["change"]
        if change in ("added", "withdrawn"):
            was_listed.setdefault(person, change == "withdrawn")
            is_listed[person] = change == "added"
        key = (person, change)
        first.setdefault(key, row["before"])
        last[key] = row["after"]
    found: list[tuple[Any, ...]] = []
    for (person, change), before in first.items():
        was, now = was_listed.get(person, True), is_listed.get(person, True)
        if change in ("added", "withdrawn"):
            if was != now:
                found.append((person, change))
        elif was and now and before != last[person, change]:
            found.append((person, change, before, last[person, change]))
    return sorted(found)


def differences(before: pl.DataFrame, after: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Say what differs between two start lists, row by row."""
    old, new = (
        {row["participant_id"]: row for row in each.rows(named=True)} for each in (before, after)
    )
    found: list[tuple[Any, ...]] = [(person, "added") for person in new.keys() - old.keys()]
    found += [(person, "withdrawn") for person in old.keys() - new.keys()]
    for person in old.keys() & new.keys():
        was, now = compared(old[person]), compared(new[person])
        found += [(person, kind, was[kind], now[kind]) for kind in now if was[kind] != now[kind]]
    return found


def compared(row: dict[str, Any]) -> dict[str, str | None]:
    contact = (row["emergency_contact_name"], row["emergency_contact_phone"])
    return {
        "race": row["race_id"],
        "bib": row["bib_number"],
        "wave": row["wave"],
        "ticket": row["ticket_id"] or row["ticket_title"],
        "name": " ".join(filter(None, (row["first_name"], row["last_name"]))) or None,
        "emergency_contact": ", ".join(filter(None, contact)) or None,
    }


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=1, max_size=8), chances=st.randoms(use_true_random=False))
def test_changes_are_the_difference_of_two_lists(
    tmp_path_factory: pytest.TempPathFactory, history: list[Extract], chances: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("changes")
    write(RawStore(str(folder / "raw")), history)
    with warehouse(folder / "w.duckdb") as connection:
        load_pending(connection, RawStore(str(folder / "raw")))
        history_marts(connection)
        changes = connection.sql("SELECT * FROM marts.start_list_changes").pl()
        instants = [START + timedelta(minutes=each + 0.5) for each in range(-2, MINUTES + 3)]
        instants = sorted({*instants, *changes["changed_at"]})
        pairs = [sorted(chances.sample(instants, 2)) for _ in range(PAIRS)]
        lists = {each: as_of(connection, each) for pair in pairs for each in pair}
        current = connection.sql("SELECT * FROM marts.start_list").pl()
        newest = as_of(connection, START + timedelta(days=1))
    columns = current.columns
    assert newest.select(columns).sort("participant_id").equals(current.sort("participant_id"))
    for since, until in pairs:
        expected = sorted(differences(lists[since], lists[until]))
        assert folded(changes, since, until) == expected


def load_all(tmp_path: Path, extracts: list[Extract]) -> dict[str, list[dict[str, Any]]]:
    write(RawStore(str(tmp_path / "raw")), extracts)
    with warehouse(tmp_path / "w.duckdb") as connection:
        load_pending(connection, RawStore(str(tmp_path / "raw")))
        history_marts(connection)
        return {
            name: connection.sql(
                f"SELECT * FROM marts.{name} ORDER BY participant_id, "
                + ("version" if name == "participant_versions" else "changed_at, change")
            )
            .pl()
            .rows(named=True)
            for name in ("participant_versions", "start_list_changes")
        }


def minutes(instant: datetime | None) -> float | None:
    return None if instant is None else (instant - START).total_seconds() / 60


def test_each_kind_of_change(tmp_path: Path) -> None:
    answers = {"First name": "Ann", "Last name": "Ó", "Emergency contact name": "Bo"}
    later = {"First name": "Ann", "Last name": "Ø", "Emergency contact name": "Cy"}
    found = load_all(
        tmp_path,
        [
            Extract("participants", "2025-01", (entry(bibNumber="1", answers=answers),)),
            Extract(
                "participants",
                "2025-01",
                (entry(minute=1, raceId="r2", bibNumber="2", ticketId="t", answers=later),),
            ),
            Extract(DELETIONS, "participants", ('{"id":"a"}',)),
        ],
    )
    assert [
        (row["change"], row["before"], row["after"], minutes(row["changed_at"]))
        for row in found["start_list_changes"]
    ] == [
        ("added", None, "r1", 0),
        ("bib", "1", "2", 1),
        ("emergency_contact", "Bo", "Cy", 1),
        ("name", "Ann Ó", "Ann Ø", 1),
        ("race", "r1", "r2", 1),
        ("ticket", None, "t", 1),
        ("withdrawn", "r2", None, 2),
    ]


def test_a_silent_change_begins_when_it_is_first_seen(tmp_path: Path) -> None:
    """Seen again later, it begins no later: the nightly reconcile reads everything again."""
    silent = entry(minute=0, bibNumber="2")
    found = load_all(
        tmp_path,
        [
            Extract("participants", "2025-01", (entry(minute=0, bibNumber="1"),)),
            Extract("participants", "2025-01", (silent,)),
            Extract("race_participants", "r1", (silent,)),
        ],
    )
    assert [
        (row["bib_number"], minutes(row["valid_from"]), minutes(row["valid_to"]))
        for row in found["participant_versions"]
    ] == [("1", 0, 1), ("2", 1, None)]


def test_who_had_no_name_and_who_had_one_version(tmp_path: Path) -> None:
    found = load_all(
        tmp_path,
        [
            Extract("participants", "2025-01", (entry("a"), entry("b"))),
            Extract(
                "participants", "2025-01", (entry("a", minute=1, answers={"First name": "Ann"}),)
            ),
            Extract(DELETIONS, "participants", ('{"id":"b"}',)),
        ],
    )
    assert [
        (row["participant_id"], row["change"], row["before"], row["after"])
        for row in found["start_list_changes"]
    ] == [
        ("a", "added", None, "r1"),
        ("a", "name", None, "Ann"),
        ("b", "added", None, "r1"),
        ("b", "withdrawn", "r1", None),
    ]


BY_PERSON: dict[str, list[tuple[str, float, float | None]]] = {
    "changed": [("1", 0, 1), ("2", 1, None)],
    "created before": [("1", -5, 1), ("2", 1, None)],
    "seen again": [("1", 0, 1), ("2", 1, None)],
    "older again": [("1", 0, 1), ("2", 1, None)],
    "back": [("2", 0, 0), ("1", 0, None)],
    "future": [("1", 0, 1), ("2", 1, None)],
    "gone": [("1", 0, 3)],
    "gone by a clock that is behind": [("1", 10, 10)],
}
"""Bib, and from which minute to which."""


@pytest.mark.parametrize("order", [None, (3, 2, 1, 0), (1, 3, 0, 2)])
def test_when_each_version_stood(order: tuple[int, ...] | None, tmp_path: Path) -> None:
    """However extracts are loaded, all at once or one by one, and in whatever order."""
    far = 60 * 24 * 400
    lines = [
        [
            entry("changed", bibNumber="1"),
            entry("created before", created=-5, bibNumber="1"),
            *(entry(each, bibNumber="1") for each in ("seen again", "older again", "back")),
            entry("future", minute=far, created=None, bibNumber="1"),
            entry("gone", bibNumber="1"),
            entry("gone by a clock that is behind", minute=10, created=10, bibNumber="1"),
        ],
        [
            entry("changed", minute=1, bibNumber="2"),
            entry("created before", minute=1, created=-5, bibNumber="2"),
            *(entry(each, bibNumber="2") for each in ("seen again", "back")),
            entry("older again", minute=1, bibNumber="2"),
            entry("future", minute=1, created=None, bibNumber="2"),
        ],
        [
            entry("seen again", bibNumber="2"),
            *(entry(each, bibNumber="1") for each in ("older again", "back")),
        ],
    ]
    history = [Extract("participants", "2025-01", tuple(each)) for each in lines]
    gone = tuple(json.dumps({"id": each}) for each in BY_PERSON if each.startswith("gone"))
    history.append(Extract(DELETIONS, "participants", gone))
    ids = [each.extract_id for each in write(RawStore(str(tmp_path / "raw")), history)]
    with warehouse(tmp_path / "w.duckdb") as connection:
        load(connection, tmp_path / "raw", [ids] if order is None else [[ids[n]] for n in order])
        history_marts(connection)
        rows = connection.execute(
            "SELECT participant_id, bib_number, valid_from, valid_to "
            "FROM marts.participant_versions ORDER BY participant_id, version"
        ).fetchall()
    found: dict[str, list[Any]] = {}
    for person, bib, valid_from, valid_to in rows:
        found.setdefault(person, []).append((bib, minutes(valid_from), minutes(valid_to)))
    assert found == BY_PERSON


def test_nothing_is_told_of_whoever_was_forgotten(tmp_path: Path) -> None:
    answers = {"First name": "Ann", "Emergency contact name": "Bo"}
    found = load_all(
        tmp_path,
        [
            Extract("participants", "2025-01", (entry(answers=answers),)),
            Extract("participants", "2025-01", (entry(minute=1, answers={"First name": "An"}),)),
            Extract("participants", "2025-01", (entry(minute=1, gdprRedacted=True),)),
        ],
    )
    assert len(found["participant_versions"]) == 3
    assert "An" not in repr(found)
    assert "Bo" not in repr(found)
