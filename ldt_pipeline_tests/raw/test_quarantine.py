"""What is damaged is moved away whole, counts no more, and is known until it has been read again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from upath import UPath

from ldt_pipeline.raw import DELETIONS, Manifest, RawStore
from ldt_pipeline.raw.quarantine import (
    QUARANTINE,
    all_set_aside,
    note_read_again,
    past_damage,
    waiting,
    waiting_of,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def write(store: RawStore, feed: str = "participants", partition: str = "2026-11") -> Manifest:
    key = "of" if feed == DELETIONS else "updated_in"
    writer = store.writer(
        feed=feed, partition_key=key, partition=partition, extracted_at=NOW, source={}
    )
    writer.append(b'{"id":"1"}')
    return writer.commit()


def read_all(store: RawStore) -> list[bytes]:
    return [
        record
        for manifest in store.manifests()
        for batch in store.read(manifest, batch_records=10)
        for record in batch
    ]


def files(root: Path, manifest: Manifest) -> tuple[Path, Path]:
    folder = root / manifest.feed / f"{manifest.partition_key}={manifest.partition}"
    name = manifest.extract_id
    return folder / f"{name}.ndjson.zst", folder / f"{name}.manifest.json"


@pytest.mark.parametrize("what", ["cut", "gone", "manifest", "another's manifest"])
def test_the_damaged_one_is_set_aside_and_the_others_are_read(tmp_path: Path, what: str) -> None:
    store = RawStore(str(tmp_path))
    damaged, sound = write(store), write(store, partition="2026-10")
    data, manifest = files(tmp_path, damaged)
    if what == "gone":
        data.unlink()
    elif what == "cut":
        data.write_bytes(data.read_bytes()[:-3])
    elif what == "manifest":
        manifest.write_bytes(b"{")
    else:
        manifest.write_bytes(files(tmp_path, sound)[1].read_bytes())
    assert past_damage(store, lambda: read_all(store)) == [b'{"id":"1"}']
    assert store.manifests() == [sound]
    assert store.extract_ids() == {sound.extract_id}
    (note,) = all_set_aside(store)
    assert (note.feed, note.folder) == ("participants", "updated_in=2026-11")
    assert note.extract_id == damaged.extract_id
    kept = tmp_path / QUARANTINE / damaged.extract_id
    assert (kept / manifest.name).exists()
    assert (kept / data.name).exists() == (what != "gone")
    assert not data.exists()
    for path in (tmp_path / QUARANTINE).rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_it_waits_until_it_was_read_again(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))
    for feed, partition in (("participants", "2026-11"), (DELETIONS, "participants")):
        files(tmp_path, write(store, feed, partition))[0].write_bytes(b"")
    assert past_damage(store, lambda: read_all(store)) == []
    assert len(waiting(store)) == 2
    assert len(waiting(store, "participants", "updated_in=2026-11")) == 1
    assert waiting(store, "participants", "updated_in=2026-10") == []
    assert [each.feed for each in waiting_of(store, "participants", set())] == [DELETIONS]
    assert waiting_of(store, "applications", {"event_applications"}) == []
    note_read_again(store, waiting(store, "participants"))
    assert [each.feed for each in waiting(store)] == [DELETIONS]
    assert len(all_set_aside(store)) == 2


def test_killed_between_the_moves_it_is_found_again(tmp_path: Path) -> None:
    """The manifest moves last: until then the extract counts, and its file is missing."""
    store = RawStore(str(tmp_path))
    damaged = write(store)
    data, manifest = files(tmp_path, damaged)
    data.write_bytes(b"")
    past_damage(store, lambda: read_all(store))
    (tmp_path / QUARANTINE / damaged.extract_id / manifest.name).rename(manifest)
    assert past_damage(store, lambda: read_all(store)) == []
    assert len(waiting(store)) == 1
    assert store.manifests() == []


def test_on_a_bucket() -> None:
    root = UPath("memory://quarantine-test/raw")
    store = RawStore(root)
    damaged = write(store)
    (path,) = root.glob("*/*=*/*.ndjson.zst")
    path.write_bytes(b"")
    assert past_damage(store, lambda: read_all(store)) == []
    assert [each.extract_id for each in waiting(store)] == [damaged.extract_id]
    root.fs.rm(root.path, recursive=True)


def test_another_error_is_not_swallowed(tmp_path: Path) -> None:
    def fail() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        past_damage(RawStore(str(tmp_path)), fail)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1}', b"\xff"])
def test_a_damaged_record_of_what_was_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    """Then what it tells of is read again."""
    store = RawStore(str(tmp_path))
    walks = tmp_path / "participants" / "walks"
    walks.mkdir(parents=True)
    for path in (walks / "tail.json", walks / "x.json", tmp_path / "participants" / "total.json"):
        path.write_bytes(content)
    assert store.walk("participants", "tail") is None
    assert store.walks("participants") == []
    assert store.total("participants") is None
    assert list(walks.iterdir()) == []
