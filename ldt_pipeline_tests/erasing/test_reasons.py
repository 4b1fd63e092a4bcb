"""Why people are erased: by the API's redaction, its deletion, by retention, or as somebody asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.erasing import ledger
from ldt_pipeline.erasing.book import Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.raw import RawStore
from ldt_pipeline.sync.state import read_state
from ldt_pipeline_tests.erasing.everywhere import find
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.syncing import Account, assert_equals_truth

SECRETS = {"first.last@secret.example", "Firstname-of-nobody-else", "Quite a secret illness"}
ENTERED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@contextmanager
def serve() -> Generator[OtherApi]:
    dataset = make_dataset(
        5, participants=60, applications=10, partners=4, groups=4, tickets=3, mass_update=9
    )
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
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
        person(api)
        Account.of(folder, api).sync()
    return folder


@pytest.fixture
def record(api: OtherApi) -> dict[str, Any]:
    """Somebody who has entered."""
    return person(api)


@pytest.fixture
def account(api: OtherApi, record: dict[str, Any], first_sync: Path, tmp_path: Path) -> Account:
    """A data folder that holds them."""
    shutil.copytree(first_sync, tmp_path / "data")
    return Account.of(tmp_path / "data", api)


def person(api: OtherApi, **values: Any) -> dict[str, Any]:
    """Let somebody enter, with answers that nobody else gives."""
    template = next(each for each in api.dataset.live("participants") if not each["gdprRedacted"])
    email, name, note = sorted(SECRETS)[2], sorted(SECRETS)[0], sorted(SECRETS)[1]
    record = {
        **template,
        "id": "unlucky",
        "applicationId": None,
        "createdAt": ENTERED_AT,
        "updatedAt": ENTERED_AT,
        "booker": {"name": name, "email": email},
        "fields": [
            {"id": "q1", "label": "First name", "value": name},
            {"id": "q2", "label": "Email address", "value": email},
            {"id": "q3", "label": "Medical", "value": note},
        ],
        **values,
    }
    api.put("participants", record)
    return record


def forgotten(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**record, "gdprRedacted": True, "fields": [], "booker": None, **values}


@pytest.mark.slow
@pytest.mark.parametrize("moved", [timedelta(minutes=5), timedelta(days=-30), None])
def test_a_redaction_wins_whenever_it_says_that_it_was(
    account: Account,
    record: dict[str, Any],
    api: OtherApi,
    tmp_path: Path,
    moved: timedelta | None,
) -> None:
    assert account.rows("SELECT email FROM start_list WHERE participant_id = 'unlucky'") != [
        (None,)
    ]
    assert find(tmp_path / "data", SECRETS)
    at = record["updatedAt"] + moved if moved is not None else None
    redacted = forgotten(record, updatedAt=at)
    if at is None:
        del redacted["updatedAt"]
        _serve_without_instant(api, record["id"])
        redacted["updatedAt"] = record["updatedAt"]
    api.put("participants", redacted)
    account.reconcile_whole()  # what happens every night
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}
    assert account.rows(
        "SELECT is_redacted, email, bib_number FROM start_list WHERE participant_id = 'unlucky'"
    ) == [(True, None, record["bibNumber"])]
    assert account.rows("SELECT subject_id, reason FROM erasures") == [("unlucky", "redacted")]
    assert_quiet(account)


def _serve_without_instant(api: OtherApi, record_id: str) -> None:
    answer = api.handle

    def handle(**request: Any) -> tuple[int, Any]:
        status, value = answer(**request)
        for each in value.get("data", []) if isinstance(value, dict) else []:
            if isinstance(each, dict) and each.get("id") == record_id:
                each.pop("updatedAt", None)
        return status, value

    api.handle = handle  # type: ignore[method-assign]


def assert_quiet(account: Account) -> None:
    """Another night and another sync store nothing, publish nothing and find nothing to do."""
    ids = account.store.extract_ids()
    account.reconcile_whole()
    account.sync()
    news = [each for each in account.store.manifests() if each.extract_id not in ids]
    assert [(each.feed, each.partition, each.records, each.source) for each in news] == []
    assert len(read_state(account.settings).erasures) == 0


@pytest.mark.slow
def test_whom_the_api_still_shows_is_not_stored_again(
    account: Account, record: dict[str, Any], api: OtherApi, tmp_path: Path
) -> None:
    held = [
        line
        for manifest in account.store.manifests()
        for batch in account.store.read(manifest, batch_records=99)
        for line in batch
        if b'"unlucky"' in line
    ]
    erased = account.erase(Subject(entity="participants", id="unlucky", reason=Reason.ASKED))
    assert (erased.people, erased.records) == (1, len(held))
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}
    assert_quiet(account)
    api.touch("participants", "unlucky", bibNumber="BIB-of-unlucky")
    account.sync()
    assert find(tmp_path / "data", {*SECRETS, "BIB-of-unlucky"}) == {}
    assert account.rows(
        "SELECT is_redacted, race_id, bib_number FROM start_list WHERE participant_id = 'unlucky'"
    ) == [(True, record["raceId"], None)]
    # The stub of the new version is that of the old one, which lies too far back to be compared
    # with while the end of the list is not settled: it is stored once more, and then known.
    account.sync()
    assert_quiet(account)


@pytest.mark.slow
def test_a_deleted_entry_goes_when_its_time_is_over_and_may_come_back(
    account: Account, record: dict[str, Any], api: OtherApi, tmp_path: Path
) -> None:
    api.delete("participants", "unlucky")
    account.sync()
    assert find(tmp_path / "data", SECRETS), "it was deleted just now"
    account = Account.of(tmp_path / "data", api, deleted_retention_days=0)
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}
    assert account.rows("SELECT subject_id, reason FROM erasures") == [("unlucky", "deleted")]
    assert account.rows(
        "SELECT deleted_at IS NOT NULL, event_id FROM participants WHERE participant_id = 'unlucky'"
    ) == [(True, record["eventId"])]
    assert_quiet(account)
    api.put("participants", record)
    account.sync()
    assert_equals_truth(account, api.dataset)
    assert find(tmp_path / "data", SECRETS), "whoever is back is on the list, with a name"


@pytest.mark.slow
def test_retention(api: OtherApi, tmp_path: Path) -> None:
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=800)
    person(api, raceStartDate=long_ago)
    keeping = Account.of(tmp_path / "data", api)
    keeping.sync()
    columns = "race_id, ticket_id, wave, original_ticket_price_amount, created_at, updated_at"
    before = keeping.rows(f"SELECT participant_id, {columns} FROM participants ORDER BY 1")
    groups = keeping.rows("SELECT * FROM partner_allocations ORDER BY ALL")
    younger = "race_start_at >= now() - INTERVAL 790 DAY"
    others = keeping.rows(f"SELECT * FROM start_list WHERE {younger} ORDER BY ALL")
    account = Account.of(tmp_path / "data", api, retention_days=790)
    account.sync()
    assert find(tmp_path / "data", SECRETS) == {}
    assert account.rows(f"SELECT participant_id, {columns} FROM participants ORDER BY 1") == before
    assert account.rows("SELECT * FROM partner_allocations ORDER BY ALL") == groups
    assert account.rows(f"SELECT * FROM start_list WHERE {younger} ORDER BY ALL") == others
    assert account.rows("SELECT subject, reason FROM erasures") == [("races", "retention")]
    assert account.rows(
        "SELECT is_redacted, first_name FROM start_list WHERE participant_id = 'unlucky'"
    ) == [(False, None)]
    assert_quiet(account)


def test_retention_reaches_what_was_exported_after_the_race_and_nothing_else(
    api: OtherApi, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=800)
    person(api, raceStartDate=long_ago)
    account = Account.of(tmp_path / "data", api, retention_days=790)
    account.settings.exports_dir.mkdir(parents=True)
    others = [
        each["id"]
        for each in api.dataset.live("participants")
        if each["raceStartDate"] and each["raceStartDate"] > long_ago + timedelta(days=20)
    ]
    files = {"old": ["unlucky", others[0]], "young": others[:3], "again": others[:1]}
    for name, ids in (("again", ["unlucky"]), *files.items()):
        path = account.settings.exports_dir / f"{name}.csv"
        path.write_text(f"{name}\n")
        path.with_name(f"{name}-withdrawn.csv").write_text("gone\n")
        export_id = ledger.enter(
            account.settings.ledger_dir, table="start_list", ids=ids, recipient=None,
            file=str(path.absolute()), about={},
        )  # fmt: skip
        ledger.mark_in_place(account.settings.ledger_dir, export_id)
    by_hand = account.settings.exports_dir / "by-hand.csv"
    by_hand.write_text("of nobody in the ledger\n")
    for path in (by_hand, account.settings.exports_dir / "young.csv"):
        os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
    account.sync()
    left = sorted(path.name for path in account.settings.exports_dir.iterdir())
    assert left == ["again-withdrawn.csv", "again.csv", "young-withdrawn.csv", "young.csv"]


def test_nothing_due_reads_no_raw_data(
    api: OtherApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account.of(tmp_path / "data", api, retention_days=36_000)
    account.sync()

    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("raw data was read")

    monkeypatch.setattr(RawStore, "read", read)
    assert len(read_state(account.settings).erasures) == 0
