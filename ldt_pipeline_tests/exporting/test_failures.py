"""Exports that fail or are killed, anywhere: a change may come twice, and is never lost."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from ldt_pipeline.erasing import ledger
from ldt_pipeline_tests.exporting.lists import (
    make_tables,
    people,
    put,
    read_rows,
    row,
    run,
)


class KilledError(BaseException):
    """Stands for a kill: nothing that handles errors handles it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Stop at a step: before or after a file gets into its place, those of the ledger too."""
    steps = 0
    replace = os.replace

    def stepping(*paths: Any) -> None:
        nonlocal steps
        if steps == step:
            raise KilledError
        replace(*paths)
        if steps + 1 == step:
            raise KilledError
        steps += 2

    with mock.patch("os.replace", stepping):
        yield


def ids(path: Path) -> list[str]:
    return [each["participant_id"] for each in read_rows(path, "csv")]


@pytest.mark.parametrize("step", range(9))
def test_a_change_is_sent_though_the_export_before_was_killed(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, step: int
) -> None:
    put(database, [row("a"), row("b")])
    run(database, tmp_path, "csv")
    put(database, [row("a", bib_number="8"), row("b")], 1)
    is_over = step == 8  # the ledger's data and manifest, the list and the mark have two steps each
    with killed_at(step):
        if is_over:
            run(database, tmp_path, "csv", changes_only=True)
        else:
            with pytest.raises(KilledError):
                run(database, tmp_path, "csv", changes_only=True)
    again = ids(run(database, tmp_path, "csv", changes_only=True))
    assert again == ([] if step >= 7 else ["a"])


def test_what_was_sent_without_anybody_knowing_is_taken_back(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a"), row("b")])
    run(database, tmp_path, "csv")
    put(database, [row("a", bib_number="8"), row("c", bib_number="9")], 1)
    with killed_at(6), pytest.raises(KilledError):
        run(database, tmp_path, "csv", changes_only=True)
    put(database, [row("a"), row("b")], 2)
    found = read_rows(run(database, tmp_path, "csv", changes_only=True), "csv")
    assert [(each["participant_id"], each["change"]) for each in found] == [
        *(("a", "changed"), ("b", "changed"), ("c", "withdrawn")),
    ]
    assert ids(run(database, tmp_path, "csv", changes_only=True)) == []


def test_a_full_disk_leaves_nothing_in_the_ledger(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a")])
    run(database, tmp_path, "csv")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        mock.patch("ldt_pipeline.exporting.race_lists.flush", side_effect=full),
        pytest.raises(OSError, match="No space"),
    ):
        run(database, tmp_path, "csv", changes_only=True)
    assert len(ledger.receipts(tmp_path / "ledger")) == 1


def test_an_upload_that_fails(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    put(database, [row("a")])
    options: dict[str, Any] = {"target": UPath("memory://bucket/changes.csv")}
    run(database, tmp_path, "csv", **options)
    put(database, [row("a", bib_number="8")], 1)
    refused = OSError(errno.EACCES, "refused")
    with (
        mock.patch("fsspec.implementations.memory.MemoryFile.close", side_effect=refused),
        pytest.raises(OSError, match="refused"),
    ):
        run(database, tmp_path, "csv", changes_only=True, **options)
    # Whom to tell of an erasure: somebody may have it.
    assert len(ledger.received(tmp_path / "ledger", {"a"})["a"]) == 2
    run(database, tmp_path, "csv", changes_only=True, **options)
    assert ",8," in options["target"].read_text()


def test_nothing_reaches_a_bucket_that_the_ledger_refused(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(database, [row("a")])
    target = UPath("memory://bucket/refused.csv")
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(OSError, match="directory"):
        run(database, tmp_path, "csv", target=target)
    assert not target.exists()


attempts = st.tuples(people, st.integers(0, 10), st.booleans())


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=people, tries=st.lists(attempts, max_size=4), last=people)
def test_changes_add_up_whatever_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, Any],
    tries: list[tuple[dict[str, Any], int, bool]],
    last: dict[str, Any],
) -> None:
    """A recipient who takes in each file, and perhaps those of killed exports, has the list."""
    folder = tmp_path_factory.mktemp("killed")
    held: dict[str, tuple[str, str]] = {}
    with duckdb.connect() as connection:
        make_tables(connection)
        for number, (state, step, is_sent) in enumerate(
            [(first, 99, True), *tries, (last, 99, True)]
        ):
            rows = [row(key, bib_number=bib, first_name=n) for key, (bib, n) in state.items()]
            put(connection, rows, number)
            target = folder / f"{number}.csv"
            with killed_at(step):
                try:
                    run(connection, folder, "csv", changes_only=number > 0, target=UPath(target))
                    is_over = True
                except KilledError:
                    is_over = False
            if target.exists() and (is_over or is_sent):
                for each in read_rows(target, "csv"):
                    key = each["participant_id"]
                    if each.get("change") == "withdrawn":
                        held.pop(key, None)
                    else:
                        held[key] = (each["bib_number"], each["first_name"])
    assert held == {key: (bib or "", name or "") for key, (bib, name) in last.items()}


def test_a_clock_that_goes_back_does_not_hide_the_last_export(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    noon = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)

    def at(hours: float, names: str, moment: int, **options: Any) -> Path:
        put(database, [row(name) for name in names], moment)
        moment_of_export = noon + dt.timedelta(hours=hours)
        with mock.patch("ldt_pipeline.erasing.ledger.now", return_value=moment_of_export):
            return run(database, tmp_path, "csv", **options)

    at(0, "a", 0)
    at(-5, "ab", 1, changes_only=True)
    at(-4, "abc", 2, changes_only=True)
    found = read_rows(at(0.5, "a", 3, changes_only=True), "csv")
    assert [(each["participant_id"], each["change"]) for each in found] == [
        *(("b", "withdrawn"), ("c", "withdrawn"))
    ]
    assert ids(at(0.6, "a", 4, changes_only=True)) == []


def test_an_edited_layout_sends_its_rows_anew(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    layout = (
        "{description: x, format: csv, columns: [{name: participant_id, from: participant_id}, "
        "{name: Sex, from: gender, values: {Female: %s}}]}"
    )
    put(database, [row("a"), row("b")])
    (tmp_path / "own.yaml").write_text(layout % "w")
    run(database, tmp_path, "own")
    assert read_rows(run(database, tmp_path, "own", changes_only=True), "own", tmp_path) == []
    (tmp_path / "own.yaml").write_text(layout % "f")
    found = read_rows(run(database, tmp_path, "own", changes_only=True), "own", tmp_path)
    assert [each["Sex"] for each in found] == ["f", "f"]
