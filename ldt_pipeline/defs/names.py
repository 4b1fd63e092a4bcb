"""What events and races are called, for people who look at partitions and runs by their ids.

What belongs here: looking names up in the published file, and tags that say which event a run is
about. What doesn't: names in tables, which come from the records themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import dagster as dg
import duckdb

from ldt_pipeline.defs.partitions import key_of
from ldt_pipeline.plain_text import clean
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.swap import identity

_NAMES = """
    SELECT event_id, event_name FROM events WHERE event_name IS NOT NULL
    UNION ALL
    SELECT race_id, concat_ws(', ', event_name, race_name) FROM races WHERE race_name IS NOT NULL
"""

_EVENTS_OF_RACES = "SELECT race_id, event_id FROM races WHERE event_id IS NOT NULL"

EVENT_TAG = "ldt/event"
EVENT_NAME_TAG = "ldt/event_name"
_NAME_CHARACTERS_MOST = 60


def tag_run(
    context: dg.AssetExecutionContext,
    path: Path,
    *,
    events: Iterable[str] = (),
    races: Iterable[str] = (),
) -> None:
    """Tag a run with the event that it is about, for the list of runs; not, where it is several.

    The event's id is written as the key of its partition. It is done by the run itself, so that it
    makes no difference who started it: a person, a sensor or the command line.
    """
    wanted = set(events)
    races = set(races)
    if races:
        event_of = _look_up(path, _EVENTS_OF_RACES)
        wanted |= {event_of.get(race_id, "") for race_id in races}
    if len(wanted) != 1 or wanted == {""}:
        return
    (event_id,) = wanted
    tags = {EVENT_TAG: key_of(event_id)}
    name = published_names(path).get(event_id)
    if name is not None:
        tags[EVENT_NAME_TAG] = clean(name)[:_NAME_CHARACTERS_MOST]
    context.instance.add_run_tags(context.run.run_id, tags)


def published_names(path: Path) -> Mapping[str, str]:
    """Give the names of events and races by their ids, as they were last published.

    None are known before the first publication, or from a file that another version made: they
    are for reading only, and never a reason to fail.
    """
    return _look_up(path, _NAMES)


def _look_up(path: Path, query: str) -> Mapping[str, str]:
    try:
        return _read(path, identity(path), query)
    except (FileNotFoundError, duckdb.Error):
        return {}


@lru_cache(maxsize=4)
def _read(path: Path, version: str, query: str) -> Mapping[str, str]:  # noqa: ARG001
    """Read a version of the file once: each step of a run asks for names."""
    with connect(path, read_only=True) as connection:
        return dict(connection.execute(query).fetchall())
