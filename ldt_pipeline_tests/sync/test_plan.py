"""Which months a list has changes in, and when it is short or long: told from one answer or two."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import PARTICIPANTS
from ldt_pipeline.feeds.positions import TAIL
from ldt_pipeline.instants import month_of
from ldt_pipeline.raw import RawStore, Walk
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.quarantine import set_aside
from ldt_pipeline.sync.plan import FeedPlan, plan_feeds
from ldt_pipeline.sync.state import State
from ldt_pipeline_tests.api.scripted import Scripted, answer
from ldt_pipeline_tests.warehouse.histories import START

DAY = timedelta(days=1)
LATER = START + 40 * DAY


def page(total: int | None, *changed: datetime | None) -> bytes:
    records: list[dict[str, Any]] = [
        {"id": f"p{number}", "updatedAt": None if each is None else each.isoformat()}
        for number, each in enumerate(changed)
    ]
    return answer({"data": records, "page": {"totalResults": total}})


def plan(
    store: RawStore,
    answers: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    *,
    held: int = 0,
    rejected: int = 0,
) -> tuple[FeedPlan, int]:
    """Give the plan of participants, and how many requests it took."""
    monkeypatch.setattr("ldt_pipeline.sync.plan.CHANGE_FEEDS", (PARTICIPANTS,))
    state = State(held={PARTICIPANTS.name: held}, rejected={PARTICIPANTS.name: rejected})
    with (
        Scripted(*answers) as api,
        Client(base_url=api.base_url, api_key="k", retries=0) as client,
    ):
        (found,) = plan_feeds(client, store, state)
        return found, client.requests_sent


def was_read(store: RawStore, watermark: datetime | None, *, after: timedelta = 90 * DAY) -> None:
    """Note that the list was read to its end, by default long after its newest change."""
    walk = Walk(
        walk_id="w",
        feed=PARTICIPANTS.name,
        after=None,
        before=None,
        started_at=START + after,
        newest_updated_at=watermark,
        newest_seen_at=START,
        total=None,
        distinct=0,
        proved_by="total",
        walks=1,
        extracts=(),
    )
    store.write_walk(walk, name=TAIL)


def damage(store: RawStore, month: str) -> None:
    error = DamagedExtractError(
        "", feed=PARTICIPANTS.name, folder=f"updated_in={month}", extract_id=month, reason="test"
    )
    set_aside(store, error)


def test_a_first_load_begins_at_the_oldest_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RawStore(str(tmp_path))
    found, requests = plan(store, [page(5, LATER), page(5, START)], monkeypatch)
    assert (found.months, requests) == (("2025-01", "2025-03"), 2)
    found, requests = plan(store, [page(0)], monkeypatch)
    assert found.months is not None, "an empty list is read as well: then it is known to be"
    assert requests == 1


@pytest.mark.parametrize(
    ("newest", "total", "held", "rejected", "months", "is_short_or_long"),
    [
        (START, 5, 5, 0, None, False),
        (START, None, 5, 0, None, False),
        (START, 4, 5, 0, None, True),
        (START, 6, 5, 0, None, True),
        (START, 6, 5, 1, None, False),
        (START, 7, 5, 1, None, True),
        (LATER, 6, 5, 0, ("2025-01", "2025-03"), False),
        (LATER, 5, 5, 0, ("2025-01", "2025-03"), False),
    ],
)
def test_what_a_list_says_of_itself(
    *,
    newest: datetime,
    total: int | None,
    held: int,
    rejected: int,
    months: tuple[str, str] | None,
    is_short_or_long: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RawStore(str(tmp_path))
    was_read(store, START)
    found, requests = plan(store, [page(total, newest)], monkeypatch, held=held, rejected=rejected)
    assert (found.months, found.is_short_or_long) == (months, is_short_or_long)
    assert found.is_quiet == (months is None and not is_short_or_long)
    assert requests == 1


@pytest.mark.parametrize(
    ("total", "changed", "is_short"), [(5, [LATER], False), (4, [], True), (5, [], False)]
)
def test_a_first_record_that_is_older_than_the_newest_that_was_read(
    *,
    total: int,
    changed: list[datetime],
    is_short: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The newest was deleted, or the list isn't in the order that was asked for: then it hides news."""
    store = RawStore(str(tmp_path))
    was_read(store, START)
    answers = [page(total, START - 40 * DAY), page(len(changed), *changed)]
    found, requests = plan(store, answers, monkeypatch, held=5)
    months = ("2025-01", month_of(found.totals.asked_at)) if changed else None
    assert (found.months, found.is_short_or_long, requests) == (months, is_short, 2)


def test_a_list_that_was_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RawStore(str(tmp_path))
    was_read(store, None)
    assert plan(store, [page(0)], monkeypatch)[0].is_quiet
    assert plan(store, [page(1, LATER)], monkeypatch)[0].months == ("2025-03", "2025-03")


@pytest.mark.parametrize(
    ("after", "newest"),
    [
        # Read right after its newest change: an older one may have been committed since.
        (timedelta(minutes=1), START),
        # A record without an instant stands before all others, and hides which one is the newest.
        (90 * DAY, None),
    ],
)
def test_where_the_newest_change_tells_not_all_the_end_is_looked_at(
    after: timedelta, newest: datetime | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RawStore(str(tmp_path))
    was_read(store, START, after=after)
    answers = [page(5, newest), page(1, START + timedelta(seconds=2))]
    found, requests = plan(store, answers, monkeypatch, held=5)
    assert found.months is not None
    assert (found.months[0], requests) == ("2025-01", 2)
    nothing = answer({"data": [], "page": {"totalResults": 0}})
    found, requests = plan(store, [page(5, newest), nothing], monkeypatch, held=5)
    assert (found.is_quiet, requests) == (True, 2)


@pytest.mark.parametrize(
    ("feed", "folder", "is_short_or_long"),
    [
        ("race_participants", "race_id=7", True),
        ("deletions", "of=participants", True),
        ("deletions", "of=applications", False),
        ("event_applications", "event_id=7", False),
    ],
)
def test_a_list_of_which_findings_are_damaged_is_reconciled(
    feed: str,
    folder: str,
    *,
    is_short_or_long: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RawStore(str(tmp_path))
    was_read(store, START)
    error = DamagedExtractError("", feed=feed, folder=folder, extract_id="x", reason="test")
    set_aside(store, error)
    found, _ = plan(store, [page(5, START)], monkeypatch, held=5)
    assert (found.months, found.is_short_or_long) == (None, is_short_or_long)


@pytest.mark.parametrize(
    ("damaged", "newest", "months"),
    [
        (["2024-12"], START, ("2024-12", "2024-12")),
        (["2024-12", "2025-02"], START, ("2024-12", "2025-02")),
        (["2024-12"], LATER, ("2024-12", "2025-03")),
        (["2025-02"], LATER, ("2025-01", "2025-03")),
        (["2026-01"], LATER, ("2025-01", "2026-01")),
    ],
)
def test_months_with_damage_are_read_again(
    damaged: list[str],
    newest: datetime,
    months: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RawStore(str(tmp_path))
    was_read(store, START)
    for month in damaged:
        damage(store, month)
    assert plan(store, [page(5, newest)], monkeypatch, held=5)[0].months == months
