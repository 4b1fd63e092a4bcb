"""Compacting changes no table, whatever the raw store holds, and whenever it is killed."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ldt_pipeline import compacting
from ldt_pipeline.compacting import NotCompactedError
from ldt_pipeline.erasing.book import Book, Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.erasing.erase import erase
from ldt_pipeline.erasing.healing import heal_book
from ldt_pipeline.raw import DELETIONS, leftovers, packing
from ldt_pipeline.raw.extract_files import ReplacedExtractError
from ldt_pipeline.raw.quarantine import all_set_aside, past_damage, waiting
from ldt_pipeline.warehouse.books import tombstones_of
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.schema import OutdatedWarehouseError
from ldt_pipeline_tests.compacted import ENTRY, Account, Forgetful, lines_of, simple
from ldt_pipeline_tests.warehouse.histories import Extract, histories, write


@pytest.mark.slow
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories, later=histories, drop=st.booleans(), twice=st.booleans())
def test_no_table_changes(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Extract],
    later: list[Extract],
    drop: bool,
    twice: bool,
) -> None:
    folder = tmp_path_factory.mktemp("compact")
    account = Account(folder, history)
    before = _without_drift(account.contents(), drop)
    if account.unfinished() or _is_due(account):
        erase(
            account.settings.model_copy(update={"deleted_retention_days": 100_000}), account.store
        )
        before = _without_drift(account.contents(), drop)
    account.compact(drop_superseded=drop)
    assert _without_drift(account.contents(), drop) == before
    assert _without_drift(account.rebuilt(folder / "r.duckdb"), drop) == before
    assert account.unfinished() == 0
    partitions = [(each.feed, each.partition) for each in account.store.manifests()]
    assert len(partitions) == len(set(partitions)), "one extract for each"
    if twice:
        write(account.store, later)
        account.load()
        erase(
            account.settings.model_copy(update={"deleted_retention_days": 100_000}), account.store
        )
        before = _without_drift(account.contents(), drop)
        account.compact(drop_superseded=drop)
        assert _without_drift(account.contents(), drop) == before
        assert _without_drift(account.rebuilt(folder / "r.duckdb"), drop) == before


def _is_due(account: Account) -> bool:
    with open_warehouse(account.settings.warehouse_path) as connection:
        rows = connection.execute("SELECT count(*) FROM ops.erasures_due").fetchall()
    return bool(rows[0][0])


def _without_drift(found: dict[str, list[Any]], drop: bool) -> dict[str, list[Any]]:
    """Versions that were dropped no longer tell of keys that only they had, nor of what changed."""
    dropped = ("schema_drift", "sightings", "past_versions") if drop else ()
    return {name: rows for name, rows in found.items() if name not in dropped}


def test_versions_stay_unless_they_are_dropped(tmp_path: Path) -> None:
    account = simple(tmp_path)
    done = account.compact()
    assert (done.extracts_before, done.extracts_after, done.dropped) == (3, 1, 0)
    assert lines_of(account) >= {b"first", b"second", b"third"}
    done = account.compact(drop_superseded=True)
    assert done.dropped == 2
    assert lines_of(account) & {b"first", b"second"} == set()
    assert account.compact(drop_superseded=True).partitions == [], "there is nothing more to do"


def test_history_goes_with_the_versions_that_are_dropped(tmp_path: Path) -> None:
    """What the warehouse tells of the past is what a rebuild tells: no more, and no less."""
    account = simple(tmp_path)
    before = account.contents()
    assert len(before["past_versions"]) == 2
    account.compact()
    assert account.contents() == before
    account.compact(drop_superseded=True)
    left = account.contents()
    assert left["past_versions"] == []
    assert len(left["sightings"]) == 2
    rebuilt = account.rebuilt(tmp_path / "r.duckdb")
    assert (left["past_versions"], left["sightings"]) == (
        rebuilt["past_versions"],
        rebuilt["sightings"],
    )


@pytest.mark.parametrize("drop", [False, True])
def test_a_dry_run_changes_nothing(tmp_path: Path, drop: bool) -> None:
    account = simple(tmp_path)
    before = {path: path.read_bytes() for path in account.files()}
    done = account.compact(drop_superseded=drop, dry_run=True)
    assert (done.extracts_before, done.dropped) == (3, 2 * drop)
    assert {path: path.read_bytes() for path in account.files()} == before
    assert not list(account.settings.data_dir.glob(".tmp-*"))


def test_nothing_is_deleted_when_the_proof_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is lost on the way: the proof has to notice."""
    account = simple(tmp_path)
    before = {path: path.read_bytes() for path in account.files()}

    monkeypatch.setattr(compacting, "_Dropping", Forgetful)
    with pytest.raises(NotCompactedError, match="participants"):
        account.compact(drop_superseded=True)
    assert {path: path.read_bytes() for path in account.files()} == before


def test_what_is_not_loaded_is_not_compacted(tmp_path: Path) -> None:
    account = simple(tmp_path)
    write(account.store, [Extract("partners", "2025-01", ('{"id":"p"}',))])
    with pytest.raises(NotCompactedError, match="ldt sync"):
        account.compact()


@pytest.mark.parametrize("drop", [False, True])
def test_what_is_damaged_is_not_compacted(tmp_path: Path, drop: bool) -> None:
    """It is set aside, and the next sync fetches it again; compacting ends, and says so."""
    account = simple(tmp_path)
    damaged = account.store.manifests("participants")[1]
    (path,) = account.settings.raw_dir.rglob(f"{damaged.extract_id}.ndjson.zst")
    path.write_bytes(path.read_bytes()[:-9])
    before = account.store.extract_ids()
    with pytest.raises(NotCompactedError, match=rf"{damaged.extract_id}.* checksum .*ldt sync"):
        account.compact(drop_superseded=drop)
    assert [each.extract_id for each in waiting(account.store)] == [damaged.extract_id]
    assert account.store.extract_ids() == before - {damaged.extract_id}
    assert not list(account.settings.data_dir.glob(".tmp-*"))


@pytest.mark.parametrize("calls", range(4))
@pytest.mark.parametrize("drop", [False, True])
def test_killed_while_it_is_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int, drop: bool
) -> None:
    account = simple(tmp_path)
    before = _without_drift(account.contents(), drop)
    left = calls

    def remove(path: Any) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        leftovers.remove_extract(path)

    def put_in_place(*arguments: Any) -> None:
        monkeypatch.setattr(packing, "remove_extract", remove)
        packing.put_in_place(*arguments)

    monkeypatch.setattr(compacting, "put_in_place", put_in_place)
    with pytest.raises(KeyboardInterrupt) if calls < 3 else nullcontext():
        account.compact(drop_superseded=drop)
    monkeypatch.setattr(packing, "remove_extract", leftovers.remove_extract)
    if drop and calls < 3:
        account.settings.warehouse_path.unlink()  # as the next sync does with another version's
    account.load()
    assert _without_drift(account.contents(), drop) == before
    assert _without_drift(account.rebuilt(tmp_path / "r.duckdb"), drop) == before
    erase(account.settings.model_copy(update={"deleted_retention_days": 100_000}), account.store)
    assert account.unfinished() == 0
    assert _without_drift(account.contents(), drop) == before
    assert _without_drift(account.rebuilt(tmp_path / "r.duckdb"), drop) == before
    ids = account.store.extract_ids()
    assert len(ids) == 3
    assert len(account.files()) == 6


def test_killed_before_it_forgot_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warehouse would tell what the raw store tells no longer: it counts as another version's."""
    account = simple(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compacting, "_forget_history", killed)
        with pytest.raises(KeyboardInterrupt):
            account.compact(drop_superseded=True)
    with pytest.raises(OutdatedWarehouseError):
        account.load()
    account.settings.warehouse_path.unlink()  # as the next sync does
    account.load()
    assert account.contents() == account.rebuilt(tmp_path / "r.duckdb")
    assert account.contents()["past_versions"] == []


def test_what_a_killed_one_left_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every process may have the same number."""
    account = simple(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(compacting, "remove_database", lambda _: None)
        patch.setattr(compacting, "put_in_place", lambda *_: None)
        account.compact(dry_run=True)
    left = list(account.settings.data_dir.glob(".tmp-compact-*"))
    assert left

    monkeypatch.setattr(compacting, "_Dropping", Forgetful)
    with pytest.raises(NotCompactedError, match="participants"):
        account.compact(drop_superseded=True)
    assert not list(account.settings.data_dir.glob(".tmp-*"))


def test_what_arrives_meanwhile_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = simple(tmp_path)
    real = compacting._pack

    def pack_and_then_arrive(*arguments: Any) -> Any:
        late = Extract("participants", "2025-01", (ENTRY % ("late", 4, "late"),))
        write(account.store, [late])
        return real(*arguments)

    monkeypatch.setattr(compacting, "_pack", pack_and_then_arrive)
    assert account.compact().extracts_after == 1
    account.load()
    assert account.contents() == account.rebuilt(tmp_path / "r.duckdb")
    assert "late" in repr(account.contents()["participants"])


def test_a_warehouse_of_a_backup_reads_the_parts_that_it_lacks_alone(tmp_path: Path) -> None:
    """What isn't known by its record, such as how often a key was met, would count twice."""
    odd = Extract("participants", "2025-01", ('{"id":"c","news":1}', "17"))
    account = Account(tmp_path, [odd])
    backup = shutil.copy(account.settings.warehouse_path, tmp_path / "backup")
    write(account.store, [Extract("participants", "2025-01", (ENTRY % ("d", 1, "d"),))])
    account.load()
    assert account.compact().extracts_after == 1
    shutil.copy(backup, account.settings.warehouse_path)
    account.load()
    assert account.contents() == account.rebuilt(tmp_path / "r.duckdb")


def test_what_was_compacted_since_it_was_listed_is_not_damaged(tmp_path: Path) -> None:
    account = simple(tmp_path)
    listed = account.store.manifests("participants")
    account.compact()
    with pytest.raises(ReplacedExtractError):
        list(account.store.read(listed[0], batch_records=9))
    seen: list[int] = []

    def read() -> list[bytes]:
        manifests = account.store.manifests("participants") if seen else listed
        seen.append(len(manifests))
        return [
            line
            for each in manifests
            for batch in account.store.read(each, batch_records=9)
            for line in batch
        ]

    assert len(past_damage(account.store, read)) == 5
    assert seen == [3, 1]
    assert not all_set_aside(account.store)


def test_a_damaged_book_is_written_anew_although_it_was_compacted(tmp_path: Path) -> None:
    account = simple(tmp_path)
    keeping = account.settings.model_copy(update={"deleted_retention_days": 100_000})
    for name in ("a", "b"):
        erase(
            keeping, account.store, [Subject(entity="participants", id=name, reason=Reason.ASKED)]
        )
    account.compact()
    book = Book.read(account.store)
    (path,) = account.settings.raw_dir.glob("erasures/*/*.zst")
    path.write_bytes(path.read_bytes()[:-9])
    with open_warehouse(account.settings.warehouse_path) as connection:
        assert heal_book(connection, account.store)
    assert Book.read(account.store) == book


def test_tombstones_of_a_damaged_pack_are_known(tmp_path: Path) -> None:
    account = simple(tmp_path)
    write(account.store, [Extract(DELETIONS, "participants", ('{"id":"a"}',))])
    account.load()
    account.compact()
    (pack,) = account.store.manifests(DELETIONS)
    with open_warehouse(account.settings.warehouse_path) as connection:
        found = tombstones_of(connection, pack.extract_id)
    assert sorted(each for ids in found.values() for each in ids) == ["a", "b"]


def test_an_erasure_reaches_into_what_was_compacted(tmp_path: Path) -> None:
    account = simple(tmp_path)
    backup = tmp_path / "backup"
    shutil.copytree(account.settings.raw_dir, backup)
    account.compact()
    keeping = account.settings.model_copy(update={"deleted_retention_days": 100_000})
    erase(
        keeping,
        account.store,
        [Subject(entity="participants", id="a", reason=Reason.ASKED)],
    )
    assert lines_of(account) == {b"other"}
    assert account.contents() == account.rebuilt(tmp_path / "r.duckdb")
    # An old backup, from before it was compacted, comes back.
    shutil.copytree(backup, account.settings.raw_dir, dirs_exist_ok=True)
    assert account.unfinished() > 0
    erase(keeping, account.store)
    assert account.unfinished() == 0
    assert lines_of(account) == {b"other"}
    assert account.contents() == account.rebuilt(tmp_path / "r.duckdb")


def test_what_was_compacted_again_stays_replaced(tmp_path: Path) -> None:
    """A backup may be older than the compaction before the last, or the one before that."""
    account = simple(tmp_path)
    backups: list[Path] = []
    for number in range(3):
        backups.append(tmp_path / f"backup-{number}")
        shutil.copytree(account.settings.raw_dir, backups[-1])
        account.compact()
        later = ENTRY % (f"later-{number}", 5, "later")
        write(account.store, [Extract("participants", "2025-01", (later,))])
        account.load()
    keeping = account.settings.model_copy(update={"deleted_retention_days": 100_000})
    erase(keeping, account.store, [Subject(entity="participants", id="a", reason=Reason.ASKED)])
    left, tables = lines_of(account), account.contents()
    for backup in backups:
        shutil.copytree(backup, account.settings.raw_dir, dirs_exist_ok=True)
        assert account.unfinished() > 0
        assert account.contents() == account.rebuilt(tmp_path / "r.duckdb") == tables
        erase(keeping, account.store)
        assert account.unfinished() == 0
        assert lines_of(account) == left
        assert account.contents() == account.rebuilt(tmp_path / "r.duckdb") == tables
