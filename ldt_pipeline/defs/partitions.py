"""How raw data is cut: by month of the last change, by event, by race.

What belongs here: partitions and their keys, and which of them are new or due. What doesn't: when to look
(`sensors.py`), and what makes an event due (`sync/plan.py`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import unquote

import dagster as dg

from ldt_pipeline.instants import month_of, now
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.plan import due_events
from ldt_pipeline.sync.state import State

EVENT_KEYS = "event_id"
RACE_KEYS = "race_id"
EVENTS = dg.DynamicPartitionsDefinition(name=EVENT_KEYS)
RACES = dg.DynamicPartitionsDefinition(name=RACE_KEYS)

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""The tags of a run that say which partitions it is for."""

_SPECIAL = frozenset('%"*,[]|')
_DOTS = re.compile(r"\.{3,}")
_BLANKS_AROUND = re.compile(r"^ +| +$")


def key_of(record_id: str) -> str:
    """Give the partition key of an event or race: its id, but for characters that can't be in one.

    Dagster refuses `...` and some control characters, and its pages give brackets, commas and
    others a meaning. Those are written as in an address (`%0A`), and so is `%`: each id has a key
    of its own, and an ordinary id is its own key.
    """
    if record_id.isalnum():
        return record_id
    escaped = "".join(_escaped(each) if _is_special(each) else each for each in record_id)
    for pattern, place in ((_DOTS, "%2E"), (_BLANKS_AROUND, "%20")):
        escaped = pattern.sub(lambda found, place=place: place * len(found[0]), escaped)
    return escaped


def id_of(key: str) -> str:
    """Give the id of the event or race that a partition key stands for."""
    return unquote(key, errors="surrogatepass")


def _is_special(character: str) -> bool:
    # Not printable are controls, marks that turn text around, halves of characters, odd blanks.
    return character in _SPECIAL or not character.isprintable()


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def months(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Give the months from the start of the history to this one, which is partial."""
    return dg.MonthlyPartitionsDefinition(
        start_date=f"{settings.history_start:%Y-%m}", end_offset=1, fmt="%Y-%m", timezone="UTC"
    )


def clamp_months(settings: Settings, first: str, last: str) -> tuple[str, str]:
    """Move months into the range that partitions exist for.

    What the API changed before the history starts is in the raw store under its own month, and
    counts for the first partition.
    """
    lowest = f"{settings.history_start:%Y-%m}"
    highest = month_of(now())
    return min(max(first, lowest), highest), min(max(last, lowest), highest)


def contiguous_ranges(
    wanted: list[str], existing: list[str], *, most: int = 4
) -> list[tuple[str, str]]:
    """Cover wanted partition keys by few ranges of the order in which partitions exist.

    A run takes one range. Where the wanted keys lie in more pieces than `most`, the nearest pieces
    are joined: reading an event once too often is cheaper than a run more. Ranges come in the order
    in which their first key is wanted.
    """
    rank = {existing.index(key): rank for rank, key in enumerate(dict.fromkeys(wanted))}
    positions = sorted(rank)
    if not positions:
        return []
    pieces: list[list[int]] = [[positions[0], positions[0]]]
    for position in positions[1:]:
        if position == pieces[-1][1] + 1:
            pieces[-1][1] = position
        else:
            pieces.append([position, position])
    while len(pieces) > most:
        gaps = [after[0] - before[1] for before, after in pairwise(pieces)]
        nearest = gaps.index(min(gaps))
        pieces[nearest : nearest + 2] = [[pieces[nearest][0], pieces[nearest + 1][1]]]
    pieces.sort(
        key=lambda piece: min(at for place, at in rank.items() if piece[0] <= place <= piece[1])
    )
    return [(existing[first], existing[last]) for first, last in pieces]


def missing_partitions(instance: dg.DagsterInstance, state: State) -> tuple[list[str], list[str]]:
    """Give the keys of the events and races that we know and that have no partition yet."""
    events = set(instance.get_dynamic_partitions(EVENT_KEYS))
    races = set(instance.get_dynamic_partitions(RACE_KEYS))
    return (
        [key for event in state.events if (key := key_of(event.event_id)) not in events],
        [key for race_id in state.races if (key := key_of(race_id)) not in races],
    )


def due_keys(settings: Settings, state: State, *, whole: bool = False) -> list[str]:
    """Give the partition keys of the events whose groups and tickets are to be read.

    `whole` gives all of them.
    """
    if whole:
        return [key_of(event.event_id) for event in state.events]
    due = due_events(state.events, refresh_minutes=settings.event_refresh_minutes)
    return [key_of(event_id) for event_id in due]


def range_tags(first: str, last: str) -> dict[str, str]:
    """Give the tags that make one run of a range of partitions."""
    return dict(zip(RANGE_TAGS, (first, last), strict=True))
