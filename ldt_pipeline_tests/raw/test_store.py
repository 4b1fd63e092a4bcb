"""Extracts: what was written comes back byte for byte, counts once whole, and damage is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from ldt_pipeline.api.answers import one_line, parse_page
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.packing import parts_of, put_in_place, write_pack

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RawStore]:
    """On a disk, and on something that is like a bucket."""
    if request.param == "local":
        yield RawStore(str(tmp_path / "raw"))
    else:
        root = UPath(f"memory://{tmp_path.name}/raw")
        yield RawStore(root)
        if root.exists():
            root.fs.rm(root.path, recursive=True)


def write(
    store: RawStore, records: list[bytes], *, partition: str = "2026-11", at: datetime = NOW
) -> Manifest:
    writer = store.writer(
        feed="participants",
        partition_key="updated_in",
        partition=partition,
        extracted_at=at,
        source={"path": "/participants"},
    )
    for record in records:
        writer.append(record, at)
    return writer.commit()


def read(store: RawStore, manifest: Manifest, size: int = 2) -> list[bytes]:
    batches = list(store.read(manifest, batch_records=size))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(len(batch) <= size for batch in batches[-1:])
    return [record for batch in batches for record in batch]


def test_records_come_back_that_are_compressed_in_several_pieces(store: RawStore) -> None:
    records = [b'{"id":"%d","name":"%b"}' % (n, b"x" * (1 << n)) for n in range(18)]
    manifest = write(store, records)
    assert manifest.records == len(records)
    assert read(store, manifest, size=5) == records


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_records_come_back(store: RawStore, count: int) -> None:
    records = [b'{"id":"%d","name":"J\xc3\xb6"}' % number for number in range(count)]
    manifest = write(store, records)
    assert manifest.records == count
    assert store.manifests() == store.manifests("participants") == [manifest]
    assert store.manifests("partners") == []
    assert store.manifests(without={manifest.extract_id}) == []
    assert store.extract_ids() == {manifest.extract_id}
    assert read(store, manifest) == records


def test_records_that_fill_more_than_is_compressed_at_once(store: RawStore) -> None:
    """They are gathered, and none may stay behind or come twice."""
    records = [b'{"id": %d, "a": "%s"}' % (number, b"x" * 3_000) for number in range(300)]
    records[150] = b'{"id": 150, "a": "%s"}' % (b"x" * 1_000_000)
    manifest = write(store, records)
    assert manifest.records == 300
    assert [each for batch in store.read(manifest, batch_records=100) for each in batch] == records


def test_an_extract_that_rested(store: RawStore) -> None:
    """What compressing takes was given back, and more came after all."""
    writer = store.writer(
        feed="participants",
        partition_key="updated_in",
        partition="2026-11",
        extracted_at=NOW,
        source={},
    )
    writer.rest()
    for number in (1, 2):
        writer.append(b'{"id":%d}' % number)
        writer.rest()
        writer.rest()
    writer.append(b'{"id":3}')
    assert read(store, writer.commit()) == [b'{"id":1}', b'{"id":2}', b'{"id":3}']


def test_an_abandoned_extract_leaves_nothing_that_counts(store: RawStore) -> None:
    writer = store.writer(
        feed="partners", partition_key="updated_in", partition="x", extracted_at=NOW, source={}
    )
    writer.append(b"{}")
    writer.abandon(RuntimeError("stop"))
    assert store.manifests() == []


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.binary().map(lambda each: each.replace(b"\n", b"")), max_size=12))
def test_any_bytes_but_line_breaks(tmp_path: Path, records: list[bytes]) -> None:
    store = RawStore(str(tmp_path / "raw"))
    assert read(store, write(store, records), 3) == records


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\r"])
def test_a_record_that_is_spread_over_lines(tmp_path: Path, line_break: bytes) -> None:
    """Line breaks stand between tokens only: JSON writes those inside a text with a backslash."""
    pretty = b'{%s  "id": "a\\nb",%s  "tags": [%s]%s}' % ((line_break,) * 4)
    page = parse_page(b'{"data": [%s]}' % pretty, where="x", server_time=None)
    store = RawStore(str(tmp_path))
    (record,) = read(store, write(store, page.records))
    assert b"\n" not in record
    assert b"\r" not in record
    assert b'"a\\nb"' in record
    assert one_line(record) == record


@pytest.mark.parametrize(
    "hostile",
    [
        *("../x", "a/b", "/etc", "..", ".", "", " ", "a'b", 'a"b', "a\\b", "~", "-rf", "*", "[a]"),
        *("COM1", "a:b", "a%2Fb", "%", "a\nb", "événement", "\U0001f3c3", "x" * 300, "é" * 300),
    ],
)
def test_hostile_partitions_stay_in_their_folder(tmp_path: Path, hostile: str) -> None:
    root = tmp_path / "deep" / "raw"
    store = RawStore(str(root))
    manifest = write(store, [b"{}"], partition=hostile)
    others = write(store, [b"{}"], partition="other")
    assert store.manifests() == sorted([manifest, others], key=lambda each: each.extract_id)
    assert manifest.partition == hostile
    assert read(store, manifest) == [b"{}"]
    assert store.has_partition("participants", "updated_in", hostile)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 4
    assert {path.parent.parent for path in written} == {root / "participants"}


def test_long_partitions_that_begin_alike_lie_apart(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))
    first, second = (write(store, [b"{}"], partition="x" * 300 + each) for each in "ab")
    for each in (first, second):
        assert store.manifests_in("participants", "updated_in", each.partition) == [each]


def test_a_manifest_says_between_which_changes_its_records_lie(store: RawStore) -> None:
    """By it extracts are left out, unread, in which nothing can be known of newer records."""
    writer = store.writer(
        feed="participants",
        partition_key="updated_in",
        partition="2026-11",
        extracted_at=NOW,
        source={},
    )
    for minutes in (2, 3, None, 0, 1):
        writer.append(b"{}", None if minutes is None else NOW + timedelta(minutes=minutes))
    manifest = writer.commit()
    assert manifest.oldest_updated_at == NOW
    assert manifest.newest_updated_at == NOW + timedelta(minutes=3)


@pytest.mark.parametrize("batch_records", range(1, 8))
def test_records_are_known_by_the_parts_that_they_were_in(
    batch_records: int, tmp_path: Path
) -> None:
    """However batches and parts lie across each other, and though parts are empty."""
    store = RawStore(str(tmp_path))
    sizes = [0, 2, 0, 0, 3, 1, 0]
    extracts = [
        write(store, [b"%d" % number] * size, at=NOW + timedelta(minutes=number))
        for number, size in enumerate(sizes)
    ]
    pack = write_pack(
        store,
        extracts,
        (
            (part, (line for _, line in lines))
            for extract in extracts
            for part, lines in parts_of(store, extract)
        ),
    )
    put_in_place(store, [pack])
    (manifest,) = store.manifests()
    assert manifest.extracted_at == extracts[-1].extracted_at
    assert manifest.oldest_updated_at == extracts[1].extracted_at
    assert manifest.newest_updated_at == extracts[5].extracted_at
    found = [
        (part.extract_id, before + number, line)
        for part, before, lines in store.read_parts(manifest, batch_records=batch_records)
        for number, line in enumerate(lines)
    ]
    assert found == [
        (extract.extract_id, line, b"%d" % number)
        for number, extract in enumerate(extracts)
        for line in range(sizes[number])
    ]
    numbered = [number for _, lines in parts_of(store, manifest) for number, _ in lines]
    assert numbered == [1, 2, 1, 2, 3, 1]


def test_what_a_crash_left_is_not_there(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))
    manifest = write(store, [b"{}"])
    folder = tmp_path / "participants" / "updated_in=2026-11"
    (folder / ".tmp-0123").write_bytes(b"half")
    (folder / "20260101T000000000000Z-00000000.ndjson.zst").write_bytes(b"no manifest")
    (tmp_path / "participants" / "walks").mkdir()
    (tmp_path / "participants" / "walks" / ".tmp-4567").write_bytes(b"half")
    assert store.manifests() == [manifest]
    assert store.walks("participants") == []


def data_file(tmp_path: Path) -> Path:
    (path,) = tmp_path.rglob("*.ndjson.zst")
    return path


@pytest.mark.parametrize(
    "damage", ["gone", "truncated", "flipped", "longer", "empty", "another", "two in one"]
)
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    store = RawStore(str(tmp_path))
    manifest = write(store, [os.urandom(40).hex().encode() for _ in range(500)])
    path = data_file(tmp_path)
    content = path.read_bytes()
    other = RawStore(str(tmp_path / "other"))
    write(other, [b"{}"] * 500)
    damaged = {
        "truncated": content[:-7],
        "flipped": content[:99] + bytes([content[99] ^ 4]) + content[100:],
        "longer": content + b"more",
        "empty": b"",
        "another": data_file(tmp_path / "other").read_bytes(),
        "two in one": content + content,
    }
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    with pytest.raises(DamagedExtractError, match=manifest.extract_id) as raised:
        read(store, manifest, 10)
    assert "updated_in=2026-11" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    store = RawStore(str(tmp_path))
    manifest = write(store, [b"{}"])
    (path,) = tmp_path.rglob("*.manifest.json")
    path.write_bytes(content)
    with pytest.raises(DamagedExtractError, match=manifest.extract_id):
        store.manifests()


@pytest.mark.parametrize(
    ("name", "other"),
    [("feed", "partners"), ("partition", "2026-12"), ("extract_id", "x"), ("records", 2)],
)
def test_a_manifest_in_which_one_value_was_damaged_is_named(
    tmp_path: Path, name: str, other: object
) -> None:
    """It is good JSON still: records would be taken for others, or fewer for all."""
    store = RawStore(str(tmp_path))
    manifest = write(store, [b"{}"] * 3)
    (path,) = tmp_path.rglob("*.manifest.json")
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), name: other}).encode())
    with pytest.raises(DamagedExtractError, match=manifest.extract_id) as raised:
        read(store, *store.manifests())
    assert path in raised.value.paths, "else it can't be set aside, and is found damaged for ever"


def test_files_are_private(tmp_path: Path) -> None:
    write(RawStore(str(tmp_path / "raw")), [b"{}"])
    for path in (tmp_path / "raw").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
