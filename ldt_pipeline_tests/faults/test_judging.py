"""The bench can tell: what is lost, doubled, stale or torn is found, and what is right is not."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.faults.place import Place, Ran
from benchmarks.faults.tally import Tally, table
from benchmarks.faults.truth import Tables, beyond_erasure, redacted, truth
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.forked import run_command

TAMPERINGS = {
    "DELETE FROM start_list WHERE participant_id = (SELECT min(participant_id) FROM start_list)": (
        "different people"
    ),
    "INSERT INTO start_list FROM start_list LIMIT 1": "double",
    "UPDATE start_list SET bib_number = 'X' WHERE rowid = 0": "another bib",
    "DELETE FROM partner_allocations WHERE rowid = 0": "allocations",
    "UPDATE sync_status SET records = records + 1 WHERE feed = 'participants'": "sync_status",
    "UPDATE participants SET updated_at = updated_at + INTERVAL 1 MILLISECOND WHERE rowid = 0": (
        "participants: 1 rows are missing, 1 should not be there"
    ),
    "DELETE FROM participant_answers WHERE rowid = 0": "participants: 1 rows are missing",
    "UPDATE partners SET name = 'X' WHERE rowid = 0": "partners: 1 rows",
    "DELETE FROM applications WHERE rowid = 0": "applications: 1 rows are missing, 0",
    "UPDATE tickets SET title = 'X' WHERE rowid = 0": "tickets: 1 rows",
    "UPDATE reserved_entry_groups SET used_capacity = 9999 WHERE rowid = 0": "reserved_entry_groups",
}


@pytest.fixture(scope="module")
def synced() -> Iterator[Place]:
    account = SandboxAccount(60, seed=3, applications=15, history_years=1, events=2, partners=4)
    with tempfile.TemporaryDirectory() as folder, Sandbox(account) as sandbox:
        place = Place(folder=Path(folder) / "data", sandbox=sandbox)
        done = run_command(
            "sync",
            folder=Path(folder),
            environment=place.environment(LDT_EVENT_REFRESH_MINUTES="0"),
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert place.offences(truth(account)) == []
        yield place
    account.close()


@pytest.mark.slow
@pytest.mark.parametrize("statement", list(TAMPERINGS))
def test_a_published_file_that_was_tampered_with(
    synced: Place, tmp_path: Path, statement: str
) -> None:
    place = Place(folder=tmp_path, sandbox=synced.sandbox)
    shutil.copy(synced.published, place.published)
    expected = truth(synced.sandbox.account)
    assert place.offences(expected) == []
    with duckdb.connect(str(place.published)) as connection:
        connection.execute(statement)
    assert any(TAMPERINGS[statement] in each for each in place.offences(expected))


@pytest.mark.slow
def test_a_file_may_say_what_was_true_before_where_that_is_allowed(synced: Place) -> None:
    account = synced.sandbox.account
    before = truth(account)
    account.add_participant(race_id=account.race_ids()[0])
    now = truth(account)
    assert synced.offences(before) == []
    assert synced.offences(now)
    assert synced.offences(now, before) == []


def test_nothing_published_is_an_offence(tmp_path: Path) -> None:
    account = SandboxAccount(1)
    assert Place(folder=tmp_path, sandbox=Sandbox(account)).offences()
    account.close()


@pytest.mark.parametrize(
    ("status", "err", "is_fine"),
    [
        (0, "", True),
        (0, "Warning: x\n", False),
        (1, "Error: The API refused the key.\n", True),
        (1, "Error: Something unexpected went wrong (KeyError).\n", False),
        (1, "Traceback (most recent call last):\nKeyError\n", False),
        (1, "a line\nError: and a sentence\n", False),
        (-9, "", False),
    ],
)
def test_how_a_sync_ended(status: int, err: str, is_fine: bool) -> None:
    assert (Ran(status=status, out="", err=err, seconds=1).offences == []) == is_fine


def test_the_table_adds_up() -> None:
    tally = Tally(scenario="x", mode="y", runs=3, kept=1)
    tally.faults["reset"] += 2
    other = Tally(scenario="x", mode="y", runs=1_000)
    assert other.object_to("here", ["lost", "double"])
    assert not other.object_to("here", [])
    tally.add(other)
    assert tally.disagreements == ["here: lost", "here: double"]
    last = table([tally]).splitlines()[-1]
    assert [cell.strip() for cell in last.strip("|").split("|")] == [
        *("x", "y", "1,003", "2", "1", "2", "0.0 min"),
    ]


def test_an_erasure_changes_nobody_else() -> None:
    def state(*people: tuple[str, str, bool]) -> Tables:
        return {
            "participants": Counter(
                (each, "2026-01-01", bib, "", "r", "e", "t", gone, 2) for each, bib, gone in people
            ),
            "applications": Counter(),
            "partners": Counter(),
            "start_list": Counter((each, bib, "", "r") for each, bib, _ in people),
        }

    before = state(("a", "1", False), ("b", "2", False))
    erased = state(("a", "", True), ("b", "2", False))
    assert redacted(erased) - redacted(before) == {"a"}
    assert beyond_erasure(erased, before, {"a"}) == []
    assert beyond_erasure(state(("a", "", True), ("b", "3", False)), before, {"a"})
    assert beyond_erasure(state(("b", "2", False)), before, {"a"})
