"""Pages a second when a list is read into the raw store, beside what the line and the server allow.

    make bench-fetch                                     1 to 16 walkers at 0, 50 and 200 ms
    make bench-fetch FETCH="--latency-ms 50 --walkers 8 --participants 100000"
    make bench-fetch FETCH="--applications 100000"       a ballot: many records of one instant

Ours is what `ldt sync` calls: windows, proofs, and extracts on the disk. Beside it stand two bounds.
The line: so many walkers, each waiting for its answer, and nothing else. The server: threads that get
the very same pages with urllib3, know all their addresses beforehand, and drop what they get. The
sandbox serves from another process of the same machine, which is where the second bound comes from.
Both take turns, after one round that isn't counted.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from benchmarks.measuring import sandbox, spread
from ldt_pipeline.api.catalogue import PAGE_SIZE_MAX, Operation
from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import APPLICATIONS, PARTICIPANTS, ChangeFeed
from ldt_pipeline.feeds.changes import fetch_changes
from ldt_pipeline.raw import RawStore


@dataclass(frozen=True, kw_only=True)
class Round:
    """One reading by us, and the same pages by urllib3: pages, and requests that were none."""

    pages: int
    probes: int
    seconds: float
    processor: float
    bare_seconds: float

    @property
    def rate(self) -> float:
        return self.pages / self.seconds

    @property
    def bare_rate(self) -> float:
        return self.pages / self.bare_seconds


class NotingClient(Client):
    """A client that keeps the address of each page that it got."""

    def __init__(self, environment: Mapping[str, str], walkers: int) -> None:
        super().__init__(
            base_url=environment["LDT_API_BASE_URL"],
            api_key=environment["LDT_API_KEY"],
            max_in_flight=walkers,
        )
        self.pages: list[str] = []
        self._noting = threading.Lock()

    def get_page(
        self,
        operation: Operation,
        *,
        record_id: str | None = None,
        parameters: Mapping[str, str],
    ) -> Any:
        page = super().get_page(operation, record_id=record_id, parameters=parameters)
        if parameters["page[size]"] == str(PAGE_SIZE_MAX):
            with self._noting:
                self.pages.append(f"{self.base_url}{operation.path}?{urlencode(parameters)}")
        return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--participants", type=int, default=20_000)
    parser.add_argument("--applications", type=int, help="read so many of these instead")
    parser.add_argument("--latency-ms", type=float, nargs="*", default=[0, 50, 200])
    parser.add_argument("--walkers", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    feed, count = PARTICIPANTS, arguments.participants
    if arguments.applications:
        feed, count = APPLICATIONS, arguments.applications
    others = {"--participants": "1000", "--applications": "0"} | {f"--{feed.name}": str(count)}
    done: dict[tuple[float, int], list[Round]] = {}
    with ExitStack() as servers:
        environments = {
            latency: servers.enter_context(
                sandbox(
                    *(each for option in others.items() for each in option),
                    *("--latency-ms", str(latency)),
                )
            )
            for latency in arguments.latency_ms
        }
        for environment in environments.values():
            measure(environment, max(arguments.walkers), feed, count)
        for _ in range(arguments.rounds):
            for latency, environment in environments.items():
                for walkers in arguments.walkers:
                    found = measure(environment, walkers, feed, count)
                    done.setdefault((latency, walkers), []).append(found)
    show(done, f"{count:,} {feed.name}", arguments.rounds)


def measure(environment: Mapping[str, str], walkers: int, feed: ChangeFeed, count: int) -> Round:
    """Read a list into a new raw store, then get the same pages again.

    Raises:
        SystemExit: A record is missing.
    """
    client = NotingClient(environment, walkers)
    with tempfile.TemporaryDirectory() as folder, client:
        started, used = time.monotonic(), time.process_time()
        fetched = fetch_changes(client, RawStore(folder), feed)
        seconds, processor = time.monotonic() - started, time.process_time() - used
    if fetched.seen < count:
        raise SystemExit(f"{fetched.seen} of {count} {feed.name} arrived.")
    return Round(
        pages=len(client.pages),
        probes=client.requests_sent - len(client.pages),
        seconds=seconds,
        processor=processor,
        bare_seconds=get_bare(environment, client.pages, walkers),
    )


def get_bare(environment: Mapping[str, str], addresses: list[str], walkers: int) -> float:
    """Get pages with urllib3 alone; gives the seconds that it took."""
    headers = {
        "Authorization": f"Bearer {environment['LDT_API_KEY']}",
        "Accept": "application/json",
    }
    with urllib3.PoolManager(maxsize=walkers) as pool, ThreadPoolExecutor(walkers) as threads:

        def get(address: str) -> int:
            return len(pool.request("GET", address, headers=headers).data)

        started = time.monotonic()
        sizes = list(threads.map(get, addresses))
        seconds = time.monotonic() - started
    assert min(sizes) > 0
    return seconds


def show(done: Mapping[tuple[float, int], list[Round]], read: str, rounds_made: int) -> None:
    """Print what was measured."""
    print(f"{read}, {rounds_made} rounds in turn: medians, with the least and the most")
    print(
        "| latency | walkers | pages | other requests | ours, pages/s | urllib3 alone, pages/s "
        "| the line allows | of the line | of urllib3 alone | our processor, ms a page |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (latency, walkers), rounds in done.items():
        line = walkers / latency * 1_000 if latency else None
        print(
            f"| {latency:g} ms | {walkers} "
            f"| {spread([each.pages for each in rounds], 0)} "
            f"| {spread([each.probes for each in rounds], 0)} "
            f"| {spread([each.rate for each in rounds])} "
            f"| {spread([each.bare_rate for each in rounds])} "
            f"| {f'{line:.0f}' if line else '-'} "
            f"| {spread([each.rate / line for each in rounds], 2) if line else '-'} "
            f"| {spread([each.rate / each.bare_rate for each in rounds], 2)} "
            f"| {spread([each.processor / each.pages * 1_000 for each in rounds])} |"
        )


if __name__ == "__main__":
    main()
