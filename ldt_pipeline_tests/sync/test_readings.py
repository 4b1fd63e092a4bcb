"""Whatever the reading of what the reference leaves open: the same, complete tables, and few
requests where nothing changed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ldt_pipeline.api.errors import IncompleteWalkError
from ldt_pipeline_tests.other_api import NESTED_KEYS, Dataset, OtherApi, Readings, make_dataset
from ldt_pipeline_tests.syncing import Account, assert_equals_truth

QUIET_REQUESTS = 6
LONELY_EVENT = "9000001"

OF_LISTS = (
    *("end_of_list", "after_inclusive", "before_inclusive", "cursors", "deleted_cursor"),
    *("default_order", "ties", "total_results", "roster_totals", "timestamps"),
    *("narrows_by_change", "narrows_by_creation", "unmade", "unchanged", "obeys_page_size"),
    "bounds_in_seconds",
)
OF_SHAPES = (
    *("waves", "tags", "booker", "prices", "tickets", "group_tickets", "null_elements"),
    *("numbers_as_text", "text_as_numbers", "extra_keys", "extend_metadata_hides"),
)
OF_TRANSPORT = (
    *("pretty", "gzip", "chunked", "date_header", "unknown_parent", "strict_params"),
    *("encoded_brackets_only", "byte_order_mark"),
)
NO_TOTALS = ("missing", "null")
SMALL_PAGES = Readings(max_page_size=50)


def values_of(name: str) -> list[Any]:
    hint = get_type_hints(Readings)[name]
    if hint is bool:
        return [False, True]
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [value for each in get_args(hint) for value in get_args(each) or (None,)]


def small(readings: Readings) -> Dataset:
    """Three small pages of participants, half of them with the same `updatedAt`."""
    return make_dataset(
        5,
        participants=130,
        applications=40,
        partners=8,
        groups=8,
        tickets=4,
        events=2,
        # Ties in another order for each request can only be walked where they fit on a page.
        mass_update=40 if readings.ties == "random" else 60,
        numeric_ids=readings.text_as_numbers,
    )


def change(api: OtherApi) -> None:
    """Touch, redact, add; and delete, where the totals can tell of it."""
    participants = api.dataset.live("participants")
    applications = api.dataset.live("applications")
    api.touch("participants", participants[0]["id"], bibNumber="0042")
    api.touch("participants", participants[1]["id"], gdprRedacted=True, fields=[], booker=None)
    touched = api.touch("participants", participants[2]["id"])
    new_id = "999999999" if str(touched["id"]).isdecimal() else "ffffffffffff"
    api.put("participants", {**touched, "id": new_id, "createdAt": touched["updatedAt"]})
    api.touch("applications", applications[1]["id"], raceName="Moved")
    api.touch("partners", api.dataset.live("partners")[0]["id"], name="Renamed")
    if api.readings.total_results not in NO_TOTALS:
        api.delete("participants", participants[3]["id"])
        api.delete("applications", applications[0]["id"])


SAME = {
    # To a client these are other readings that are tested, of lists and of their totals.
    *(("roster_totals", value) for value in ("right", "text", "null", "of_list")),
    ("unmade", "nowhere"),
    *(("unchanged", value) for value in ("in_no_window", "nowhere")),
}
SINGLES = [
    pytest.param(replace(SMALL_PAGES, **{name: value}), id=f"{name}={value}")
    for name in OF_LISTS
    for value in values_of(name)
    if value != getattr(SMALL_PAGES, name) and (name, value) not in SAME
]


@pytest.mark.slow
@pytest.mark.parametrize("readings", SINGLES)
def test_each_reading_of_lists(readings: Readings, tmp_path: Path) -> None:
    dataset = small(readings)
    with OtherApi(dataset, readings) as api:
        account = Account.of(tmp_path, api)
        account.sync(publish=False)
        assert_equals_truth(account, dataset, is_published=False)
        change(api)
        account.sync(publish=False)
        assert_equals_truth(account, dataset, is_published=False)
        assert account.sync(publish=False).requests <= QUIET_REQUESTS


SHAPES_AND_TRANSPORT = [
    Readings(
        waves="titles",
        fields=("question", "answer"),
        tags="objects",
        booker="full_name",
        prices="text",
        tickets="ticket_id_name",
        null_elements=True,
        numbers_as_text=True,
        extra_keys=True,
        pretty=True,
        gzip=True,
        byte_order_mark=True,
        unknown_parent="empty",
    ),
    Readings(
        waves="strings",
        fields=("key", "values"),
        prices="bare",
        group_tickets="strings",
        text_as_numbers=True,
        chunked=True,
        date_header=False,
        missing_status=410,
    ),
    Readings(
        fields="mapping",
        extend_metadata_hides=True,
        strict_params=True,
        encoded_brackets_only=True,
        pretty=True,
        nested_nulls=NESTED_KEYS - {"waves", "fields"},
        missing_keys=frozenset({"competitorSize", "tracking"}),
    ),
]


def check(folder: Path, readings: Readings) -> None:
    """Sync, change, sync, and sync again: equal to the truth, quiet, and not published again."""
    dataset = small(readings)
    with OtherApi(dataset, readings) as api:
        account = Account.of(folder, api, event_ids=(LONELY_EVENT,))
        account.sync()
        assert_equals_truth(account, dataset)
        change(api)
        account.sync()
        assert_equals_truth(account, dataset)
        stamp = account.stamp()
        assert account.sync().requests <= QUIET_REQUESTS
        assert account.stamp() == stamp


@pytest.mark.parametrize("readings", SHAPES_AND_TRANSPORT, ids=["most", "numbers", "mapping"])
def test_shapes_and_transport(readings: Readings, tmp_path: Path) -> None:
    check(tmp_path, readings)


COMBINATIONS = st.fixed_dictionaries(
    {
        **{
            name: st.sampled_from(values_of(name))
            for name in (*OF_LISTS, "tags", "text_as_numbers", "date_header", "unknown_parent")
        },
        "max_page_size": st.sampled_from([45, 100, 500]),
    }
)


@pytest.mark.slow
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example({"end_of_list": "wraps_around", "total_results": "remaining", "cursors": "offset"})
@example({"end_of_list": "last_cursor_again", "total_results": "missing", "date_header": False})
@given(COMBINATIONS)
def test_combinations_of_readings(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]
) -> None:
    check(tmp_path_factory.mktemp("account"), replace(SMALL_PAGES, **chosen))


def test_many_records_share_the_newest_instant(tmp_path: Path) -> None:
    """Also right after the sync that read them, while some of them may be yet to appear."""
    dataset = make_dataset(6, participants=60, applications=5, mass_update=10)
    template = dataset.live("participants")[0]
    with OtherApi(dataset) as api:
        account = Account.of(tmp_path, api)
        account.sync()
        instant = dataset.touch("participants", template["id"])["updatedAt"]
        for number in range(2_000):
            spike = {"id": f"spike{number:04d}", "createdAt": instant, "updatedAt": instant}
            api.put("participants", {**template, **spike})
        account.sync()
        assert_equals_truth(account, dataset)
        assert account.sync().requests <= QUIET_REQUESTS


def test_ties_that_fit_on_no_page_in_another_order_each_time(tmp_path: Path) -> None:
    """Nobody can walk them, so nothing is published."""
    readings = Readings(ties="random", max_page_size=50)
    dataset = make_dataset(7, participants=200, applications=5, mass_update=180)
    with OtherApi(dataset, readings) as api:
        account = Account.of(tmp_path, api)
        with pytest.raises(IncompleteWalkError, match="could not be read completely"):
            account.sync()
    assert not account.settings.published_path.exists()
    assert not account.store.manifests("participants")


@pytest.mark.parametrize("readings", [{"narrows_by_change": False}, {"total_results": "of_list"}])
def test_windows_that_narrow_nothing_are_not_cut_for_ever(
    readings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldt_pipeline.feeds import reader

    monkeypatch.setattr(reader, "_WINDOW_RECORDS_MOST", 20)
    dataset = small(SMALL_PAGES)
    with OtherApi(dataset, replace(SMALL_PAGES, **readings)) as api:
        account = Account.of(tmp_path, api)
        assert account.sync(publish=False).requests < 150
        assert_equals_truth(account, dataset, is_published=False)


def test_the_newest_change_where_bounds_are_compared_by_seconds(tmp_path: Path) -> None:
    """A list without rosters that is longer than a page: only its windows give the newest record."""
    dataset = make_dataset(5, participants=5, applications=5, partners=20, groups=2)
    readings = Readings(max_page_size=10, bounds_in_seconds=True)
    with OtherApi(dataset, readings) as api:
        newest = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
        api.touch("partners", dataset.live("partners")[3]["id"], at=newest, name="Renamed")
        account = Account.of(tmp_path, api)
        account.sync()
        assert_equals_truth(account, dataset)


def test_lists_in_no_order_that_was_asked_for(tmp_path: Path) -> None:
    """Neither its first record nor its first page says whether anything changed."""
    readings = Readings(obeys_sort=False, default_order="shuffled", max_page_size=50)
    dataset = small(readings)
    with OtherApi(dataset, readings) as api:
        account = Account.of(tmp_path, api)
        account.sync(publish=False)
        for each in dataset.live("participants"):
            api.touch("participants", each["id"])  # more than a page of what changed just now
        account.sync(publish=False)
        for place in (60, -1):
            api.touch("participants", dataset.live("participants")[place]["id"], bibNumber="0042")
            account.sync(publish=False)
            assert_equals_truth(account, dataset, is_published=False)


def test_rosters_that_take_no_windows(tmp_path: Path) -> None:
    check(tmp_path, Readings(max_page_size=200, roster_windows=False))


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 403, 410, 500])
def test_each_status_of_what_is_gone(status: int, tmp_path: Path) -> None:
    """The reference names 200, 401 and 500 alone. What is no clear answer leaves it to the list."""
    check(tmp_path, replace(SMALL_PAGES, missing_status=status))


@pytest.mark.slow
@pytest.mark.parametrize("answer", get_args(get_type_hints(Readings)["missing_answer"])[1:])
def test_each_empty_answer_for_what_is_gone(answer: Any, tmp_path: Path) -> None:
    check(tmp_path, replace(SMALL_PAGES, missing_answer=answer, unknown_parent="empty"))


@pytest.mark.slow
@pytest.mark.parametrize("empty", ["null", "absent"])
def test_lists_that_are_empty_without_a_list(empty: Any, tmp_path: Path) -> None:
    readings = replace(SMALL_PAGES, empty_list=empty, end_of_list="last_cursor_again")
    check(tmp_path / "some", replace(readings, unknown_parent="empty"))
    nobody = make_dataset(5, participants=0, applications=0, partners=0, groups=0, tickets=0)
    with OtherApi(nobody, readings) as api:
        account = Account.of(tmp_path / "nobody", api)
        account.sync()
        assert account.sync().requests <= QUIET_REQUESTS


@pytest.mark.parametrize("unchanged", get_args(get_type_hints(Readings)["unchanged"]))
def test_records_that_do_not_say_when_they_changed(unchanged: Any, tmp_path: Path) -> None:
    """No window holds them, and the list is longer than a page."""
    readings = replace(SMALL_PAGES, unchanged=unchanged)
    dataset = small(readings)
    participants = dataset.live("participants")
    with OtherApi(dataset, readings) as api:
        account = Account.of(tmp_path, api)
        for record in participants[:3]:
            api.put("participants", {**record, "updatedAt": None})
        account.sync()
        assert_equals_truth(account, dataset)
        change(api)
        account.sync(publish=False)
        api.put("participants", {**participants[4], "id": "late", "updatedAt": None})
        account.sync()
        assert_equals_truth(account, dataset)
        stamp, held = account.stamp(), account.store.extract_ids()
        assert account.sync().requests <= QUIET_REQUESTS
        assert (account.stamp(), account.store.extract_ids()) == (stamp, held)
        account.reconcile_whole()
        assert account.store.extract_ids() == held


def test_without_totals_a_deletion_shows_when_lists_are_read_whole(tmp_path: Path) -> None:
    """At night, that is: a total that nobody states can't be compared."""
    dataset = small(SMALL_PAGES)
    with OtherApi(dataset, replace(SMALL_PAGES, total_results="missing")) as api:
        account = Account.of(tmp_path, api)
        account.sync()
        api.delete("participants", dataset.live("participants")[5]["id"])
        assert account.sync().requests <= QUIET_REQUESTS
        account.reconcile_whole()
        assert_equals_truth(account, dataset)


@pytest.mark.parametrize("offset", [timedelta(hours=-3), timedelta(hours=3)])
def test_our_clock_is_wrong_and_the_api_does_not_tell_its_own(
    offset: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldt_pipeline import instants
    from ldt_pipeline.api import paging
    from ldt_pipeline.feeds import changes, reader, rosters, snapshots

    def wrong() -> Any:
        return instants.now() + offset

    for module in (paging, changes, reader, rosters, snapshots):
        monkeypatch.setattr(module, "now", wrong)
    monkeypatch.setattr(reader, "_WINDOW_RECORDS_MOST", 40)
    readings = replace(SMALL_PAGES, date_header=False)
    dataset = small(readings)
    with OtherApi(dataset, readings) as api:
        account = Account.of(tmp_path, api)
        account.sync(publish=False)
        change(api)
        account.sync(publish=False)
        assert_equals_truth(account, dataset, is_published=False)
        newest = max(each["updatedAt"] for each in dataset.live("participants"))
        late = dataset.live("participants")[9]["id"]
        api.touch("participants", late, at=newest - timedelta(seconds=2), bibNumber="late")
        account.sync(publish=False)
        assert_equals_truth(account, dataset, is_published=False)


def test_ids_that_are_numbers_with_a_point_are_of_the_records_that_are_held(tmp_path: Path) -> None:
    """`"id": 123.0` is 123 everywhere: whoever was read whole isn't missing."""
    dataset = make_dataset(
        5, participants=20, applications=4, partners=2, groups=2, numeric_ids=True
    )
    with OtherApi(dataset, replace(SMALL_PAGES, text_as_numbers=True)) as api:
        answer = api.handle

        def with_points(**request: Any) -> tuple[int, Any]:
            status, value = answer(**request)
            data = value.get("data", value)
            for record in data if isinstance(data, list) else [data]:
                if isinstance(record.get("id"), int):
                    record["id"] = float(record["id"])
            return status, value

        api.handle = with_points  # type: ignore[method-assign]
        account = Account.of(tmp_path, api)
        account.sync(publish=False)
        held = account.store.extract_ids()
        account.reconcile_whole()
        assert account.store.extract_ids() == held
        assert_equals_truth(account, dataset)


def test_every_reading_has_a_test() -> None:
    others = {
        "fields",
        "nested_nulls",
        "missing_keys",
        "max_page_size",
        "latency",
        "missing_status",
        "missing_answer",
        "empty_list",
        "roster_windows",
        "obeys_sort",
    }
    named = {*OF_LISTS, *OF_SHAPES, *OF_TRANSPORT, *others}
    assert named == {field.name for field in fields(Readings)}
