"""How long publishing takes, by its parts, while somebody opens the file again and again.

    make bench-publish                                       50,000 participants
    make bench-publish PUBLISH="--participants 200000 --rounds 5"

The warehouse is made as `ldt sync` makes it: people of the sandbox, read over HTTP, loaded, and marts
of them. Then the same file is published so often, each time in full, while a reader in another
process opens it, counts, and closes it without a pause. Rounds with a reader and without take turns.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.measuring import sandbox, spread
from ldt_pipeline.api.client import Client
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.feeds.changes import fetch_changes
from ldt_pipeline.feeds.snapshots import fetch_snapshots
from ldt_pipeline.raw import RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse import publish as publishing
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import BUILDERS, Sources, build_mart

_PARTS = {
    "_content": "seeing whether anything is new",
    "_copy": "copying tables, two at a time",
    "_create_view": "views",
    "put_in_place": "flushing to the disk, and renaming",
}


@dataclass(kw_only=True)
class Round:
    """One publication: its seconds, and when its parts began and ended."""

    seconds: float = 0.0
    spans: dict[str, list[tuple[float, float]]] = field(
        default_factory=dict[str, list[tuple[float, float]]]
    )

    def part(self, name: str) -> float:
        """Give the seconds from a part's first beginning to its last end."""
        spans = self.spans.get(name, [(0.0, 0.0)])
        return max(end for _, end in spans) - min(begin for begin, _ in spans)

    @property
    def rest(self) -> float:
        return self.seconds - sum(self.part(name) for name in _PARTS)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a reader met: how long each opening took, with its count, and what failed."""

    seconds: list[float]
    failures: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--participants", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_warehouse(folder, arguments.participants)
        path = folder / "ldt.duckdb"
        alone: list[Round] = []
        beside: list[Round] = []
        opened: list[Opened] = []
        with open_warehouse(folder / "warehouse.duckdb") as connection:
            publishing.publish(connection, path, force=True)
            for _ in range(arguments.rounds):
                alone.append(publish(connection, path))
                with reader(path) as stop:
                    beside.append(publish(connection, path))
                    opened.append(stop())
        size = path.stat().st_size
    show(alone, beside, opened)
    print(f"\n{arguments.participants:,} participants; the file has {size / 1_000_000:,.0f} MB.")
    if any(each.failures for each in opened):
        raise SystemExit(next(text for each in opened for text in each.failures))


def make_warehouse(folder: Path, participants: int) -> None:
    """Read a sandbox's people, load them, and make the marts of them."""
    store = RawStore(str(folder / "raw"))
    with (
        sandbox("--participants", str(participants), "--applications", "0") as environment,
        Client(
            base_url=environment["LDT_API_BASE_URL"], api_key=environment["LDT_API_KEY"]
        ) as client,
        open_warehouse(folder / "warehouse.duckdb") as connection,
    ):
        for feed in CHANGE_FEEDS:
            fetch_changes(client, store, feed)
        load_pending(connection, store)
        events = connection.execute("SELECT DISTINCT event_id FROM tidy.participants").fetchall()
        for feed in SNAPSHOT_FEEDS:
            fetch_snapshots(client, store, feed, [str(each[0]) for each in events])
        load_pending(connection, store)
        sources = Sources(
            connection=connection, questions=load_questions(None), configured_event_ids=()
        )
        for mart in BUILDERS:
            build_mart(sources, mart)


def publish(connection: duckdb.DuckDBPyConnection, path: Path) -> Round:
    """Publish in full, and note when each part ran."""
    found = Round()
    with _watched(found):
        started = time.monotonic()
        publishing.publish(connection, path, force=True)
        found.seconds = time.monotonic() - started
    return found


@contextmanager
def _watched(found: Round) -> Generator[None]:
    """Stand in for the parts of publishing, and note when they begin and end."""
    parts: dict[str, Callable[..., Any]] = {each: getattr(publishing, each) for each in _PARTS}

    def watch(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
        def run(*values: Any, **named: Any) -> Any:
            begun = time.monotonic()
            try:
                return part(*values, **named)
            finally:
                found.spans.setdefault(name, []).append((begun, time.monotonic()))

        return run

    try:
        for name, part in parts.items():
            setattr(publishing, name, watch(name, part))
        yield
    finally:
        for name, part in parts.items():
            setattr(publishing, name, part)


@contextmanager
def reader(path: Path) -> Generator[Callable[[], Opened]]:
    """Read the file from another process, until the given function is called: that tells how it went."""
    context = mp.get_context("spawn")
    stop, begun = context.Event(), context.Event()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read_on, args=(path, begun, stop, theirs), daemon=True)
    process.start()
    begun.wait(60)

    def end() -> Opened:
        stop.set()
        return ours.recv()

    try:
        yield end
    finally:
        stop.set()
        process.join(30)


def _read_on(path: Path, begun: Event, stop: Event, told: Connection) -> None:
    seconds: list[float] = []
    failures: list[str] = []
    counts: set[int] = set()
    while not stop.is_set():
        started = time.monotonic()
        try:
            with duckdb.connect(str(path), read_only=True) as connection:
                rows = connection.execute("SELECT count(*) FROM start_list").fetchall()
            counts.add(rows[0][0])
        except duckdb.Error as error:
            failures.append(f"{type(error).__name__}: {error}")
        seconds.append(time.monotonic() - started)
        begun.set()
    if len(counts) != 1:
        failures.append(f"The reader counted differently each time: {sorted(counts)}.")
    told.send(Opened(seconds=seconds, failures=failures))


def show(alone: list[Round], beside: list[Round], opened: list[Opened]) -> None:
    """Print what was measured."""
    print(f"{len(alone)} rounds in turn: medians, with the least and the most, in seconds")
    print("| | nobody reads | somebody reads | of it |\n|---|---|---|---|")
    lines: Mapping[str, Callable[[Round], float]] = {
        **{text: lambda each, name=name: each.part(name) for name, text in _PARTS.items()},
        "the checkpoint, and what else": lambda each: each.rest,
        "all": lambda each: each.seconds,
    }
    for text, seconds in lines.items():
        share = [seconds(each) / each.seconds for each in beside]
        print(
            f"| {text} | {spread([seconds(each) for each in alone], 2)} "
            f"| {spread([seconds(each) for each in beside], 2)} | {spread(share, 2)} |"
        )
    ratios = [with_.seconds / without.seconds for without, with_ in zip(alone, beside, strict=True)]
    openings = [seconds for each in opened for seconds in each.seconds]
    print(f"\nBeside a reader it takes {spread(ratios, 2)} times as long.")
    print(
        f"The reader opened the file {len(openings):,} times; {sum(len(e.failures) for e in opened)} "
        f"failed. It took {spread([each * 1_000 for each in openings], 0)} ms to open and count."
    )


if __name__ == "__main__":
    main()
