"""Data that moves while it is read, and what the raw store holds after that."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ldt_pipeline.api.client import Client
from ldt_pipeline.instants import parse_instant
from ldt_pipeline.raw import RawStore
from ldt_pipeline_tests.other_api import Dataset, OtherApi, Readings

Move = Callable[[Dataset, random.Random], None]


def records(count: int, *, newest: datetime | None = None, step_seconds: float = 60) -> Dataset:
    """Give the plainest of participants, each changed a minute after the one before."""
    newest = newest or datetime(2025, 6, 1, tzinfo=UTC)
    dataset = Dataset()
    for number in range(count):
        changed_at = newest - timedelta(seconds=step_seconds * (count - number))
        dataset.put("participants", record(f"p{number:05d}", changed_at))
    return dataset


def record(record_id: str, changed_at: datetime, **values: Any) -> dict[str, Any]:
    changed_at = changed_at.replace(microsecond=changed_at.microsecond // 1000 * 1000)
    times = {"createdAt": changed_at, "updatedAt": changed_at}
    return {"id": record_id, "eventId": "e1", "raceId": "r1", **times, **values}


def update_old(dataset: Dataset, chances: random.Random) -> None:
    _touch(dataset, 0)


def update_middle(dataset: Dataset, chances: random.Random) -> None:
    _touch(dataset, len(dataset.live("participants")) // 2)


def update_any(dataset: Dataset, chances: random.Random) -> None:
    _touch(dataset, chances.randrange(len(dataset.live("participants"))))


def delete_old(dataset: Dataset, chances: random.Random) -> None:
    dataset.delete("participants", _by_change(dataset)[0]["id"])


def delete_middle(dataset: Dataset, chances: random.Random) -> None:
    in_order = _by_change(dataset)
    dataset.delete("participants", in_order[len(in_order) // 2]["id"])


def delete_newest(dataset: Dataset, chances: random.Random) -> None:
    dataset.delete("participants", _by_change(dataset)[-1]["id"])


def add(dataset: Dataset, chances: random.Random) -> None:
    dataset.put("participants", record(f"n{chances.randrange(10**9)}", datetime.now(UTC)))


def delete_and_add(dataset: Dataset, chances: random.Random) -> None:
    """The total stays as it was."""
    delete_old(dataset, chances)
    add(dataset, chances)


def update_many(dataset: Dataset, chances: random.Random) -> None:
    for _ in range(7):
        update_any(dataset, chances)


MOVES: list[Move] = [
    *(update_old, update_middle, update_any, delete_old, delete_middle, delete_newest),
    *(add, delete_and_add, update_many),
]


class Mover:
    """Moves data before some of a server's requests."""

    def __init__(self, dataset: Dataset, move: Move, *, at: int | None, seed: int = 0) -> None:
        self._dataset = dataset
        self._move = move
        self._at = at
        self._chances = random.Random(seed)
        self.requests = 0
        self.is_on = True

    def __call__(self, method: str, path: str, query: Mapping[str, str]) -> None:
        self.requests += 1
        if self.is_on and self._at in (None, self.requests):
            self._move(self._dataset, self._chances)


def client_of(api: OtherApi, **others: Any) -> Client:
    return Client(base_url=api.base_url, api_key=api.api_key, retries=1, backoff_factor=0, **others)


def newest_stored(store: RawStore, feed: str = "participants") -> dict[str, str]:
    """Give the `updatedAt` of the newest version of each record in the store."""
    found: dict[str, str] = {}
    for manifest in store.manifests(feed):
        for batch in store.read(manifest, batch_records=1_000):
            for body in batch:
                each = json.loads(body)
                found[each["id"]] = max(found.get(each["id"], ""), each["updatedAt"])
    return found


def assert_holds(store: RawStore, dataset: Dataset) -> None:
    """See that the newest version of every live record is in the store."""
    stored = {name: parse_instant(at) for name, at in newest_stored(store).items()}
    expected = {
        each["id"]: each["updatedAt"].replace(
            microsecond=each["updatedAt"].microsecond // 1000 * 1000
        )
        for each in dataset.live("participants")
    }
    wrong = {
        name: (stored.get(name), at) for name, at in expected.items() if stored.get(name) != at
    }
    assert not wrong, f"{len(wrong)} are missing or old: {dict(list(wrong.items())[:3])}"


def serve(dataset: Dataset, readings: Readings, mover: Mover | None = None) -> OtherApi:
    return OtherApi(dataset, readings, before_request=mover)


def _touch(dataset: Dataset, place: int) -> None:
    dataset.touch("participants", _by_change(dataset)[place]["id"])


def _by_change(dataset: Dataset) -> list[dict[str, Any]]:
    return sorted(dataset.live("participants"), key=lambda each: (each["updatedAt"], each["id"]))
