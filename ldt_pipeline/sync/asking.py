"""Asking whether there is anything to do, without Dagster.

What belongs here: one look at what we hold and one question to each list, before any run. What
doesn't: doing it (`runner.py`).

Most syncs find nothing new. They must not cost more than the question: importing Dagster takes
several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass

from ldt_pipeline.connecting import connect
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.instants import now
from ldt_pipeline.organiser import remember_organiser
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.quarantine import waiting
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.freshness import confirm
from ldt_pipeline.sync.plan import FeedPlan, due_events, plan_feeds
from ldt_pipeline.sync.state import State, read_state
from ldt_pipeline.warehouse.connection import DamagedWarehouseError
from ldt_pipeline.warehouse.schema import OutdatedWarehouseError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What we hold, what the API said about it, and what asking cost."""

    state: State
    plans: list[FeedPlan]
    requests: int

    def is_quiet(self, settings: Settings) -> bool:
        """Whether there is nothing to read, load, erase or publish."""
        due = due_events(self.state.events, refresh_minutes=settings.event_refresh_minutes)
        return self.state.is_settled and not due and all(plan.is_quiet for plan in self.plans)


def ask(settings: Settings, state: State, *, is_hasty: bool = False) -> Asked:
    """Ask each list whether anything changed; where nothing did, note that what is published stands.

    `is_hasty` gives up soon: for those who ask again a minute later.

    Raises:
        ApiError: A list could not be asked.
        SettingsError: No key is set.
    """
    store = RawStore(str(settings.raw_dir))
    asked_at = now()
    with connect(settings, is_hasty=is_hasty) as client:
        plans = plan_feeds(client, store, state, is_hasty=is_hasty)
        if state.is_settled:
            confirm(settings.confirmed_path, (p.feed.name for p in plans if p.is_quiet), asked_at)
        key = settings.require_api_key()
        remember_organiser(settings.data_dir, key, settings.api_base_url)
        return Asked(state=state, plans=plans, requests=client.requests_sent)


def settled_state(settings: Settings) -> State | None:
    """Give what we hold, if all of it is loaded and published, and nothing of it is damaged.

    None where that isn't so, or can't be told: then a sync has work to do, whatever the API says.
    The caller holds the right to sync.
    """
    store = RawStore(str(settings.raw_dir))
    if not settings.warehouse_path.exists() or waiting(store):
        return None
    try:
        Book.read(store)
        state = read_state(settings)
    except (DamagedExtractError, DamagedWarehouseError, OutdatedWarehouseError):
        return None
    return state if state.is_settled else None
