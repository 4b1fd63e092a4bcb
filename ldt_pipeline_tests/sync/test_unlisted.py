"""Records that lists lack while the API gives them by id: gone for good, or missing for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.api.paging import record_of
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.rosters import Confirmed
from ldt_pipeline.instants import now
from ldt_pipeline.raw import RawStore, Unlisted
from ldt_pipeline.sync.compare import compare_with_api, compare_with_raw, keep_total
from ldt_pipeline.sync.unlisted import SURE_AFTER, decide, doubted
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.syncing import Account, assert_equals_truth, tables

QUIET_REQUESTS = 6


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherApi]:
    """An API that gives by id what its lists no longer hold."""
    dataset = make_dataset(5, participants=60, applications=5, partners=3, groups=3, events=2)
    monkeypatch.setattr(dataset, "get", dataset.last_known)
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
        yield api


def ids_on_the_list(account: Account) -> set[str]:
    return {row[0] for row in account.rows("SELECT participant_id FROM start_list")}


def let_an_hour_pass(store: RawStore) -> None:
    noted = store.unlisted("participants")
    since = {each: at - SURE_AFTER for each, at in noted.since.items()}
    store.write_unlisted(msgspec.structs.replace(noted, since=since))


def test_whoever_the_api_keeps_by_id_alone_goes_an_hour_after_the_list_lacks_them_first(
    api: OtherApi, tmp_path: Path
) -> None:
    """All else is published meanwhile: it never was, from the first deletion on."""
    account = Account.of(tmp_path, api)
    account.sync()
    gone, edited, *_ = (each["id"] for each in api.dataset.live("participants"))
    api.delete("participants", gone)
    assert account.sync().published
    assert gone in ids_on_the_list(account)
    assert account.sync().requests <= QUIET_REQUESTS

    api.touch("participants", edited, bibNumber="77")
    assert account.sync().published
    assert account.rows("SELECT participant_id FROM start_list WHERE bib_number = '77'") == [
        (edited,)
    ]

    let_an_hour_pass(account.store)
    account.sync()
    assert_equals_truth(account, api.dataset)
    assert gone not in ids_on_the_list(account)
    assert account.store.unlisted("participants").since == {}
    before = tables(account.settings.published_path)
    assert account.sync().requests <= QUIET_REQUESTS
    assert tables(account.settings.published_path) == before


def test_whoever_comes_back_to_the_list_never_leaves_ours(api: OtherApi, tmp_path: Path) -> None:
    account = Account.of(tmp_path, api)
    account.sync()
    someone = api.dataset.live("participants")[7]
    api.delete("participants", someone["id"])
    account.sync()
    api.put("participants", someone)
    for _ in range(2):
        account.sync()
        let_an_hour_pass(account.store)
    assert_equals_truth(account, api.dataset)
    assert account.store.unlisted("participants").since == {}
    assert account.rows("SELECT count(*) FROM participants WHERE deleted_at IS NOT NULL") == [(0,)]


def test_another_deletion_meanwhile_is_found(api: OtherApi, tmp_path: Path) -> None:
    account = Account.of(tmp_path, api)
    account.sync()
    first, second, *_ = (each["id"] for each in api.dataset.live("participants"))
    api.delete("participants", first)
    account.sync()
    let_an_hour_pass(account.store)
    api.delete("participants", second)
    account.sync()
    assert ids_on_the_list(account) & {first, second} == {second}
    assert list(account.store.unlisted("participants").since) == [second]


def test_a_rebuild_is_complete_while_somebody_is_doubted_and_after(
    api: OtherApi, tmp_path: Path
) -> None:
    account = Account.of(tmp_path, api)
    account.sync()
    api.delete("participants", api.dataset.live("participants")[0]["id"])
    account.sync()
    with (
        account.client() as client,
        open_warehouse(account.settings.warehouse_path) as connection,
    ):
        keep_total(account.store, compare_with_api(client, account.store, connection, PARTICIPANTS))
    for _ in range(2):
        with open_warehouse(account.settings.warehouse_path) as connection:
            found = compare_with_raw(account.store, connection, PARTICIPANTS)
        assert found is not None
        assert (found.agrees, found.held) == (True, len(api.dataset.live("participants")))
        let_an_hour_pass(account.store)


ids = st.sampled_from(["a", "b", "c"])


@settings(deadline=None)
@given(
    before=st.dictionaries(ids, st.integers(-180, 180)), found=st.sets(ids), deleted=st.sets(ids)
)
def test_only_what_was_missing_for_an_hour_and_is_still_there_by_id_is_decided(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, int],
    found: set[str],
    deleted: set[str],
) -> None:
    store = RawStore(str(tmp_path_factory.mktemp("raw")))
    moment = now()
    since = {each: moment + timedelta(minutes=minutes) for each, minutes in before.items()}
    store.write_unlisted(Unlisted(feed="participants", since=since))
    found -= deleted
    confirmed = Confirmed(
        deleted=sorted(deleted),
        found=[record_of(msgspec.json.encode({"id": each})) for each in sorted(found)],
    )
    unlisted = decide(store, PARTICIPANTS, confirmed, found | deleted)
    sure = {each for each in found if before.get(each, 0) <= -60}
    assert set(confirmed.deleted) == deleted | sure
    assert {each.id for each in confirmed.found} == found - sure == set(unlisted.since)
    assert all(at <= now() for at in unlisted.since.values())
    store.write_unlisted(unlisted)
    assert doubted(store, "participants") == sorted(found - sure)
