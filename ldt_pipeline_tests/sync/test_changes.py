"""What changes between two syncs, and in the middle of one: found, once, and without needless work."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.api.errors import (
    ApiError,
)
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, PARTICIPANTS
from ldt_pipeline.sandbox import Faults, Sandbox, SandboxAccount
from ldt_pipeline.sync.plan import due_events
from ldt_pipeline.sync.reconcile import reconcile_whole
from ldt_pipeline.sync.state import read_state
from ldt_pipeline.warehouse.books import quiet_instant
from ldt_pipeline.warehouse.checking import ChecksFailedError
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline_tests.other_api import Dataset, OtherApi, Readings, make_dataset
from ldt_pipeline_tests.other_api.operations import Operations
from ldt_pipeline_tests.syncing import Account, assert_equals_truth

QUIET_REQUESTS = 6
READINGS = Readings(max_page_size=50)


def small() -> Dataset:
    return make_dataset(
        5,
        participants=130,
        applications=30,
        partners=8,
        groups=8,
        tickets=4,
        events=2,
        mass_update=30,
    )


@pytest.fixture
def api() -> Iterator[OtherApi]:
    with OtherApi(small(), READINGS) as api:
        yield api


@pytest.fixture(scope="module")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a first sync: equal seeds make equal data, so it is made once."""
    folder = tmp_path_factory.mktemp("first") / "data"
    with OtherApi(small(), READINGS) as api:
        Account.of(folder, api).sync(publish=False)
    return folder


@pytest.fixture
def account(api: OtherApi, first_sync: Path, tmp_path: Path) -> Account:
    shutil.copytree(first_sync, tmp_path / "data")
    return Account.of(tmp_path / "data", api)


def assert_settles(account: Account, api: OtherApi) -> None:
    """After one sync all is there, and the next has nothing to do."""
    account.sync()
    assert_equals_truth(account, api.dataset)
    stamp, held = account.stamp(), account.store.extract_ids()
    assert account.sync().requests <= QUIET_REQUESTS
    assert (account.stamp(), account.store.extract_ids()) == (stamp, held)


def test_a_deletion_and_an_arrival_keep_the_total(account: Account, api: OtherApi) -> None:
    first, second = api.dataset.live("participants")[:2]
    api.delete("participants", first["id"])
    now = datetime.now(UTC).replace(microsecond=0)
    api.put("participants", {**second, "id": "new", "createdAt": now, "updatedAt": now})
    assert_settles(account, api)


def test_a_total_that_is_missing_once_hides_no_deletion(
    api: OtherApi, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldt_pipeline.sync import compare

    account.sync()
    with account.client() as client:
        for feed in CHANGE_FEEDS:
            with open_warehouse(account.settings.warehouse_path) as connection:
                compare.keep_total(
                    account.store, compare.compare_with_api(client, account.store, connection, feed)
                )
        asked: list[str] = []
        real = compare.ask_totals

        def without_total_at_first(client: Any, feed: Any) -> Any:
            asked.append(feed.name)
            totals = real(client, feed)
            return replace(totals, total=None) if len(asked) == 1 else totals

        monkeypatch.setattr(compare, "ask_totals", without_total_at_first)
        api.delete("participants", api.dataset.live("participants")[0]["id"])
        with open_warehouse(account.settings.warehouse_path) as connection:
            found = compare.compare_with_api(client, account.store, connection, PARTICIPANTS)
    assert not found.agrees
    assert asked == ["participants"] * 2


def test_a_row_that_is_committed_late(account: Account, api: OtherApi) -> None:
    """Long before the end of the list, and nothing else changed: the totals tell of it."""
    first = api.dataset.live("participants")[0]
    long_ago = datetime(2025, 2, 3, tzinfo=UTC)
    api.put("participants", {**first, "id": "late", "createdAt": long_ago, "updatedAt": long_ago})
    assert_settles(account, api)


def test_a_row_of_a_race_and_event_that_nobody_knows(account: Account, api: OtherApi) -> None:
    first = api.dataset.live("participants")[0]
    long_ago = datetime(2025, 2, 3, tzinfo=UTC)
    late = {"id": "late", "eventId": "77", "raceId": "78", "eventOccurrenceId": "79"}
    api.put("participants", {**first, **late, "createdAt": long_ago, "updatedAt": long_ago})
    assert_settles(account, api)


def test_an_entry_that_moves_to_another_race(account: Account, api: OtherApi) -> None:
    first = api.dataset.live("participants")[0]
    other = next(
        each for each in api.dataset.live("participants") if each["eventId"] != first["eventId"]
    )
    keys = ("eventId", "eventName", "eventOccurrenceId", "raceId", "raceName", "raceStartDate")
    api.touch("participants", first["id"], **{key: other[key] for key in keys})
    assert_settles(account, api)


def test_a_deleted_record_that_comes_back(account: Account, api: OtherApi) -> None:
    first = api.dataset.live("participants")[0]
    api.delete("participants", first["id"])
    assert_settles(account, api)
    api.put("participants", first)
    assert_settles(account, api)


@pytest.mark.parametrize("finds_any_case", [False, True])
def test_an_id_that_is_spelt_otherwise(
    account: Account, api: OtherApi, monkeypatch: pytest.MonkeyPatch, finds_any_case: bool
) -> None:
    """The former spelling is nobody's id any more, even where asking for it finds the record."""
    exactly = Operations._existing

    def in_any_case(operations: Operations, collection: str, record_id: str) -> dict[str, Any]:
        for each in api.dataset.live(collection):
            if str(each["id"]).upper() == record_id.upper():
                record_id = str(each["id"])
        return exactly(operations, collection, record_id)

    if finds_any_case:
        monkeypatch.setattr(Operations, "_existing", in_any_case)
    first = api.put("participants", {**api.dataset.live("participants")[0], "id": "pt_case"})
    assert_settles(account, api)
    api.delete("participants", "pt_case")
    api.put("participants", {**first, "id": "PT_CASE", "updatedAt": datetime.now(UTC)})
    assert_settles(account, api)


def test_the_newest_record_goes_and_comes_back(account: Account, api: OtherApi) -> None:
    """At the end of the list, where what is known is not stored again."""
    newest = api.touch("participants", api.dataset.live("participants")[0]["id"])
    account.sync(publish=False)
    api.delete("participants", newest["id"])
    assert_settles(account, api)
    api.put("participants", newest)
    assert_settles(account, api)


def test_a_change_after_one_in_the_future(account: Account, api: OtherApi) -> None:
    """Somebody's clock was wrong: what it wrote is not the newest for ever."""
    first, second = (each["id"] for each in api.dataset.live("participants")[:2])
    ahead = datetime.now(UTC) + timedelta(days=40)
    api.touch("participants", first, at=ahead, bibNumber="ahead")
    account.sync(publish=False)
    api.touch("participants", first, bibNumber="put right")
    api.touch("participants", second, bibNumber="also")
    assert_settles(account, api)


@pytest.mark.slow
def test_content_that_changes_and_changes_back_at_one_instant(
    account: Account, api: OtherApi
) -> None:
    first = api.dataset.live("participants")[0]["id"]
    at = api.touch("participants", first, bibNumber="1")["updatedAt"]
    assert_settles(account, api)
    api.touch("participants", first, at=at, bibNumber="2")
    assert_settles(account, api)
    api.touch("participants", first, at=at, bibNumber="1")
    assert_settles(account, api)


def test_everything_is_deleted(account: Account, api: OtherApi) -> None:
    for record in api.dataset.live("participants"):
        api.delete("participants", record["id"])
    account.sync()
    assert_equals_truth(account, api.dataset)


def test_a_deletion_has_the_event_read_again(account: Account, api: OtherApi) -> None:
    """A claimed place is free again: the group says so at once."""
    group = next(each for each in api.dataset.live("reserved_entries") if each["usedCapacity"])
    claimed = next(
        each
        for each in api.dataset.live("participants")
        if each["reservedEntryGroupCode"] == group["id"]
    )
    api.delete("participants", claimed["id"])
    api.put("reserved_entries", {**group, "usedCapacity": group["usedCapacity"] - 1})
    assert_settles(account, api)


def test_a_roster_stores_what_is_new_alone(account: Account, api: OtherApi) -> None:
    api.delete("participants", api.dataset.live("participants")[0]["id"])
    account.sync(publish=False)
    assert account.store.manifests("race_participants") == []
    assert sum(each.records for each in account.store.manifests("deletions")) == 1


def test_a_silent_change_is_found_at_night(account: Account, api: OtherApi) -> None:
    """Somebody is forgotten, and `updatedAt` does not move."""
    first = api.dataset.live("participants")[0]
    api.put("participants", {**first, "gdprRedacted": True, "fields": [], "booker": None})
    account.reconcile_whole()
    assert_equals_truth(account, api.dataset)


def test_records_without_an_instant_before_all_others(tmp_path: Path) -> None:
    """Descending order may begin with them: they hide the newest change, and stop nothing."""
    dataset = small()
    with OtherApi(dataset, READINGS) as api:
        account = Account.of(tmp_path, api)
        account.sync(publish=False)
        stranger = {**dataset.live("participants")[0], "id": "odd"}
        stranger["updatedAt"] = stranger["createdAt"]
        dataset.put("participants", stranger)
        account.sync(publish=False)
        answer = api.handle

        def without_instant(**request: Any) -> tuple[int, Any]:
            status, value = answer(**request)
            descending = (
                "updatedAt%5D=-1" in request["target"] or "updatedAt]=-1" in request["target"]
            )
            if descending and "/participants" in request["target"]:
                data = [each for each in value["data"] if each["id"] != "odd"]
                size = 1 if "size%5D=1&" in request["target"] + "&" else 499
                value["data"] = [{"id": "odd", "updatedAt": None}, *data][:size]
            return status, value

        api.handle = without_instant  # type: ignore[method-assign]
        dataset.touch("participants", dataset.live("participants")[3]["id"], bibNumber="seen")
        account.sync(publish=False)
        with account.asking(is_published=False) as ask:
            assert ask("SELECT count(*) FROM participants WHERE bib_number = 'seen'") == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize("unknown_parent", ["not_found", "empty"])
def test_an_event_that_the_api_does_not_know(unknown_parent: Any, tmp_path: Path) -> None:
    """A mistyped setting costs no request each time."""
    with OtherApi(small(), Readings(unknown_parent=unknown_parent)) as api:
        account = Account.of(tmp_path, api, event_ids=("nowhere", "..", "a/b"))
        account.sync()
        assert account.sync().requests <= QUIET_REQUESTS


def test_an_event_that_the_api_knows_no_longer(account: Account, api: OtherApi) -> None:
    """It keeps its groups, and is not asked for at each sync from then on."""
    account.sync()
    someone = api.dataset.live("participants")[0]
    listed = (
        "SELECT reserved_entry_group_id, event_id, max_capacity FROM reserved_entry_groups "
        f"WHERE deleted_at IS NULL AND event_id = '{someone['eventId']}'"
    )
    groups = sorted(account.rows(listed))
    assert groups
    api.touch("participants", someone["id"], bibNumber="9876")
    api.dataset.forget_event(someone["eventId"])
    account.sync()
    assert sorted(account.rows(listed)) == groups
    assert due_events(read_state(account.settings).events, refresh_minutes=60) == []

    api.touch("participants", someone["id"], bibNumber="9877")  # which makes the event known
    assert_settles(account, api)
    assert account.store.not_found("tickets").asked_at == {}


@pytest.mark.slow
@pytest.mark.parametrize("cursors", ["opaque", "record_id", "offset"])
def test_something_moves_before_each_request(cursors: Any, tmp_path: Path) -> None:
    """Entries arrive, change and go all the while: the sync may say that it can't tell, and once
    it is quiet all of it is there."""
    chances = random.Random(1)
    dataset = small()
    is_moving = True

    def move(method: str, path: str, query: Mapping[str, str]) -> None:
        if not is_moving or chances.random() < 0.4:
            return
        record = chances.choice(dataset.live("participants"))
        kind = chances.randrange(6)
        if kind == 0:
            dataset.delete("participants", record["id"])
        elif kind <= 2:
            now = datetime.now(UTC)
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            new = {"id": f"n{chances.randrange(10**9)}", "createdAt": now, "updatedAt": now}
            dataset.put("participants", {**record, **new})
        else:
            dataset.touch("participants", record["id"], bibNumber=str(chances.randrange(999)))

    readings = Readings(cursors=cursors, max_page_size=20, deleted_cursor="bad_request")
    with OtherApi(dataset, readings, before_request=move) as api:
        account = Account.of(tmp_path, api)
        for _ in range(3):
            with suppress(ChecksFailedError, ApiError):
                account.sync()
        is_moving = False
        account.sync()
        assert_holds_what_is_live(account, dataset)
        assert account.sync().requests <= QUIET_REQUESTS


def assert_holds_what_is_live(account: Account, dataset: Dataset) -> None:
    """Those that came and went between two looks were never seen."""
    live = {(each["id"], each["bibNumber"]) for each in dataset.live("participants")}
    assert set(account.rows("SELECT participant_id, bib_number FROM start_list")) == live


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_fault_of_the_sandbox(seed: int, tmp_path: Path) -> None:
    """One request in seven fails or lies: complete in the end, and never published before."""
    faults = Faults.every(0.15, seed=seed, hang_seconds=0.01)
    with Sandbox(SandboxAccount(300, seed=seed)) as sandbox:
        sandbox.faults = faults
        account = Account(tmp_path, base_url=sandbox.base_url, api_key=sandbox.issue_key())
        account.retries = 8
        for _ in range(8):
            with suppress(ChecksFailedError, ApiError):
                account.sync()
                break
            assert not account.settings.published_path.exists()
        listed = {row[0] for row in account.rows("SELECT participant_id FROM start_list")}
        assert listed == set(sandbox.account.participant_ids())


def test_bad_records_are_not_stored_again_each_night(account: Account, api: OtherApi) -> None:
    answer = api.handle

    def with_a_bad_one(**request: Any) -> tuple[int, Any]:
        status, value = answer(**request)
        if request["target"].startswith("/v0/participants?"):
            value["page"]["totalResults"] += 1
            if "size%5D=1&" not in request["target"] + "&" and not value["page"].get("next"):
                value["data"].append({"eventId": "1", "bibNumber": "bad"})
        return status, value

    api.handle = with_a_bad_one  # type: ignore[method-assign]
    account.reconcile_whole()
    held = account.store.extract_ids()
    assert account.rows("SELECT rejected_records FROM sync_status WHERE feed = 'participants'") == [
        (1,)
    ]
    with account.client() as client:
        reconcile_whole(client, account.store, account.settings, PARTICIPANTS)
    assert account.store.extract_ids() == held


def test_a_quiet_instant(account: Account, api: OtherApi) -> None:
    """Among entries that come by the second, the last gap; in a burst without one, before it."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    template = api.dataset.live("participants")[0]
    for number in [*range(60), *range(70, 200)]:
        created = start + timedelta(seconds=number)
        now = {"createdAt": created, "updatedAt": datetime.now(UTC)}
        api.put("participants", {**template, **now, "id": f"burst{number}"})
    account.sync(publish=False)
    with open_warehouse(account.settings.warehouse_path) as connection:
        for at_most, least, most in [
            (300, 300, 300),
            (150, 60.5, 69),
            (65, 65, 65),
            (50, -9e9, -1),
        ]:
            moment = quiet_instant(connection, "participants", start + timedelta(seconds=at_most))
            assert least <= (moment - start).total_seconds() <= most
