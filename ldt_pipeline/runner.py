"""A sync from the command line: the same Dagster jobs as in the UI, run here, one after the other.

What belongs here: the order of runs. What doesn't: a single run (`dagster_runs.py`), what is due
(`sync/`), what a job does (`defs/`), and printing (`cli/`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import dagster as dg

from ldt_pipeline.alerting.polls import poll_noted
from ldt_pipeline.connecting import connect
from ldt_pipeline.dagster_runs import RunFailedError, Runner
from ldt_pipeline.dead_runs import release_dead_runs
from ldt_pipeline.defs.jobs import (
    ERASE,
    LOAD,
    PUBLISH,
    READ_EVENTS,
    REBUILD,
    RECONCILE,
    changes_config,
    erase_config,
    fetch_job_name,
    publish_config,
    reconcile_config,
)
from ldt_pipeline.defs.partitions import (
    EVENT_KEYS,
    EVENTS,
    RACES,
    clamp_months,
    contiguous_ranges,
    due_keys,
    missing_partitions,
    range_tags,
)
from ldt_pipeline.erasing.healing import heal_book
from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS
from ldt_pipeline.leftovers import clear_leftovers
from ldt_pipeline.old_runs import forget_old_runs
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.asking import Asked, ask
from ldt_pipeline.sync.compare import compare_with_api, compare_with_raw
from ldt_pipeline.sync.lock import sync_lock
from ldt_pipeline.sync.plan import FeedPlan
from ldt_pipeline.sync.state import State, read_state
from ldt_pipeline.sync.unlisted import doubted
from ldt_pipeline.warehouse.books import note_comparison
from ldt_pipeline.warehouse.connection import (
    DamagedWarehouseError,
    open_warehouse,
)
from ldt_pipeline.warehouse.remaking import remove_warehouse
from ldt_pipeline.warehouse.schema import OutdatedWarehouseError

Say = Callable[[str], None]

_MORE_RECONCILES_MOST = 2
_DAMAGE_ROUNDS_MOST = 3
"""So often what is damaged is read again in one sync: a disk that damages more is broken."""
_WAREHOUSE_REASONS = {
    "OutdatedWarehouseError": "of another version",
    "DamagedWarehouseError": "damaged",
}
"""Why a warehouse is made anew from the raw store, by the error that says so."""


@dataclass(kw_only=True)
class Synced:
    """What a sync did."""

    runs: list[str] = field(default_factory=list[str])
    requests: int = 0

    @property
    def was_quiet(self) -> bool:
        """Whether there was nothing to do."""
        return not self.runs


def sync(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    say: Say,
    *,
    whole: bool = False,
    asked: Asked | None = None,
) -> Synced:
    """Bring everything up to date from the API, and publish.

    `whole` reads every list in full, as the nightly reconcile does: it finds what neither a window
    of changes nor a total tells of. `asked` is what the API has just been asked: within the same
    right to sync it needn't be asked again.

    Raises:
        RunFailedError: A run failed. What was published before stays.
        ApiError: The API could not be asked what changed.
    """
    with sync_lock(settings, say):
        _clear_up(settings, instance)
        runner = Runner(definitions, instance)
        try:
            return _sync(settings, runner, say, whole=whole, asked=asked)
        except (OutdatedWarehouseError, DamagedWarehouseError, RunFailedError) as error:
            reason = _WAREHOUSE_REASONS.get(getattr(error, "kind", type(error).__name__))
            if reason is None:
                raise
        say(f"The warehouse is {reason}: making it anew from the raw store")
        remove_warehouse(settings.warehouse_path, RawStore(str(settings.raw_dir)))
        return _sync(settings, runner, say, whole=whole)


def _sync(
    settings: Settings, runner: Runner, say: Say, *, whole: bool, asked: Asked | None = None
) -> Synced:
    store = RawStore(str(settings.raw_dir))
    _heal_book(settings, store, say)
    state = read_state(settings)
    if state.erasures.unfinished:
        state = _erase_what_is_due(settings, runner, say)
    if state.pending_extracts:
        # Before anything is compared: what waits to be loaded is not missing.
        say("Loading what an earlier sync left")
        runner.run(LOAD)
    if runner.runs:
        asked = None
    requests = 0
    for _ in range(_DAMAGE_ROUNDS_MOST):
        damaged = waiting(store)
        if damaged:
            of = ", ".join(sorted({f"{each.feed} ({each.folder})" for each in damaged}))
            say(f"Damaged, set aside, and read again now: {of}")
        if asked is None:
            say("Asking what changed")
            state = read_state(settings)
            with poll_noted(settings):
                asked = ask(settings, state)
        requests += asked.requests
        _bring_in(settings, store, runner, say, asked.plans, whole=whole)
        asked = None
        if waiting(store):
            continue
        state = read_state(settings)
        if state.erasures:
            # All of raw may be read then, and damage found of which nothing told before.
            state = _erase_what_is_due(settings, runner, say)
        if not waiting(store):
            break
    else:
        state = read_state(settings)
        if state.erasures:
            state = _erase_what_is_due(settings, runner, say)
    if state.pending_extracts or not state.is_published:
        say("Publishing")
        _publish(settings, store, runner, say)
    return Synced(runs=runner.runs, requests=requests)


def _bring_in(
    settings: Settings,
    store: RawStore,
    runner: Runner,
    say: Say,
    plans: Sequence[FeedPlan],
    *,
    whole: bool,
) -> None:
    """Read what is due, load it, and reconcile where totals differ."""
    for plan in plans:
        if plan.months is not None:
            say(f"Reading {plan.feed.name}")
            first, last = clamp_months(settings, *plan.months)
            runner.run(
                fetch_job_name(plan.feed.name),
                tags=range_tags(first, last),
                config=changes_config(plan.feed.name),
            )
    uneven = [plan.feed.name for plan in plans if plan.is_short_or_long]
    fetched = [plan.feed.name for plan in plans if plan.months is not None]
    if fetched:
        say("Loading")
        runner.run(LOAD)
    if whole:
        say("Reading every list whole")
        runner.run(RECONCILE, config=reconcile_config(whole=True))
        runner.run(LOAD)
        uneven, fetched = [], [feed.name for feed in CHANGE_FEEDS]
    uneven = list(dict.fromkeys([*uneven, *_still_uneven(settings, store, fetched)]))
    if uneven:
        _reconcile(settings, store, runner, uneven, say)
    # After reconciling: it may find an event that nobody has heard of, and what it finds deleted
    # makes an event's groups old.
    _read_due_events(settings, runner, say, whole=whole)


def rebuild(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, say: Say
) -> Synced:
    """Make the warehouse anew from the raw store alone, and publish it.

    Raises:
        DamagedExtractError: The book of erasures can be read neither here nor in the warehouse.
        RunFailedError: A run failed. What was published before stays.
    """
    with sync_lock(settings, say):
        _clear_up(settings, instance)
        runner = Runner(definitions, instance)
        store = RawStore(str(settings.raw_dir))
        with suppress(OutdatedWarehouseError, DamagedWarehouseError):
            _heal_book(settings, store, say)
        remove_warehouse(settings.warehouse_path, store)
        say("Loading")
        runner.run(LOAD)
        state = read_state(settings)
        if state.erasures:
            state = _erase_what_is_due(settings, runner, say)
        _add_partitions(instance, state)
        with open_warehouse(settings.warehouse_path) as connection:
            for feed in CHANGE_FEEDS:
                comparison = compare_with_raw(store, connection, feed)
                if comparison is not None:
                    note_comparison(connection, comparison)
        say("Publishing")
        runner.run(REBUILD, config=publish_config())
    return Synced(runs=runner.runs)


def erase(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    say: Say,
    *,
    participants: Sequence[str] = (),
    applications: Sequence[str] = (),
) -> Synced:
    """Erase people from every copy, and publish without them. Nothing is asked of the API.

    Raises:
        RunFailedError: A run failed. What was entered as erased is finished by the next sync.
    """
    # A sync that is reading may still hold somebody in memory: it ends first.
    with sync_lock(settings, say):
        _clear_up(settings, instance)
        runner = Runner(definitions, instance)
        was_published = settings.published_path.exists()
        say("Erasing")
        runner.run(ERASE, config=erase_config(participants=participants, applications=applications))
        if was_published:
            say("Publishing")
            runner.run(REBUILD, config=publish_config())
    return Synced(runs=runner.runs)


def _clear_up(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Take away what commands left that were killed, and old runs. The caller has the right to sync."""
    if release_dead_runs(instance, settings):
        clear_leftovers(settings)
    forget_old_runs(instance, settings)


def _erase_what_is_due(settings: Settings, runner: Runner, say: Say) -> State:
    say("Erasing")
    runner.run(ERASE)
    return read_state(settings)


def _heal_book(settings: Settings, store: RawStore, say: Say) -> None:
    with open_warehouse(settings.warehouse_path) as connection:
        if heal_book(connection, store):
            say("The book of erasures was damaged: written anew from the warehouse")


def _read_due_events(settings: Settings, runner: Runner, say: Say, *, whole: bool) -> None:
    state = read_state(settings)
    instance = runner.instance
    _add_partitions(instance, state)
    due = due_keys(settings, state, whole=whole)
    ranges = contiguous_ranges(due, list(instance.get_dynamic_partitions(EVENT_KEYS)))
    for first, last in ranges:
        say("Reading reserved entries and tickets")
        runner.run(READ_EVENTS, tags=range_tags(first, last))


def _add_partitions(instance: dg.DagsterInstance, state: State) -> None:
    events, races = missing_partitions(instance, state)
    if events:
        instance.add_dynamic_partitions(EVENTS.name or "", events)
    if races:
        instance.add_dynamic_partitions(RACES.name or "", races)


def _still_uneven(settings: Settings, store: RawStore, names: list[str]) -> list[str]:
    """Compare the feeds that were just read with the API; gives those that don't agree."""
    feeds = [feed for feed in CHANGE_FEEDS if feed.name in names]
    if not feeds:
        return []
    with connect(settings) as client, open_warehouse(settings.warehouse_path) as connection:
        return [
            feed.name
            for feed in feeds
            if not compare_with_api(client, store, connection, feed).agrees
        ]


def _reconcile(
    settings: Settings, store: RawStore, runner: Runner, uneven: list[str], say: Say
) -> None:
    """Look race by race first, and read the lists whole only where that doesn't explain it."""
    for whole in (False, True):
        say("Finding out what was deleted" if not whole else "Reading whole lists to reconcile")
        runner.run(RECONCILE, config=reconcile_config(whole=whole, feeds=uneven))
        runner.run(LOAD)
        for feed in uneven if whole else ():
            if unlisted := doubted(store, feed):
                say(
                    f"{len(unlisted)} {feed} are missing from their list, while the API gives them by "
                    "id: they count as deleted if it still lacks them in an hour"
                )
        uneven = _still_uneven(settings, store, uneven)
        if not uneven:
            return


def _publish(settings: Settings, store: RawStore, runner: Runner, say: Say) -> None:
    """Publish; where something was deleted since the lists were compared, reconcile once more."""
    for _ in range(_MORE_RECONCILES_MOST):
        try:
            return runner.run(PUBLISH, config=publish_config())
        except RunFailedError:
            uneven = _still_uneven(settings, store, [feed.name for feed in CHANGE_FEEDS])
            if not uneven:
                raise
            _reconcile(settings, store, runner, uneven, say)
    return runner.run(PUBLISH, config=publish_config())
