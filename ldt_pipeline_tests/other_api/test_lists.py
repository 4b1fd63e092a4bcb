"""Lists walk, end, filter and count as the readings say, over real HTTP. These tests are the
readings' proof: a client that met a server that only claims to be odd has met nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ldt_pipeline_tests.other_api import (
    Dataset,
    OtherApi,
    Readings,
    expected_entries,
    expected_ids,
    make_dataset,
)
from ldt_pipeline_tests.other_api.walking import ASCENDING, get, ids, pages


@pytest.mark.parametrize("cursors", ["opaque", "record_id", "offset"])
@pytest.mark.parametrize("end_of_list", ["null", "absent", "empty_string"])
@pytest.mark.parametrize("direction", ["1", "-1"])
def test_walk_sees_each_record_once(cursors: str, end_of_list: str, direction: str) -> None:
    dataset = make_dataset(1, participants=200, mass_update=90)
    with OtherApi(dataset, Readings(cursors=cursors, end_of_list=end_of_list)) as api:
        walked = pages(api, "/participants", **{"sort[updatedAt]": direction, "page[size]": "70"})
    assert sorted(ids(walked)) == sorted(expected_ids(dataset, "participants"))
    instants = [record["updatedAt"] for page in walked for record in page["data"]]
    assert instants == sorted(instants, reverse=direction == "-1")
    assert walked[0]["page"]["totalResults"] == len(instants)
    assert ("next" in walked[-1]["page"]) == (end_of_list != "absent")


@pytest.mark.parametrize("cursors", ["opaque", "record_id", "offset"])
class TestListsThatDoNotEnd:
    def walk(self, dataset: Dataset, cursors: str, end_of_list: str, most: int) -> list[Any]:
        readings = Readings(cursors=cursors, end_of_list=end_of_list)
        with OtherApi(dataset, readings) as api:
            return pages(api, "/participants", most=most, **ASCENDING)

    def test_last_cursor_again(self, cursors: str) -> None:
        walked = self.walk(make_dataset(2, participants=250), cursors, "last_cursor_again", 6)
        assert [bool(page["data"]) for page in walked] == [True, True, True, False, False, False]
        assert len({str(page["page"]["next"]) for page in walked[2:]}) == 1
        assert walked[2]["page"]["next"] == walked[2]["page"]["last"]

    def test_next_equals_first(self, cursors: str) -> None:
        walked = self.walk(make_dataset(2, participants=90), cursors, "next_equals_first", 3)
        assert walked[0]["page"]["next"] == walked[0]["page"]["first"]
        assert walked[1]["data"] == walked[0]["data"][1:]

    def test_always_new_cursor(self, cursors: str) -> None:
        walked = self.walk(make_dataset(2, participants=150), cursors, "always_new_cursor", 8)
        assert [bool(page["data"]) for page in walked] == [True, True] + [False] * 6
        assert len({str(page["page"]["next"]) for page in walked}) == 8

    def test_always_new_cursor_of_an_empty_list(self, cursors: str) -> None:
        walked = self.walk(make_dataset(2, participants=0), cursors, "always_new_cursor", 5)
        assert len({str(page["page"]["next"]) for page in walked}) == 5

    def test_wraps_around(self, cursors: str) -> None:
        dataset = make_dataset(2, participants=250)
        walked = self.walk(dataset, cursors, "wraps_around", 9)
        assert len({str(page["page"]["next"]) for page in walked}) == 9
        assert ids(walked[:3]) == ids(walked[3:6]) == ids(walked[6:])
        assert set(ids(walked[:3])) == expected_ids(dataset, "participants")


def test_backwards_with_before() -> None:
    for cursors in ("opaque", "record_id", "offset"):
        with OtherApi(make_dataset(3, participants=230), Readings(cursors=cursors)) as api:
            first, second, *_ = pages(api, "/participants", **ASCENDING)
            back = get(
                api, "/participants", **ASCENDING, **{"page[before]": str(second["page"]["prev"])}
            )
        assert back.json()["data"] == first["data"]


@pytest.mark.parametrize("after_inclusive", [True, False])
@pytest.mark.parametrize("before_inclusive", [True, False])
def test_bounds(after_inclusive: bool, before_inclusive: bool) -> None:
    dataset = make_dataset(4)
    start, end = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
    window = {
        "updatedAt[after]": "2025-02-01T00:00:00.000Z",
        "updatedAt[before]": "2025-03-01T00:00:00.000Z",
    }
    expected = {
        row["id"]
        for row in expected_entries(dataset)
        if not row["is_deleted"]
        and (start < row["updated_at"] < end)
        | (after_inclusive and row["updated_at"] == start)
        | (before_inclusive and row["updated_at"] == end)
    }
    at_bounds = [row for row in expected_entries(dataset) if row["updated_at"] in {start, end}]
    assert len(at_bounds) >= 3, "the data set has nothing on the bounds"
    readings = Readings(after_inclusive=after_inclusive, before_inclusive=before_inclusive)
    with OtherApi(dataset, readings) as api:
        assert set(ids(pages(api, "/participants", **window))) == expected


def test_a_mass_update_spans_pages() -> None:
    dataset = make_dataset(5, mass_update=150)
    instants = [row["updated_at"] for row in expected_entries(dataset)]
    assert max(instants.count(instant) for instant in set(instants)) >= 150


@pytest.mark.parametrize(
    ("cursors", "sees_the_rest"), [("opaque", True), ("record_id", False)], ids=str
)
def test_a_cursor_record_that_is_updated_moves_only_id_cursors(
    cursors: str, sees_the_rest: bool
) -> None:
    dataset = make_dataset(6, participants=300, deleted=0)
    with OtherApi(dataset, Readings(cursors=cursors)) as api:
        first = get(api, "/participants", **ASCENDING).json()
        api.touch("participants", first["data"][-1]["id"])
        rest = pages(api, "/participants", **ASCENDING, **{"page[after]": first["page"]["next"]})
    assert (len(ids(rest)) > 100) == sees_the_rest


@pytest.mark.parametrize("deleted_cursor", ["continue", "bad_request"])
def test_a_cursor_record_that_is_deleted(deleted_cursor: str) -> None:
    dataset = make_dataset(6, participants=300, deleted=0)
    readings = Readings(cursors="record_id", deleted_cursor=deleted_cursor)
    with OtherApi(dataset, readings) as api:
        first = get(api, "/participants", **ASCENDING).json()
        api.delete("participants", first["data"][-1]["id"])
        query = ASCENDING | {"page[after]": first["page"]["next"], "page[size]": "500"}
        second = get(api, "/participants", **query)
    if deleted_cursor == "bad_request":
        assert second.status_code == 400
    else:
        assert len(second.json()["data"]) == 200


def test_orders_without_sort() -> None:
    dataset = make_dataset(7, participants=60)

    def order(readings: Readings) -> tuple[list[str], list[str]]:
        with OtherApi(dataset, readings) as api:
            return tuple(ids(pages(api, "/participants")) for _ in range(2))  # type: ignore[return-value]

    inserted = order(Readings())
    shuffled = order(Readings(default_order="shuffled"))
    by_chance = order(Readings(default_order="random"))
    assert inserted[0] == inserted[1] == [record["id"] for record in dataset.live("participants")]
    assert shuffled[0] == shuffled[1] != inserted[0]
    assert by_chance[0] != by_chance[1]
    assert sorted(by_chance[0]) == sorted(inserted[0])


def test_random_ties_break_a_walk_over_offsets_and_are_sorted_all_the_same() -> None:
    dataset = make_dataset(8, participants=400, mass_update=380, deleted=0)
    with OtherApi(dataset, Readings(cursors="offset", ties="random")) as api:
        walked = pages(api, "/participants", **ASCENDING)
    assert len(ids(walked)) == 400
    assert len(set(ids(walked))) < 400


@pytest.mark.parametrize(
    ("reading", "first", "second"),
    [
        ("right", 250, 250),
        ("text", "250", "250"),
        ("null", None, None),
        ("remaining", 250, 150),
    ],
)
def test_totals(reading: str, first: Any, second: Any) -> None:
    dataset = make_dataset(9, participants=250, deleted=0)
    with OtherApi(dataset, Readings(total_results=reading)) as api:
        walked = pages(api, "/participants", **ASCENDING)
    assert [page["page"]["totalResults"] for page in walked[:2]] == [first, second]


def test_missing_totals_and_totals_of_rosters() -> None:
    dataset = make_dataset(9)
    race_id = dataset.live("participants")[0]["raceId"]
    with OtherApi(dataset, Readings(total_results="missing", roster_totals="text")) as api:
        assert "totalResults" not in get(api, "/participants").json()["page"]
        roster = get(api, f"/races/{race_id}/participants").json()
    in_race = [row for row in expected_entries(dataset) if row["race_id"] == race_id]
    assert roster["page"]["totalResults"] == str(sum(not row["is_deleted"] for row in in_race))


def test_page_size_cap_and_limits() -> None:
    with OtherApi(make_dataset(10), Readings(max_page_size=50)) as api:
        assert len(get(api, "/participants", **{"page[size]": "500"}).json()["data"]) == 50
        assert get(api, "/participants", **{"page[size]": "501"}).status_code == 400
        assert get(api, "/participants", **{"sort[updatedAt]": "up"}).status_code == 400
        assert get(api, "/participants", **{"updatedAt[after]": "soon"}).status_code == 400
        assert get(api, "/participants", **{"page[after]": "garbage"}).status_code == 400


def test_data_moves_in_the_middle_of_a_walk_at_the_same_point_every_time() -> None:
    dataset = make_dataset(20, participants=250, deleted=0)
    lists = 0

    def before_request(method: str, path: str, query: Any) -> None:
        nonlocal lists
        lists += 1
        if lists == 2:
            dataset.put("participants", dataset.live("participants")[0] | {"id": "new"})

    with OtherApi(dataset, before_request=before_request) as api:
        walked = pages(api, "/participants", **ASCENDING)
    assert [page["page"]["totalResults"] for page in walked] == [250, 251, 251]
