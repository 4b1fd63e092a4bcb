"""The published file says what the warehouse does, whether it was made anew or brought up to date."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.erasing.book import PEOPLE, Erasure, Reason, write_erasures
from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.tables import TABLES, table
from ldt_pipeline.tidy import Questions, load_questions
from ldt_pipeline.warehouse import building
from ldt_pipeline.warehouse import publish as publishing
from ldt_pipeline.warehouse import republish as going_on
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.load import load_erasures, load_pending
from ldt_pipeline.warehouse.marts import BUILDERS, Sources, build_mart
from ldt_pipeline.warehouse.publish import publish
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.swap import identity
from ldt_pipeline_tests.warehouse.histories import (
    START,
    Extract,
    Hidden,
    histories,
    warehouse,
    write,
)

QUESTIONS = load_questions(None)


def build(connection: duckdb.DuckDBPyConnection, questions: Questions = QUESTIONS) -> None:
    sources = Sources(connection=connection, questions=questions, configured_event_ids=())
    for name in BUILDERS:
        build_mart(sources, name)


def assert_says_the_same(connection: duckdb.DuckDBPyConnection, path: Path, people: bool) -> None:
    with connect(path, read_only=True) as published:
        for each in TABLES.values():
            target = each if people else each.anonymous or each
            names = list(target.schema)
            columns = ", ".join(f'"{name}"' for name in names)
            found = published.execute(f"SELECT {columns} FROM {target.name}").fetchall()
            expected = connection.execute(relation(each, names)).fetchall()
            assert sorted(found, key=repr) == sorted(expected, key=repr), each.name


class Ways:
    """Counts how files were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copies = 0
        self.wholes = 0
        copy, whole = publishing.bring_up_to_date, publishing._build

        def counting_copy(*arguments: Any, **options: Any) -> None:
            self.copies += 1
            copy(*arguments, **options)

        def counting_whole(*arguments: Any, **options: Any) -> None:
            self.wholes += 1
            whole(*arguments, **options)

        monkeypatch.setattr(publishing, "bring_up_to_date", counting_copy)
        monkeypatch.setattr(publishing, "_build", counting_whole)


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories, people=st.booleans(), chances=st.randoms(use_true_random=False))
def test_each_publication_says_what_the_warehouse_does(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    history: list[Extract],
    people: bool,
    chances: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("publish")
    manifests = write(RawStore(str(folder / "raw")), history)
    store = Hidden(folder / "raw")
    path = folder / "ldt.duckdb"
    # A file that may be copied for ever: what a copy gets wrong must not be mended by the next one.
    monkeypatch.setattr(going_on, "_ALWAYS_MAY_GROW_BY", 2**40)
    with warehouse(folder / "w.duckdb") as connection:
        while left := [each for each in manifests if each.extract_id not in store.shown]:
            store.shown |= {each.extract_id for each in left[: chances.randint(1, 3)]}
            load_pending(connection, store)
            build(connection)
            publish(connection, path, personal_data=people)
            assert_says_the_same(connection, path, people)
            assert not publish(connection, path, personal_data=people)


def entry(number: int, **others: Any) -> str:
    return json.dumps(
        {
            "id": f"p{number}",
            "eventId": "e1",
            "raceId": "r1",
            "updatedAt": START.isoformat(),
            "fields": [{"label": "First name", "value": f"Runner{number}"}],
            **others,
        }
    )


def later(number: int, minutes: int, **others: Any) -> str:
    return entry(number, updatedAt=(START + timedelta(minutes=minutes)).isoformat(), **others)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


class Published:
    """A warehouse of twenty people, published."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = folder / "ldt.duckdb"
        self.connection = connection
        self.store = RawStore(str(folder / "raw"))
        self.personal_data = True
        self.questions = QUESTIONS
        self._extracts = 0
        self.bring(*(entry(number) for number in range(20)))

    def bring(self, *lines: str, feed: str = "participants", partition: str = "2025-01") -> bool:
        """Load an extract, and publish."""
        writer = self.store.writer(
            feed=feed,
            partition_key=FEEDS[feed].partition_key if feed in FEEDS else "of",
            partition=partition,
            extracted_at=START + timedelta(hours=1, minutes=self._extracts),
            source={},
        )
        for line in lines:
            writer.append(line.encode())
        writer.commit()
        self._extracts += 1
        load_pending(self.connection, self.store)
        build(self.connection, self.questions)
        return publish(self.connection, self.path, personal_data=self.personal_data)

    def names(self) -> set[str | None]:
        with connect(self.path, read_only=True) as published:
            rows = published.execute("SELECT first_name FROM start_list").fetchall()
        return {row[0] for row in rows}


@pytest.fixture
def published(tmp_path: Path, ways: Ways):
    with warehouse(tmp_path / "w.duckdb") as connection:
        made = Published(tmp_path, connection)
        assert (ways.wholes, ways.copies) == (1, 0)
        yield made


def changed(number: int, minutes: int) -> str:
    return later(number, minutes, fields=[{"label": "First name", "value": f"Renamed{number}"}])


def test_few_changes_are_brought_into_a_copy(published: Published, ways: Ways) -> None:
    assert published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (1, 1)
    assert "Renamed3" in published.names()
    assert "Runner3" not in published.names()


def test_a_copy_keeps_the_rows_that_did_not_change_as_they_lie(
    published: Published, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows are deleted, DuckDB joins groups that are smaller than it thinks they should be."""
    monkeypatch.setattr(building, "_ROW_GROUP_SIZE", 2048)
    published.bring(*(entry(number) for number in range(100, 6_000)))
    groups = _row_groups(published.path)
    assert groups["participants"] == groups["start_list"] == 3
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 1)
    assert _row_groups(published.path) == groups


def _row_groups(path: Path) -> dict[str, int]:
    with connect(path, read_only=True) as file:
        return {
            name: file.execute(
                f"SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('{name}')"
            ).fetchall()[0][0]
            for name in going_on._BY_ENTRY["participants"]
        }


def test_a_group_that_arrives_later_is_told_of_earlier_versions_too(published: Published) -> None:
    """The entry is of no group any more: only its first version says which it was of."""
    published.bring(entry(30, reservedEntryGroupCode="re_1"))
    published.bring(later(30, 1))
    group = json.dumps({"id": "re_1", "name": "Hope", "usedCapacity": 0})
    published.bring(group, feed="reserved_entries", partition="e1")
    with connect(published.path, read_only=True) as file:
        names = file.execute(
            "SELECT reserved_entry_group_name FROM participant_versions "
            "WHERE participant_id = 'p30' ORDER BY version"
        ).fetchall()
    assert names == [("Hope",), (None,)]


def test_many_changes_make_the_file_anew(published: Published, ways: Ways) -> None:
    assert published.bring(*(changed(number, 1) for number in range(8)))
    assert (ways.wholes, ways.copies) == (2, 0)


def test_a_reader_of_the_last_file_keeps_it(published: Published) -> None:
    with connect(published.path, read_only=True) as reader:
        before = reader.execute("SELECT * FROM start_list").fetchall()
        published.bring(changed(3, 1))
        assert reader.execute("SELECT * FROM start_list").fetchall() == before


def test_nothing_of_the_forgotten_is_left(published: Published, ways: Ways) -> None:
    """What is deleted in a copy stays in the file, out of sight."""
    published.bring(changed(3, 1))
    assert b"Runner4" in published.path.read_bytes()
    published.bring(later(4, 2, gdprRedacted=True, fields=[]))
    assert (ways.wholes, ways.copies) == (2, 1)
    assert b"Runner4" not in published.path.read_bytes()


def test_who_was_forgotten_long_ago_costs_nothing(published: Published, ways: Ways) -> None:
    published.bring(later(4, 2, gdprRedacted=True, fields=[]))
    assert (ways.wholes, ways.copies) == (2, 0)
    assert published.bring(later(4, 3, gdprRedacted=True, fields=[], bibNumber="7"))
    assert (ways.wholes, ways.copies) == (2, 1)


def test_a_file_that_somebody_writes_to_is_made_anew(published: Published, ways: Ways) -> None:
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(published.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert published.bring(changed(3, 1))
        writer.communicate()
    assert ways.copies == 0
    assert "Renamed3" in published.names()


def test_a_file_that_was_written_to_is_made_anew(published: Published, ways: Ways) -> None:
    with duckdb.connect(str(published.path)) as writer:
        writer.execute("DELETE FROM start_list")
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 0)
    assert len(published.names()) == 20


def test_a_file_that_was_put_there_is_made_anew(published: Published, ways: Ways) -> None:
    copy = published.path.with_name("backup.duckdb")
    copy.write_bytes(published.path.read_bytes())
    copy.replace(published.path)
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_the_disk_has_damaged_is_made_anew(
    published: Published, ways: Ways, share: float
) -> None:
    """Nothing tells of it but the block: neither the file's length nor when it was written."""
    status = published.path.stat()
    with published.path.open("r+b") as file:
        file.seek(int(status.st_size * share))
        file.write(b"damage")
    os.utime(published.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert published.bring(changed(3, 1))
    assert ways.wholes == 2
    assert "Renamed3" in published.names()
    assert len(published.names()) == 20


def test_a_file_without_personal_data_is_no_copy_of_one_with_it(
    published: Published, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_personal in (False, True):
        published.personal_data = is_personal
        assert published.bring(changed(3, 1))
        assert (b"Runner4" in published.path.read_bytes()) == is_personal
    assert (ways.wholes, ways.copies) == (3, 0)


def test_a_file_is_made_anew_after_an_erasure(published: Published, ways: Ways) -> None:
    """Also where the warehouse had nothing of the person any more: a copy keeps what was deleted."""
    erasure = Erasure(entity="participants", id="p4", reason=Reason.ASKED, erased_at=START)
    write_erasures(published.store, PEOPLE, [erasure])
    load_erasures(published.connection, published.store)
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 0)
    published.bring(changed(3, 2))
    assert (ways.wholes, ways.copies) == (2, 1)


def test_another_questions_file_is_told_of_everybody(published: Published, tmp_path: Path) -> None:
    file = tmp_path / "questions.yaml"
    file.write_text("columns:\n  club: First name\n")
    published.questions = load_questions(file)
    assert published.bring(changed(3, 1))
    assert published.names() == {None}
    assert_says_the_same(published.connection, published.path, people=True)
    published.questions = QUESTIONS
    assert published.bring()
    assert len(published.names()) == 20


def test_what_became_of_an_application_is_brought_into_a_copy(
    published: Published, ways: Ways
) -> None:
    """Of those alone that changed or went; an id that a participant has, too, is another one."""
    bring = partial(published.bring, feed="applications")
    bring(*(entry(number) for number in range(20)))
    copies = ways.copies
    bring(changed(3, 1))
    published.bring('{"id":"p4"}', feed=DELETIONS, partition="applications")
    assert ways.copies == copies + 2
    assert_says_the_same(published.connection, published.path, people=True)
    with connect(published.path, read_only=True) as file:
        gone = file.execute(
            "SELECT application_id FROM applications WHERE deleted_at IS NOT NULL"
        ).fetchall()
    assert gone == [("p4",)]


def test_a_file_is_made_anew_each_day(
    published: Published, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow = going_on.now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(going_on, "now", lambda: tomorrow)
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 0)


def test_a_file_that_grew_is_made_anew(
    published: Published, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(going_on, "_ALWAYS_MAY_GROW_BY", 0)
    monkeypatch.setattr(going_on, "_GROWN_BY_MOST", 1)
    published.bring(changed(3, 1))
    assert (ways.wholes, ways.copies) == (2, 0)


def test_a_failed_copy_leaves_the_last_file(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity(published.path)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(going_on.shutil, "copyfile", fail)
        with pytest.raises(OSError, match="No space"):
            published.bring(changed(3, 1))
    assert identity(published.path) == before
    # What was owed still is.
    assert published.bring(changed(5, 1))
    assert {"Renamed3", "Renamed5"} <= published.names()


def test_every_table_of_entries_is_brought_up_to_date_by_entry() -> None:
    keys = {table(entity).key[0]: names for entity, names in going_on._BY_ENTRY.items()}
    for key, names in keys.items():
        assert {each.name for each in TABLES.values() if each.key[0] == key} == set(names)
