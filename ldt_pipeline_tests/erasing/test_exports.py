"""Exports that an erased person is in go, though nothing in their bytes tells who it is."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from upath import UPath

from ldt_pipeline.erasing import ledger
from ldt_pipeline.erasing.book import Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.erasing.meanwhile import ErasedMeanwhileError, Reading
from ldt_pipeline.erasing.traces import delete_files
from ldt_pipeline.exporting.presets import Preset, PresetColumn
from ldt_pipeline.exporting.race_lists import export
from ldt_pipeline.exporting.reading import listed
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline_tests.erasing.test_damage import UNLUCKY, serve
from ldt_pipeline_tests.syncing import Account

NAMES_ALONE = Preset(
    description="what a club wants",
    name="club",
    format="csv",
    columns=(
        PresetColumn(name="First", from_="first_name"),
        PresetColumn(name="Last", from_="last_name"),
    ),
)
ROW = b"participant_id,name\r\nabc-123,Ann\r\n"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with serve() as api:
        account = Account.of(tmp_path_factory.mktemp("exports") / "data", api)
        account.sync()
        yield account


def write_list(account: Account, path: Path, race_id: str) -> None:
    with connect(account.settings.published_path, read_only=True) as connection:
        export(
            connection,
            listed(connection, race_id),
            preset=NAMES_ALONE,
            target=UPath(path),
            ledger_dir=account.settings.ledger_dir,
            recipient=None,
            about={"race_id": race_id},
        )


def test_a_list_of_names_alone_goes_by_the_ledger(account: Account) -> None:
    ((race_id,),) = account.rows("SELECT race_id FROM start_list WHERE participant_id = 'unlucky'")
    ((other_id,), *_) = account.rows(
        f"SELECT race_id FROM start_list WHERE race_id <> '{race_id}' GROUP BY 1 ORDER BY 1"
    )
    data = account.settings.data_dir
    theirs = [data / "exports" / "club.csv", data / "club.csv", data / "exports" / "late.csv"]
    others = [data / "exports" / "other.csv", data / "exports" / "again.csv"]
    for path in theirs:
        write_list(account, path, race_id)
    beside = data / "exports" / "club-withdrawn.csv"
    beside.write_text("First,Last\r\n")
    ids = [ledger.Sent(id="unlucky", gone=True)]
    written_again = data / "exports" / "again.csv"
    write_list(account, written_again, race_id)
    for path in others:
        write_list(account, path, other_id)
    # Begun and never in place: what lies there is the one before.
    ledger.enter(
        account.settings.ledger_dir, table="start_list", ids=["somebody"], recipient=None,
        file=str(theirs[2]), about={"race_id": other_id},
    )  # fmt: skip
    ledger.enter(
        account.settings.ledger_dir, table="start_list", ids=ids, recipient=None,
        file=str(theirs[0]), about={"race_id": race_id, "kind": "changes"},
    )  # fmt: skip
    erased = account.erase(UNLUCKY)
    assert sorted(erased.exports) == sorted([*theirs, beside])
    assert [path for path in (*theirs, beside) if path.exists()] == []
    assert [path for path in others if path.exists()] == others


def test_exports_may_lie_behind_a_link(account: Account, tmp_path: Path) -> None:
    """A folder that others share, say: what is in `data/exports/` is ours wherever it lies."""
    exports = account.settings.exports_dir
    lists = [exports / "club.csv", exports / "a" / "club.csv", exports / "b" / "club.csv"]
    by_hand = exports / "a" / "by-hand.csv"
    if exports.exists():
        exports.rename(tmp_path / "before")
    for folder in ("shared", "deeper"):
        (tmp_path / folder).mkdir()
    exports.symlink_to(tmp_path / "shared")
    (exports / "a").mkdir()
    (exports / "b").symlink_to(tmp_path / "deeper")
    ((race_id, person),) = account.rows(
        "SELECT race_id, max(participant_id) FROM start_list WHERE NOT is_redacted "
        "AND participant_id <> 'unlucky' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    )
    for path in lists:
        write_list(account, path, race_id)
    by_hand.write_text(f"participant_id\n{person}\n")
    other = exports / "b" / "other.csv"
    other.write_text(f"participant_id\n{person}\n")
    try:
        account.erase(Subject(entity="participants", id=person, reason=Reason.ASKED))
        assert [path for path in (*lists, by_hand) if path.exists()] == []
        assert other.exists(), "what we didn't put behind a link of its own isn't ours"
    finally:
        exports.unlink()


def test_a_list_that_was_read_before_an_erasure_does_not_stay(account: Account) -> None:
    ((race_id, person), (_, other)) = account.rows(
        """
        SELECT race_id, unnest(max(participant_id, 2)) FROM start_list
        WHERE NOT is_redacted GROUP BY 1 HAVING count(*) > 2 ORDER BY 1 LIMIT 2
        """
    )
    path = account.settings.exports_dir / "meanwhile.csv"
    for subject in (person, other):
        reading = Reading.begin(account.settings)
        with connect(account.settings.published_path, read_only=True) as connection:
            rows = listed(connection, race_id)
            account.erase(Subject(entity="participants", id=subject, reason=Reason.ASKED))
            if subject == other:
                rows = [row for row in rows if row["participant_id"] != other]
            put = partial(
                export,
                connection,
                rows,
                preset=NAMES_ALONE,
                target=UPath(path),
                ledger_dir=account.settings.ledger_dir,
                recipient=None,
                about={"race_id": race_id},
                reading=reading,
            )
            if subject == person:
                with pytest.raises(ErasedMeanwhileError):
                    put()
                assert not path.exists()
            else:
                put()
                assert path.exists(), "whoever was erased is not in it"


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def encrypted(archive: bytes) -> bytes:
    """Give an archive whose one file says that it needs a password."""
    content = bytearray(archive)
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        ROW.decode().encode("utf-16-le"),
        ROW.decode().encode("utf-16-be"),
        ROW.decode().encode("utf-32"),
        bz2.compress(ROW),
        zipped(list=zipped(sheet=ROW)),
        gzip.compress(zipped(sheet=ROW * 50)),
    ],
    ids=["utf-16-le", "utf-16-be", "utf-32", "bz2", "xlsx in zip", "zip in gzip"],
)
def test_packed_or_encoded_as_somebody_liked(tmp_path: Path, content: bytes) -> None:
    path, other = tmp_path / "list", tmp_path / "other"
    path.write_bytes(content)
    other.write_bytes(zipped(list=zipped(sheet=ROW.replace(b"abc-123", b"abc-1234"))))
    assert delete_files(tmp_path, ids={"abc-123"}, texts=()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        encrypted(zipped(sheet=ROW)),
        zipped(sheet=ROW * 50).replace(b"sheet", b"shEet", 1),
        gzip.compress(ROW * 50)[:-20],
        gzip.compress(ROW * 50)[:12] + b"\xff" * 40,
        b"PAR1\x15\x04" + b"\x00" * 100,
    ],
    ids=["encrypted", "damaged zip", "cut gzip", "damaged gzip", "cut parquet"],
)
def test_what_cannot_be_looked_into_goes_and_stops_no_erasure(
    tmp_path: Path, content: bytes
) -> None:
    path, later = tmp_path / "a", tmp_path / "b"
    path.write_bytes(content)
    later.write_bytes(ROW)
    assert delete_files(tmp_path, ids={"abc-123"}, texts=()) == [path, later]


def test_a_copy_of_the_published_file(tmp_path: Path) -> None:
    """DuckDB packs its columns: no byte of the file says what is in them."""
    path = tmp_path / "copy.duckdb"
    with connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'abc-' || range AS id FROM range(50000)")
    assert b"abc-49123" not in path.read_bytes()
    assert delete_files(tmp_path, ids={"abc-50000"}, texts=()) == []
    assert delete_files(tmp_path, ids={"abc-49123"}, texts=()) == [path]


@pytest.mark.parametrize(
    "content", [b"PK,name\r\n1,Ann\r\n", b"PAR1,PAR2\r\n3,4\r\n", b"BZh,1\r\n", b""]
)
def test_text_that_begins_as_an_archive_does_stays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    assert delete_files(tmp_path, ids={"abc-123"}, texts=()) == []
