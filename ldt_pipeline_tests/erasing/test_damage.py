"""Erasing where files are damaged: what can't be read is not kept, and the book is never lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard

from ldt_pipeline.erasing import ledger, published, scan
from ldt_pipeline.erasing.book import Book, Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.erasing.forms import personal_texts, stub
from ldt_pipeline.erasing.healing import heal_book
from ldt_pipeline.erasing.published import _STAY
from ldt_pipeline.instants import now
from ldt_pipeline.raw import ERASURES
from ldt_pipeline.raw.extract_files import DATA_SUFFIX, MANIFEST_SUFFIX, DamagedExtractError
from ldt_pipeline.raw.quarantine import QUARANTINE, past_damage, waiting
from ldt_pipeline.tables import TABLES
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline_tests.cli.conftest import run_ldt
from ldt_pipeline_tests.erasing.everywhere import find
from ldt_pipeline_tests.erasing.test_reasons import ENTERED_AT, SECRETS, person
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.syncing import Account, assert_equals_truth

UNLUCKY = Subject(entity="participants", id="unlucky", reason=Reason.ASKED)


@contextmanager
def serve() -> Generator[OtherApi]:
    dataset = make_dataset(
        6, participants=40, applications=5, partners=3, groups=3, tickets=2, mass_update=4
    )
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
        person(api)
        yield api


@pytest.fixture
def api() -> Iterator[OtherApi]:
    with serve() as api:
        yield api


@pytest.fixture(scope="module")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a first sync: equal seeds make equal data, so it is made once."""
    folder = tmp_path_factory.mktemp("first") / "data"
    with serve() as api:
        Account.of(folder, api).sync()
    return folder


@pytest.fixture
def account(api: OtherApi, first_sync: Path, tmp_path: Path) -> Account:
    shutil.copytree(first_sync, tmp_path / "data")
    return Account.of(tmp_path / "data", api)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def extract_with(account: Account, text: bytes) -> Path:
    """Give the file of an extract of participants that holds a text."""
    for manifest in account.store.manifests("participants"):
        for batch in account.store.read(manifest, batch_records=100):
            if any(text in line for line in batch):
                folder = account.store.root / "participants" / f"updated_in={manifest.partition}"
                return Path(str(folder / f"{manifest.extract_id}{DATA_SUFFIX}"))
    raise AssertionError("nobody has it")


def test_a_damaged_extract_is_not_kept_by_an_erasure(account: Account, tmp_path: Path) -> None:
    path = extract_with(account, b"unlucky")
    with path.open("ab") as file:  # it can still be read, by whoever does not ask for its checksum
        file.write(zstandard.compress(b"{}"))
    assert find(path.parent, SECRETS)
    account.erase(UNLUCKY)
    assert waiting(account.store)
    assert list((tmp_path / "data" / "raw" / QUARANTINE).glob("*/about.json"))
    assert find(tmp_path / "data", SECRETS) == {}


@pytest.mark.parametrize("suffix", [DATA_SUFFIX, MANIFEST_SUFFIX])
def test_a_damaged_book_is_written_anew_from_the_warehouse(
    account: Account, api: OtherApi, tmp_path: Path, suffix: str
) -> None:
    account.erase(UNLUCKY)
    before = Book.read(account.store)
    (path,) = (tmp_path / "data" / "raw" / ERASURES).glob(f"*/*{suffix}")
    damage(path)
    with pytest.raises(DamagedExtractError):
        past_damage(account.store, lambda: Book.read(account.store))
    with open_warehouse(account.settings.warehouse_path) as connection:
        assert heal_book(connection, account.store)
        assert not heal_book(connection, account.store)
    assert Book.read(account.store) == before
    assert not waiting(account.store)
    api.touch("participants", "unlucky")
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}


def test_a_damaged_book_that_was_never_loaded_stops_everything(
    account: Account, tmp_path: Path
) -> None:
    account.erase(UNLUCKY)
    (path,) = (tmp_path / "data" / "raw" / ERASURES).glob(f"*/*{DATA_SUFFIX}")
    damage(path)
    account.settings.warehouse_path.unlink()
    with (
        open_warehouse(account.settings.warehouse_path) as connection,
        pytest.raises(DamagedExtractError, match="Restore its files from a backup"),
    ):
        heal_book(connection, account.store)
    assert path.exists()


def test_a_deleted_entry_of_a_damaged_extract_stays_nowhere(
    account: Account, api: OtherApi, tmp_path: Path
) -> None:
    api.delete("participants", "unlucky")
    account.sync()
    damage(extract_with(account, b"unlucky"))
    account = Account.of(tmp_path / "data", api, deleted_retention_days=0)
    account.erase()
    assert find(tmp_path / "data", SECRETS) == {}
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}
    assert_equals_truth(account, api.dataset)


def test_what_is_read_during_an_erasure_is_erased_by_the_next(
    account: Account, api: OtherApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading that began before knows nothing of the erasure, and may end in the middle of it."""
    record = api.dataset.get("participants", "unlucky")

    def look_through_and_then_arrive(*arguments: Any, **named: Any) -> Any:
        found = scan.look_through(*arguments, **named)
        writer = account.store.writer(
            feed="participants",
            partition_key="updated_in",
            partition=f"{record['updatedAt']:%Y-%m-%d}"[:7],
            extracted_at=now(),
            source={},
        )
        writer.append(body)
        writer.commit()
        return found

    (body,) = {
        line
        for manifest in account.store.manifests("participants")
        for batch in account.store.read(manifest, batch_records=100)
        for line in batch
        if b'"unlucky"' in line
    }
    with monkeypatch.context() as patch:
        patch.setattr("ldt_pipeline.erasing.erase.look_through", look_through_and_then_arrive)
        account.erase(UNLUCKY)
    assert find(tmp_path / "data", SECRETS), "it arrived too late"
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}


def test_who_is_erased_together_is_entered_together(
    account: Account, api: OtherApi, tmp_path: Path
) -> None:
    """Where the book could be written in half, the next sync would finish half of an erasure."""
    secret = "an.applicant@secret.example"
    template = next(each for each in api.dataset.live("applications") if not each["gdprRedacted"])
    answer = {"id": "q1", "label": "Email address", "value": secret}
    when = {"createdAt": ENTERED_AT, "updatedAt": ENTERED_AT}
    api.put("applications", {**template, **when, "id": "theirs", "fields": [answer]})
    account.sync()
    theirs = Subject(entity="applications", id="theirs", reason=Reason.ASKED)
    assert find(tmp_path / "data", {secret})
    blocking = account.settings.raw_dir / "erasures" / "of=applications"
    blocking.parent.mkdir()
    blocking.write_text("in the way")
    with suppress(OSError):
        account.erase(UNLUCKY, theirs)
    blocking.unlink()
    account.sync()
    assert find(tmp_path / "data", {secret, *SECRETS}) == {}


def test_whose_only_record_cannot_be_read_can_be_erased(account: Account, tmp_path: Path) -> None:
    """A record in another encoding is rejected, and the raw store holds it all the same."""
    secret = "somebody.else@secret.example"
    writer = account.store.writer(
        feed="participants",
        partition_key="updated_in",
        partition=f"{now():%Y-%m}",
        extracted_at=now(),
        source={},
    )
    record = {"id": "unreadable", "booker": {"name": "Zo\xeb", "email": secret}}
    writer.append(json.dumps(record, ensure_ascii=False).encode("latin-1"))
    writer.commit()
    account.load()
    with open_warehouse(account.settings.warehouse_path) as connection:
        assert connection.execute("SELECT record_id FROM ops.rejections").fetchall() == [
            ("unreadable",)
        ]
    settings = {"LDT_DATA_DIR": str(tmp_path / "data")}
    ran = run_ldt("erase", "participant", "unreadable", folder=tmp_path, settings=settings)
    assert "To be erased: participant unreadable (event ?, race ?)" in ran.out, ran.err
    account.erase(Subject(entity="participants", id="unreadable", reason=Reason.ASKED))
    assert find(tmp_path / "data", {secret}) == {}


@pytest.mark.parametrize("suffix", [DATA_SUFFIX, MANIFEST_SUFFIX])
def test_a_damaged_ledger_stops_no_erasure(account: Account, tmp_path: Path, suffix: str) -> None:
    """Whoever received an export that nothing is known of any more may have to be told, too."""
    ledger.enter(
        account.settings.ledger_dir,
        table="start_list",
        ids=["unlucky"] * 50,
        recipient="Chip Timing",
        file="list.csv",
        about={},
    )
    (path,) = account.settings.ledger_dir.glob(f"*/*/*{suffix}")
    damage(path)
    assert "damaged" in " ".join(account.erase(UNLUCKY).recipients)
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}


def test_a_published_file_that_somebody_writes_to_stops_no_erasure(
    account: Account, tmp_path: Path
) -> None:
    """A notebook that opens it without `read_only=True` keeps everybody else from it."""
    path = account.settings.published_path
    notebook = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert notebook.stdout
        assert notebook.stdout.readline() == "open\n"
        account.erase(UNLUCKY)
        assert find(tmp_path / "data", SECRETS) == {}
        assert account.rows(
            "SELECT is_redacted FROM start_list WHERE participant_id = 'unlucky'"
        ) == [(True,)]
    finally:
        notebook.communicate("\n")
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}


def test_too_little_memory_costs_no_published_file(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def without_memory(*_: Any) -> bool:
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")

    with monkeypatch.context() as patch:
        patch.setattr(published, "_make_without", without_memory)
        with pytest.raises(duckdb.OutOfMemoryException):
            account.erase(UNLUCKY)
    assert account.settings.published_path.exists()
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_published_file_that_is_damaged_stops_no_erasure(
    account: Account, tmp_path: Path, share: float
) -> None:
    path = account.settings.published_path
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    account.erase(UNLUCKY)
    assert not path.exists()
    assert find(tmp_path / "data", SECRETS) == {}
    account.sync()
    assert account.rows("SELECT is_redacted FROM start_list WHERE participant_id = 'unlucky'") == [
        (True,)
    ]


def test_tables_without_people_lose_nobody_else(account: Account) -> None:
    """The published file has views beside its tables, which an erasure keeps."""
    count = account.rows("SELECT count(*) FROM start_list_anonymous")
    account.erase(UNLUCKY)
    assert account.rows("SELECT count(*) FROM start_list_anonymous") == count
    assert account.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal") != []


def test_a_file_without_personal_data_can_lose_somebody(api: OtherApi, tmp_path: Path) -> None:
    account = Account.of(tmp_path / "data", api, publish_personal_data=False)
    account.sync()
    account.erase(UNLUCKY)
    account.sync()
    assert account.rows(
        "SELECT is_redacted FROM start_list_anonymous WHERE participant_id = 'unlucky'"
    ) == [(True,)]


def test_nothing_personal_stays_in_the_published_file() -> None:
    kept = {
        column.name
        for table in TABLES.values()
        for column in table.columns
        if column.personal
        and column.name in _STAY
        # Of these tables nobody is blanked: their rows are not people.
        and {"participant_id", "application_id"} & {each.name for each in table.columns}
    }
    assert kept == set()


def test_names_are_looked_for_as_tables_have_them() -> None:
    """A booker's two names are one text in tables and in whatever was made of them."""
    body = b'{"id":"1","booker":{"firstName":"Chloe ","lastName":"Turner"}}'
    assert "Chloe Turner" in personal_texts(body, stub(body, "1"))
