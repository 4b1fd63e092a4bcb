"""Trouble: something that is wrong, in fields that may be shown to anybody.

What belongs here: the fields, and the sentence that is made of them. What doesn't: finding it
(`sources.py`, `defs/alert_sensors.py`).

A message holds nothing but these fields, and none of them can hold a person, a key or an error's
text: they are ids, names of our own code, counts and instants.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, Literal

import msgspec

from ldt_pipeline.plain_text import clean

Severity = Literal["info", "warning", "error"]
Source = Literal[
    "run",
    "check",
    "stale_asset",
    "stale_events",
    "api_key",
    "api",
    "allocation",
    "race_week",
    "alerts",
]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error")

_ID_MOST = 80
_KIND = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")


def rank(severity: Severity) -> int:
    """Give a severity's place: the greater, the worse."""
    return SEVERITIES.index(severity)


class Trouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is wrong.

    Attributes:
        source: Who found it.
        severity: How bad it is.
        kind: What it is, in a word of our own code, such as an error's class or a check's name.
        job: The Dagster job.
        asset: The Dagster asset; of a run that was for some assets alone, the first of them.
        partition: The partition of the run, escaped as Dagster shows it, or the first and the last
            one with `...` between.
        scope: A digest of the assets and checks that a run was for; '' where it was for all of its job.
        run_id: The newest Dagster run that it was seen in.
        event_id: The event.
        race_id: The race.
        group_id: The reserved entry group.
        count: How many things are wrong; claimed places for an allocation.
        limit: How many there may be; places for an allocation.
        at: The instant that it is about: an expiry, a start, or when something was last well. UTC.
        step: How far it has gone. Who was told is told again when it grows, not when it shrinks.
    """

    source: Source
    severity: Severity
    kind: str = ""
    job: str = ""
    asset: str = ""
    partition: str = ""
    scope: str = ""
    run_id: str = ""
    event_id: str = ""
    race_id: str = ""
    group_id: str = ""
    count: int = 0
    limit: int = 0
    at: dt.datetime | None = None
    step: int = 0

    @property
    def key(self) -> str:
        """What makes it the same trouble as before: it stays while the trouble grows or shrinks."""
        match self.source:
            case "run":
                parts = (self.job, self.partition, *([self.scope] if self.scope else []))
            case "check":
                parts = (self.asset, self.kind)
            case "stale_asset":
                parts = (self.asset,)
            case "allocation":
                parts = (self.event_id, self.group_id, self.kind)
            case "race_week":
                parts = (self.event_id, self.race_id, self.kind)
            case _:
                parts = ()
        return "/".join((self.source, *(part.replace("/", "%2F") for part in parts)))

    def sentence(self, *, occurrences: int = 1) -> str:
        """Say it to whoever can act on it, in one line. `occurrences`: how often it was seen."""
        return _SENTENCES[self.source](self, occurrences)


def kind_of(error: BaseException | str | None) -> str:
    """Give an error's class, which is all of an error that a message may hold."""
    name = error if isinstance(error, str) else type(error).__name__ if error else ""
    return name if _KIND.fullmatch(name) else ""


def step_of(count: int) -> int:
    """Give a step that grows whenever a count has doubled."""
    return max(count, 0).bit_length()


def _shown(text: str) -> str:
    # Ids come from the API: they may be of any length, and hold what a terminal obeys.
    return clean(text)[:_ID_MOST] or "?"


def _moment(moment: dt.datetime | None) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"


def _run(trouble: Trouble, occurrences: int) -> str:
    parts = [_shown(each) for each in (trouble.asset, trouble.partition) if each]
    of = f" ({'; '.join(parts)})" if parts else ""
    times = f" {occurrences} times" if occurrences > 1 else ""
    why = f" by {trouble.kind}" if trouble.kind else ""
    return (
        f"Job {_shown(trouble.job)}{of} failed{times}{why}; "
        f"the newest run is {_shown(trouble.run_id)}."
    )


def _check(trouble: Trouble, _occurrences: int) -> str:
    return (
        f"Check {_shown(trouble.kind)} of {_shown(trouble.asset)} failed with {trouble.count} "
        "offences: nothing is published until it passes."
    )


def _stale_asset(trouble: Trouble, _occurrences: int) -> str:
    return f"{_shown(trouble.asset)} is stale: it was last made at {_moment(trouble.at)}."


def _stale_events(trouble: Trouble, _occurrences: int) -> str:
    events = "event is" if trouble.count == 1 else "events are"
    return (
        f"{trouble.count} {events} shown as they were too long ago for how near the race is: the "
        f"oldest as of {_moment(trouble.at)}."
    )


def _api_key(trouble: Trouble, _occurrences: int) -> str:
    todo = "create a new one under settings / credentials and set LDT_API_KEY"
    if trouble.kind == "missing":
        return f"LDT_API_KEY is not set, so nothing is read: {todo}."
    if trouble.kind == "expired":
        return f"The API key expired at {_moment(trouble.at)}, so nothing is read: {todo}."
    return f"The API key expires at {_moment(trouble.at)}: {todo}."


def _api(trouble: Trouble, _occurrences: int) -> str:
    why = f" ({trouble.kind})" if trouble.kind else ""
    return f"The poll of the API fails since {_moment(trouble.at)}{why}: `ldt check` says why."


def _allocation(trouble: Trouble, _occurrences: int) -> str:
    group = (
        f"Reserved entry group {_shown(trouble.group_id)} of event {_shown(trouble.event_id)} has "
        f"{trouble.limit} places, {trouble.count} of them claimed"
    )
    if trouble.kind == "over_capacity":
        return f"{group}: raise its capacity, or move the entries that are too many."
    if trouble.kind == "unused":
        return f"{group}, and its race starts at {_moment(trouble.at)}."
    return f"{group}: it is nearly full." if trouble.count < trouble.limit else f"{group}: full."


def _race_week(trouble: Trouble, _occurrences: int) -> str:
    race = f"Race {_shown(trouble.race_id)}" if trouble.race_id else "A race"
    return (
        f"{race} of event {_shown(trouble.event_id)} starts at {_moment(trouble.at)} and "
        f"data_issues has {trouble.count} of kind {_shown(trouble.kind)}."
    )


def _alerts(_trouble: Trouble, _occurrences: int) -> str:
    return (
        "The book of alerts was damaged and was begun anew: what was told before may be told "
        "again, and what was over may not be told."
    )


_SENTENCES: Final = {
    "run": _run,
    "check": _check,
    "stale_asset": _stale_asset,
    "stale_events": _stale_events,
    "api_key": _api_key,
    "api": _api,
    "allocation": _allocation,
    "race_week": _race_week,
    "alerts": _alerts,
}
