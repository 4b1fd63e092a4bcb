"""Rebuilt from raw equals loaded step by step, in whatever order and batches."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.instants import parse_instant
from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.warehouse import changed, versions
from ldt_pipeline.warehouse import load as loading
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline_tests.warehouse.histories import (
    START,
    Extract,
    contents,
    histories,
    history_marts,
    load,
    warehouse,
    write,
)

SETTINGS = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def split(order: list[str], chances: random.Random) -> list[list[str]]:
    steps: list[list[str]] = []
    while order:
        size = chances.randint(1, len(order))
        steps.append(order[:size])
        order = order[size:]
    return steps


@pytest.mark.slow
@SETTINGS
@given(history=histories, chances=st.randoms(use_true_random=False))
def test_load_points_order_and_batches_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    history: list[Extract],
    chances: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    manifests = write(RawStore(str(folder / "raw")), history)
    ids = [each.extract_id for each in manifests]
    shuffled = chances.sample(ids, len(ids))
    found: list[dict[str, Any]] = []
    for number, (steps, batch, some) in enumerate(
        [
            ([ids], 20_000, 50_000),
            (split(ids, chances), 2, 1),
            (split(shuffled, chances), 3, 2),
            ([shuffled], 3, 2),
        ]
    ):
        monkeypatch.setattr(changed, "_SLICE", some)
        monkeypatch.setattr(changed, "_BUCKETS", min(some, 2**14))
        monkeypatch.setattr(versions, "_VERSIONS_AT_ONCE", some)
        monkeypatch.setattr(loading, "_BATCH_RECORDS", batch)
        monkeypatch.setattr(loading, "_TRANSACTION_RECORDS", batch)
        with warehouse(folder / f"{number}.duckdb") as connection:
            # Made at once the first time, kept up with each step the others, of some at a time.
            load(connection, folder / "raw", steps, after_each=history_marts if number else None)
            found.append(contents(connection) | history_marts(connection))
    for other in found[1:]:
        for name, rows in found[0].items():
            assert other[name] == rows, name
    assert_model(found[0], manifests, history)


def assert_model(found: dict[str, Any], manifests: list[Manifest], history: list[Extract]) -> None:
    """Hold participants and groups against the rules, in loops that anybody can check by eye."""
    newest: dict[str, tuple[Any, ...]] = {}
    seen: dict[str, Any] = {}
    gone: dict[str, Any] = {}
    groups: dict[str, tuple[Any, str]] = {}
    read: dict[str, Any] = {}
    for manifest, extract in zip(manifests, history, strict=True):
        at = manifest.extracted_at
        if extract.feed == "reserved_entries":
            read[extract.partition] = at
            groups |= {json.loads(line)["id"]: (at, extract.partition) for line in extract.lines}
        if extract.feed == DELETIONS and extract.partition == "participants":
            gone |= {json.loads(line)["id"]: at for line in extract.lines}
        if extract.feed in ("participants", "race_participants"):
            for line in extract.lines:
                record = _read(line)
                if not record or not record.get("id"):
                    continue
                changed_at = parse_instant(record.get("updatedAt")) or START.replace(year=1)
                version = (bool(record.get("gdprRedacted")), changed_at, at)
                seen[record["id"]] = at
                if record["id"] not in newest or version >= newest[record["id"]][:3]:
                    newest[record["id"]] = (*version, str(record["bibNumber"]))
    names = _columns("participants")
    bib, deleted = names.index("bib_number"), names.index("deleted_at")
    assert {(row[0], str(row[bib]), row[deleted]) for row in found["participants"]} == {
        (name, version[3], gone[name] if gone.get(name, START) >= seen[name] else None)
        if name in gone
        else (name, version[3], None)
        for name, version in newest.items()
    }
    deleted = _columns("reserved_entry_groups").index("deleted_at")
    assert {(row[0], row[deleted] is None) for row in found["reserved_entry_groups"]} == {
        (name, read[event] == at) for name, (at, event) in groups.items()
    }


def _read(line: str) -> Any:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _columns(name: str) -> list[str]:
    from ldt_pipeline.tables import TABLES

    assert relation(TABLES[name])
    return list(TABLES[name].schema)


def test_an_id_with_every_kind_of_character(tmp_path: Path) -> None:
    """A tombstone finds its record, whatever the id looks like."""
    ids = ['a"b', "a\\b", "a/b", "..", "é", "a b", "'; DROP", "12", "\U0001f3c3", "x" * 300]
    entries = tuple(json.dumps({"id": each, "eventId": "e1"}) for each in ids)
    history = [
        Extract("participants", "2025-01", entries),
        Extract(DELETIONS, "participants", tuple(json.dumps({"id": each}) for each in ids)),
    ]
    write(RawStore(str(tmp_path / "raw")), history)
    with warehouse(tmp_path / "w.duckdb") as connection:
        loading.load_pending(connection, RawStore(str(tmp_path / "raw")))
        found = contents(connection)
    deleted = _columns("participants").index("deleted_at")
    assert {row[0] for row in found["participants"] if row[deleted] is not None} == set(ids)
