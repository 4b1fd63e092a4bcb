"""Lists of events that a clock ahead of time dated, as lines of `ldt check`.

What belongs here: finding them, and what to do. What doesn't: reading those lists (`feeds/snapshots.py`).

They bear no time of change, so of two readings the one with the later date counts. One that was made
while this machine's clock was a year ahead counts for a year. All else is ordered by the API's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ldt_pipeline.cli.lines import Line
from ldt_pipeline.cli.text import counted
from ldt_pipeline.feeds.catalogue import SNAPSHOT_FEEDS
from ldt_pipeline.instants import AHEAD_MOST, now
from ldt_pipeline.raw import RawStore

if TYPE_CHECKING:
    from ldt_pipeline.settings import Settings


def ahead_lines(settings: Settings) -> Iterator[Line]:
    """Say which extracts of events' lists keep newer ones from counting."""
    store = RawStore(str(settings.raw_dir))
    for feed in SNAPSHOT_FEEDS:
        dated = [
            each.extracted_at
            for each in store.manifests(feed.name)
            if each.extracted_at > now() + AHEAD_MOST
        ]
        if dated:
            folder = settings.raw_dir / feed.name
            yield Line(
                "✗", feed.name, f"{counted(len(dated), 'extract')} in {folder} were read while this "
                f"machine's clock was ahead, the last on {max(dated):%Y-%m-%d %H:%M} UTC by it: until "
                "then, nothing newer counts. See that the clock is right now, move the files whose names "
                "begin with such a date out of that folder, and run `ldt rebuild` and `ldt sync`",
            )  # fmt: skip
