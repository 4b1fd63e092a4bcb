"""What rosters had found is fetched anew where its extract was damaged: a rebuild has nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ldt_pipeline.compacting import compact
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import look_for_damage, waiting
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.reconcile import reconcile_roster, reconcile_whole
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.feeds.movement import client_of, record, records, serve
from ldt_pipeline_tests.other_api import Readings

LONG_AGO = datetime(2025, 2, 3, tzinfo=UTC)


def load(path: Path, store: RawStore) -> dict[str, str | None]:
    """Load what is pending; gives the bibs of all that are live then."""
    with open_warehouse(path) as connection:
        load_pending(connection, store)
        rows = connection.execute(
            "SELECT participant_id, bib_number FROM tidy.participants "
            "WHERE participant_id NOT IN (SELECT id FROM ops.tombstones)"
        ).fetchall()
    return dict(rows)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_who_was_in_a_damaged_roster_is_stored_again(is_compacted: bool, tmp_path: Path) -> None:
    """A late row, a silent change, and somebody who has gone since: the warehouse knows all three."""
    organiser = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    store = RawStore(str(organiser.raw_dir))
    dataset = records(8)
    with serve(dataset, Readings()) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        load(organiser.warehouse_path, store)
        dataset.put("participants", record("late", LONG_AGO, bibNumber="1"))
        dataset.put("participants", record("gone", LONG_AGO, bibNumber="2"))
        (changed,) = (each for each in dataset.live("participants") if each["id"] == "p00003")
        dataset.put("participants", {**changed, "bibNumber": "3"})
        reconcile_roster(client, store, organiser, PARTICIPANTS, "r1")
        load(organiser.warehouse_path, store)
        dataset.put("participants", record("later", LONG_AGO, bibNumber="4"))
        reconcile_roster(client, store, organiser, PARTICIPANTS, "r1")
        held = load(organiser.warehouse_path, store)
        if is_compacted:
            compact(organiser, store)
        dataset.delete("participants", "gone")
        for path in organiser.raw_dir.glob("race_participants/*/*.zst"):
            path.write_bytes(path.read_bytes()[:-9])
        assert len(look_for_damage(store)) == (1 if is_compacted else 2)

        found = reconcile_whole(client, store, organiser, PARTICIPANTS)

    assert (found.stored, found.deleted, waiting(store)) == (3, 1, [])
    del held["gone"]
    assert {each: held[each] for each in ("late", "later", "p00003")} == {
        "late": "1",
        "later": "4",
        "p00003": "3",
    }
    assert load(organiser.warehouse_path, store) == held
    assert load(tmp_path / "rebuilt.duckdb", store) == held
