"""Long lists are cut into windows: nothing is lost at their bounds, and a load that was interrupted
goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import ServerError
from ldt_pipeline.api.paging import (
    ListRequest,
    LongListError,
    Proof,
    end_of_changes,
    record_of,
    walk,
)
from ldt_pipeline.api.windows import Window
from ldt_pipeline.feeds import changes, months
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.changes import fetch_changes, fetch_everything, fetch_months
from ldt_pipeline.feeds.months import MonthWriter
from ldt_pipeline.feeds.pieces import cut
from ldt_pipeline.feeds.positions import known_since, position
from ldt_pipeline.instants import month_of
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.extract_files import ExtractWriter
from ldt_pipeline_tests.api.scripted import Scripted, answer
from ldt_pipeline_tests.feeds.movement import (
    assert_holds,
    client_of,
    newest_stored,
    record,
    records,
    serve,
)
from ldt_pipeline_tests.other_api import Dataset, Readings, make_dataset

MILLISECOND = timedelta(milliseconds=1)


pytestmark = pytest.mark.usefixtures("short_windows")


@pytest.mark.parametrize("after_inclusive", [False, True])
@pytest.mark.parametrize("before_inclusive", [False, True])
def test_bounds_of_windows_and_months(
    after_inclusive: bool, before_inclusive: bool, tmp_path: Path
) -> None:
    """With entries on the month's first instant and a millisecond beside it, and a mass update."""
    dataset = make_dataset(11, participants=300, mass_update=90, deleted=0)
    readings = Readings(
        after_inclusive=after_inclusive, before_inclusive=before_inclusive, max_page_size=40
    )
    store = RawStore(str(tmp_path))
    with serve(dataset, readings) as api, client_of(api) as client:
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert fetched.walks > 5
        assert_holds(store, dataset)
        in_months = Counter(month_of(each["updatedAt"]) for each in dataset.live("participants"))
        for manifest in store.manifests("participants"):
            assert manifest.oldest_updated_at is not None
            assert month_of(manifest.oldest_updated_at) == manifest.partition
        again = RawStore(str(tmp_path / "again"))
        first, last = sorted(in_months)[1], sorted(in_months)[-2]
        fetch_months(client, again, PARTICIPANTS, first=first, last=last)
        stored = Counter(at[:7] for at in newest_stored(again).values())
        assert {month: stored[month] for month in in_months if first <= month <= last} == {
            month: count for month, count in in_months.items() if first <= month <= last
        }


def test_every_record_on_a_bound(tmp_path: Path) -> None:
    """Records a millisecond apart, so that each bound falls on one."""
    dataset = records(64, step_seconds=0.001)
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        at = position(store, PARTICIPANTS)
        assert at is not None
        assert at.watermark == max(each["updatedAt"] for each in dataset.live("participants"))


def test_a_spike_does_not_split(tmp_path: Path) -> None:
    dataset = records(300, step_seconds=0)
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert len(api.requests) < 60


def test_a_spike_is_stored_in_extracts_that_can_be_loaded_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_EXTRACT_RECORDS_MOST", 50)
    dataset = records(230, step_seconds=0)
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        manifests = store.manifests("participants")
        assert max(each.records for each in manifests) == 50
        assert fetched.records == sum(each.records for each in manifests) >= 230
        # Ordered as they were read: of a record that was read twice the later one counts.
        ids = [each.extract_id for each in fetched.manifests if each.records == 50]
        assert ids == sorted(ids)
        assert len({each.extracted_at for each in manifests}) == len(manifests)


@pytest.mark.parametrize("before_rush", [timedelta(hours=1), timedelta(days=4 * 365)])
def test_a_list_that_is_uneven_in_time_is_cut_where_its_records_lie(
    before_rush: timedelta, tmp_path: Path
) -> None:
    """A few entries in years, then many in minutes, some of them in one millisecond."""
    dataset = records(200, step_seconds=1)
    newest = datetime(2025, 6, 1, tzinfo=UTC)
    for number in range(10):
        at = newest - before_rush - timedelta(days=number)
        dataset.put("participants", record(f"early{number}", at))
    for number in range(50):
        dataset.put("participants", record(f"spike{number}", newest - timedelta(seconds=77)))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert fetched.walks > 10
        assert len(api.requests) < 150


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_pieces_are_the_window(count: int) -> None:
    """Whatever is guessed of where records lie, nothing lies between two pieces."""
    start, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, 0, 0, 3, tzinfo=UTC)
    for window in (Window(after=start, before=end), Window(before=end)):
        for oldest in (
            start - timedelta(days=1),
            start,
            start + MILLISECOND,
            end,
            end + MILLISECOND,
        ):
            pieces = window.pieces(count, oldest=oldest)
            assert (pieces[0].after, pieces[-1].before) == (window.after, window.before)
            for before, after in pairwise(pieces):
                assert before.before == after.after
                assert before.before is not None
    assert Window(after=start).pieces(count, oldest=start) == [Window(after=start)]


def test_a_list_that_is_too_long_for_one_walk_says_so_before_it_gives_anything() -> None:
    dataset = records(60)
    request = ListRequest(operation=PARTICIPANTS.operation)
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        pages = walk(client, request, Proof(), records_most=59)
        with pytest.raises(LongListError) as raised:
            next(pages)
        assert raised.value.total == 60
        assert raised.value.oldest == min(
            each["updatedAt"] for each in dataset.live("participants")
        )
        assert sum(map(len, walk(client, request, Proof(), records_most=60))) == 60


def test_a_total_that_is_out_of_all_reason_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much there is only decides how finely is cut; what is read is proved by itself."""
    dataset = records(60)
    true = changes.first_record
    monkeypatch.setattr(
        changes, "first_record", lambda *args: (true(*args)[0], 10**9, true(*args)[2])
    )
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert len(api.requests) < 1_500


@pytest.mark.parametrize("future", [timedelta(hours=2), timedelta(days=40_000)])
def test_a_record_from_the_future_hides_nothing(future: timedelta, tmp_path: Path) -> None:
    """Somebody's clock was wrong once; what changes after that still lies in the past."""
    from ldt_pipeline.feeds.changes import has_unseen

    dataset = records(60)
    dataset.put("participants", record("future", datetime.now(UTC) + future))
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
        at = position(store, PARTICIPANTS)
        assert at is not None
        assert not has_unseen(client, store, PARTICIPANTS, at)
        dataset.touch("participants", "p00003")
        assert has_unseen(client, store, PARTICIPANTS, at)
        fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert position(store, PARTICIPANTS) is not None


def test_who_is_in_a_hurry_walks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll is ended after a minute: what is longer than a page is left to a run."""
    monkeypatch.setattr(changes, "OVERLAP", timedelta(hours=-1))  # as if it had passed
    dataset = records(60, step_seconds=1)
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        store = RawStore(str(tmp_path))
        fetch_changes(client, store, PARTICIPANTS)
        at = position(store, PARTICIPANTS)
        assert at is not None
        before = len(api.requests)
        assert changes.has_unseen(client, store, PARTICIPANTS, at, is_hasty=True)
        assert len(api.requests) == before + 1
        assert not changes.has_unseen(client, store, PARTICIPANTS, at)
        assert len(api.requests) > before + 2


@pytest.mark.parametrize("newest", [datetime(2025, 6, 1, tzinfo=UTC), None])
def test_a_load_that_was_interrupted_goes_on(newest: datetime | None, tmp_path: Path) -> None:
    """Windows that were proved are not read again, but for what moved since."""
    dataset = records(200, newest=newest or datetime.now(UTC))
    limit = 12

    def fail_at_last(method: str, path: str, query: Mapping[str, str]) -> None:
        if len(api.requests) > limit:
            raise RuntimeError("down")

    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        api.before_request = fail_at_last
        with pytest.raises(ServerError):
            fetch_changes(client, store, PARTICIPANTS)
        assert position(store, PARTICIPANTS) is None
        held = newest_stored(store)
        assert 20 < len(held) < 200
        api.before_request = None
        for record_id in sorted(held)[:3]:
            dataset.touch("participants", record_id)
        fetched = fetch_changes(client, store, PARTICIPANTS)
        assert_holds(store, dataset)
        assert fetched.seen < 200 - len(held) + 3 + 20
        assert position(store, PARTICIPANTS) is not None
        assert [each.before for each in store.walks("participants")] == [None]


def test_windows_that_were_finished_beside_a_failure_are_kept(tmp_path: Path) -> None:
    dataset = records(200, newest=datetime(2025, 6, 1, tzinfo=UTC))

    def fail_in_oldest(method: str, path: str, query: Mapping[str, str]) -> None:
        is_walk = query.get("page[size]") != "1" and "updatedAt[before]" in query
        if is_walk and "updatedAt[after]" not in query:
            raise RuntimeError("down")

    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=40)) as api, client_of(api) as client:
        api.before_request = fail_in_oldest
        with pytest.raises(ServerError):
            fetch_changes(client, store, PARTICIPANTS)
    stored = {each.extract_id for each in store.manifests()}
    assert stored
    assert stored == {each for walk in store.walks("participants") for each in walk.extracts}


def test_a_quiet_list_leaves_no_record_of_each_reading(tmp_path: Path) -> None:
    """It is read whole each night, and nothing is news."""
    dataset = records(100)
    store = RawStore(str(tmp_path))
    with serve(dataset, Readings(max_page_size=10)) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        at = position(store, PARTICIPANTS)
        tail = store.walk("participants", "tail")
        assert at is not None
        assert tail is not None
        later = at.seen_at + timedelta(hours=1)
        store.write_walk(
            msgspec.structs.replace(tail, started_at=later, newest_seen_at=at.seen_at), name="tail"
        )
        known = known_since(store, PARTICIPANTS, datetime(2000, 1, 1, tzinfo=UTC))
        for _ in range(2):
            fetched, _ = fetch_everything(client, store, PARTICIPANTS, known=known)
            assert fetched.walks > 5
            assert not fetched.records
            assert [each.before for each in store.walks("participants")] == [None]
        settled = position(store, PARTICIPANTS)
        assert settled is not None
        assert settled.is_settled
        assert (settled.watermark, settled.seen_at) == (at.watermark, at.seen_at)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_where_a_disk_is_full_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_EXTRACT_RECORDS_MOST", 10)
    count = ExtractWriter.count

    def fail(self: ExtractWriter, manifest: Manifest) -> None:
        if RawStore(str(tmp_path)).manifests():
            raise OSError(28, "No space left on device")
        count(self, manifest)

    monkeypatch.setattr(ExtractWriter, "count", fail)
    before = open_files()
    store = RawStore(str(tmp_path))
    writer = MonthWriter(store, PARTICIPANTS, datetime.now(UTC), {})
    for number in range(45):
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number)
        writer.append(record_of(json.dumps({"id": number, "updatedAt": at.isoformat()}).encode()))
    with pytest.raises(OSError, match="No space left"):
        writer.commit()
    assert len(store.manifests()) == 1
    assert not [each for each in tmp_path.rglob("*") if each.name.startswith(".tmp-")]
    assert open_files() <= before


@pytest.mark.parametrize(
    ("newest", "after", "end"),
    [
        # Over: the first whole second that is.
        ("11:59:57.250", None, "11:59:58"),
        ("11:59:58.000", None, "11:59:59"),
        # Not over: where it began, and where the list begins there, the change itself.
        ("12:00:00.250", None, "12:00:00"),
        ("12:00:00.250", "11:00:00", "12:00:00"),
        ("12:00:00.250", "12:00:00", "12:00:00.250"),
        # In the future: now.
        ("23:00:00.250", None, "12:00:01"),
    ],
)
def test_where_a_list_that_grows_is_closed(newest: str, after: str | None, end: str) -> None:
    def at(time: str) -> datetime:
        return datetime.fromisoformat(f"2027-03-01T{time}Z")

    changed = {"id": "a", "updatedAt": f"2027-03-01T{newest}Z"}
    page = answer({"data": [changed]}, Date=format_datetime(at("12:00:00"), usegmt=True))
    request = ListRequest(operation=PARTICIPANTS.operation)
    with Scripted(page) as server, Client(base_url=server.base_url, api_key="k") as client:
        assert end_of_changes(client, request, after=at(after) if after else None) == at(end)


def test_halves_meet_at_a_whole_second_where_there_is_one() -> None:
    def at(*seconds: float) -> list[datetime]:
        return [datetime(2027, 3, 1, tzinfo=UTC) + timedelta(seconds=each) for each in seconds]

    def middle(*seconds: float) -> datetime | None:
        halves = Window().halves_by_records(at(*seconds))
        return halves and halves[1].after

    assert [middle(0.5, 1, 7.25, 9)] == at(7)
    assert [middle(7, 7.25, 7.5, 9)] == at(7.5)
    assert middle(7.25, 7.25) is None


def test_windows_before_the_oldest_change_are_not_cut() -> None:
    """A load goes on, and what was oldest has changed since."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    windows = [
        Window(before=at - timedelta(seconds=99_999)),
        Window(after=at, before=at + timedelta(seconds=100_000)),
    ]
    assert len(cut(windows, oldest=at, total=100_000, records_most=5_000)) < 50


def test_an_empty_list(tmp_path: Path) -> None:
    store = RawStore(str(tmp_path))
    with serve(Dataset(), Readings(total_results="missing")) as api, client_of(api) as client:
        fetch_changes(client, store, PARTICIPANTS)
        at = position(store, PARTICIPANTS)
        assert at is not None
        assert at.watermark is None
        assert at.is_settled
        assert not store.manifests()


def test_instants_as_numbers(tmp_path: Path) -> None:
    """A number may come in the place of text: milliseconds, or seconds."""
    from ldt_pipeline.api.answers import record_key

    expected = datetime(2025, 6, 1, tzinfo=UTC)
    for value in ("1748736000000", '"1748736000000"', "1748736000", '"2025-06-01T02:00:00+02:00"'):
        body = b'{"id": 7, "updatedAt": %s}' % value.encode()
        assert record_key(body) == ("7", expected)
    for value in ("null", '""', '"soon"', "true", "[]", "1e400"):
        assert record_key(b'{"id": "a", "updatedAt": %s}' % value.encode())[1] is None
