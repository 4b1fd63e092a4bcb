"""How much is loaded at once: what is held in memory must not depend on how extracts are cut."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from ldt_pipeline.raw import RawStore
from ldt_pipeline.warehouse import load
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline_tests.warehouse.histories import Extract, write

MOST = 100


@pytest.mark.parametrize("sizes", [[60, 60, 60], [99, 2, 99], [250, 30], [1] * 250])
def test_no_batch_holds_more_than_it_may_and_none_is_cut_for_nothing(
    sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_BATCH_RECORDS", MOST)
    monkeypatch.setattr(load, "_TRANSACTION_RECORDS", 10_000)
    store = RawStore(str(tmp_path / "raw"))
    ids = iter(range(sum(sizes)))
    lines = [tuple(json.dumps({"id": str(next(ids))}) for _ in range(size)) for size in sizes]
    write(store, [Extract("participants", "2025-01", each) for each in lines])
    batches: list[int] = []
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        loaded = load.load_pending(connection, store, progress=batches.append)
        ((stored,),) = connection.execute("SELECT count(*) FROM tidy.participants").fetchall()
    assert (loaded.records, stored, sum(batches)) == (sum(sizes),) * 3
    assert max(batches) <= MOST
    assert all(first + second > MOST for first, second in itertools.pairwise(batches))


def test_what_was_undone_over_a_damaged_extract_is_counted_once(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path / "raw"))
    people, partners = (tuple(json.dumps({"id": f"{n}"}) for n in range(count)) for count in (5, 3))
    history = [Extract("participants", "2025-01", people), Extract("partners", "2025-01", partners)]
    damaged = write(store, history)[1]
    (data,) = (tmp_path / "raw").rglob(f"{damaged.extract_id}.ndjson.zst")
    data.write_bytes(b"")
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        loaded = load.load_pending(connection, store)
    assert (loaded.extracts, loaded.records, loaded.rejected) == (1, 5, 0)
