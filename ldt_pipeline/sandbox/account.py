"""One organiser's account: generated from a seed, changed while it is served, and asked for truth.

What belongs here: the account's lock and clock, what exists in it, and reading it. What doesn't:
changing it (`changes` and `written`, which this class inherits), HTTP (`server`) and the meaning of a query
string (`answers`).
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ldt_pipeline.sandbox.history import (
    APPLICATION_COLUMNS,
    PARTICIPANT_COLUMNS,
    BallotPlace,
    application_rows,
    participant_rows,
    settle_capacities,
)
from ldt_pipeline.sandbox.identifiers import RecordIds
from ldt_pipeline.sandbox.index import RecordIndex
from ldt_pipeline.sandbox.instants import milliseconds, parse_instant
from ldt_pipeline.sandbox.layouts import FieldLayout
from ldt_pipeline.sandbox.lists import group_record, ticket_record
from ldt_pipeline.sandbox.records import Identifiers, Renderer
from ldt_pipeline.sandbox.selection import Selection
from ldt_pipeline.sandbox.world import YEAR, build_world
from ldt_pipeline.sandbox.written import WrittenThings


class SandboxAccount(WrittenThings):
    """An account full of made-up people; all methods may be called from any thread.

    The same arguments give the same account, byte for byte. Changes made afterwards bear the time
    of the account's clock: it starts at `now` and runs at the usual speed.
    """

    def __init__(
        self,
        participants: int = 1000,
        *,
        seed: int = 0,
        now: datetime | None = None,
        history_years: int = 4,
        events: int = 6,
        applications: int | None = None,
        partners: int | None = None,
        oddities: bool = True,
        question_key: str = "label",
        answer_key: str = "value",
    ) -> None:
        """Generate the account.

        Args:
            participants: How many people entered.
            seed: Which account: another seed gives other people, events and ids.
            now: When the history ends; every record was last changed before. By default the
                current minute, and then the clock is the machine's.
            history_years: How many years of entries there are.
            events: How many events.
            applications: How many applications, winners of ballots included; by default a quarter
                of the participants.
            partners: How many partners; by default some dozens, growing with the account.
            oddities: Whether one record in forty is odd: something null, missing or mistyped.
            question_key: The key of an answer that holds the question.
            answer_key: The key of an answer that holds the answer; with `values` it is a list.
        """
        super().__init__()
        # With the current minute as the end of the history, the clock still is the machine's: a
        # change that bore an instant up to a minute old would be one that a sync has passed.
        self._behind = 0
        if now is None:
            now = datetime.now(UTC).replace(second=0, microsecond=0)
        else:
            self._behind = milliseconds(now) - self._machine_clock()
        self.now = now
        self.seed = seed
        end = milliseconds(now)
        start = end - history_years * YEAR
        self._world = build_world(
            seed=seed,
            now=end,
            events=events,
            history_years=history_years,
            participants=participants,
            partners=partners,
        )
        self._ids = self._identifiers(start=start, end=end, count=participants)
        layout = FieldLayout(seed=seed, question_key=question_key, answer_key=answer_key)
        self._renderer = Renderer(
            self._world, self._ids, layout, oddities=oddities, generated=participants
        )
        self._index = RecordIndex()
        self._fill(participants, start, participants // 4 if applications is None else applications)

    def _identifiers(self, *, start: int, end: int, count: int) -> Identifiers:
        def kind(name: str) -> RecordIds:
            return RecordIds(
                seed=self.seed,
                kind=name,
                first_second=start // 1000,
                seconds_per_record=(end - start) / 1000 / max(1, count),
            )

        return Identifiers(*(kind(name) for name in Identifiers._fields))

    def _fill(self, participants: int, start: int, applications: int) -> None:
        places: list[BallotPlace] = []
        rows = participant_rows(self._world, count=participants, start=start, places=places)
        self._index.load("participants", PARTICIPANT_COLUMNS, rows)
        settle_capacities(self._world)
        drafts = application_rows(self._world, count=applications, places=places)
        self._index.load("applications", APPLICATION_COLUMNS, drafts)
        self._index.link_applications((row[0], row[5]) for row in drafts if row[5] is not None)
        partners = [
            (
                number,
                parse_instant(partner["createdAt"]),
                parse_instant(partner["updatedAt"]),
                partner["name"].casefold(),
            )
            for number, partner in enumerate(self._world.partners)
        ]
        self._index.load("partners", "number, created, updated, search", partners)

    @staticmethod
    def _machine_clock() -> int:
        return time.time_ns() // 1_000_000

    def clock(self) -> int:
        """The account's present, in milliseconds since 1970."""
        return self._machine_clock() + self._behind

    def advance_clock(self, by: timedelta) -> None:
        """Let the account's clock jump ahead."""
        self._behind += by // timedelta(milliseconds=1)

    def close(self) -> None:
        """Give the memory back."""
        with self.lock:
            self._index.close()

    # What is true now, for tests to compare with.

    def participant_ids(self, *, race_id: str | None = None) -> list[str]:
        """The ids of all participants who exist now, or of those in one race."""
        with self.lock:
            scope = None if race_id is None else self._world.race_numbers[race_id]
            numbers = self._index.numbers("participants", Selection(scope=scope))
            return [self._ids.participants.text(number) for number in numbers]

    def application_ids(self, *, event_id: str | None = None) -> list[str]:
        """The ids of all applications that exist now, or of those for one event."""
        with self.lock:
            scope = None if event_id is None else self._world.event_numbers[event_id]
            numbers = self._index.numbers("applications", Selection(scope=scope))
            return [self._ids.applications.text(number) for number in numbers]

    def partner_ids(self) -> list[str]:
        """The ids of all partners."""
        with self.lock:
            return [partner["id"] for partner in self._world.partners]

    def event_ids(self) -> list[str]:
        """The ids of all events, with entrants or without."""
        with self.lock:
            return [event.id for event in self._world.events]

    def race_ids(self, event_id: str | None = None) -> list[str]:
        """The ids of all races, or of one event's."""
        with self.lock:
            return [race.id for race in self._world.races if event_id in (None, race.event.id)]

    def occurrence_ids(self, event_id: str) -> list[str]:
        """The ids of an event's editions, oldest first."""
        with self.lock:
            return [o.id for o in self._world.occurrences if o.event.id == event_id]

    def group_ids(self, event_id: str | None = None) -> list[str]:
        """The ids of all reserved entry groups, or of one event's."""
        with self.lock:
            return [
                group.id
                for group in self._world.groups
                if group is not None and event_id in (None, group.event.id)
            ]

    def random_participant_id(self, rng: random.Random) -> str | None:
        """Somebody who exists, by chance; None if the account is empty."""
        with self.lock:
            number = self._index.nearest("participants", rng.random())
            return None if number is None else self._ids.participants.text(number)

    def random_group_id(self, rng: random.Random) -> str | None:
        """A reserved entry group, by chance; None if that chance hits a deleted one."""
        with self.lock:
            group = rng.choice(self._world.groups) if self._world.groups else None
            return None if group is None else group.id

    def random_race_id(self, rng: random.Random) -> str | None:
        """A race, by chance; None if there are none."""
        with self.lock:
            return rng.choice(self._world.races).id if self._world.races else None

    def participant(self, participant_id: str, *, extended: bool = True) -> dict[str, Any] | None:
        """A participant as served, or None if there is none."""
        with self.lock:
            text = self.participant_json(participant_id, extended=extended)
        return None if text is None else msgspec.json.decode(text)

    def application(self, application_id: str, *, extended: bool = True) -> dict[str, Any] | None:
        """An application as served, or None if there is none."""
        with self.lock:
            text = self.application_json(application_id, extended=extended)
        return None if text is None else msgspec.json.decode(text)

    def partner(self, partner_id: str) -> dict[str, Any] | None:
        """A partner as served, or None if there is none."""
        with self.lock:
            number = self._world.partner_numbers.get(partner_id)
            return None if number is None else dict(self._world.partners[number])

    def group(self, group_id: str) -> dict[str, Any] | None:
        """A reserved entry group as served, or None if there is none."""
        with self.lock:
            group = self._find_group(group_id)
            return None if group is None else group_record(self._world, group)

    def groups(self, event_id: str) -> list[dict[str, Any]] | None:
        """An event's reserved entry groups as served, or None if there is no such event."""
        with self.lock:
            if event_id not in self._world.event_numbers:
                return None
            return [
                group_record(self._world, group)
                for group in self._world.groups
                if group is not None and group.event.id == event_id
            ]

    def tickets(self, event_id: str) -> list[dict[str, Any]] | None:
        """An event's tickets as served, or None if there is no such event."""
        with self.lock:
            if event_id not in self._world.event_numbers:
                return None
            return [
                ticket_record(ticket)
                for ticket in self._world.tickets
                if ticket.race.event.id == event_id
            ]

    def true_claims(self, group_id: str) -> int:
        """How many participants hold a place of a group: what `usedCapacity` ought to be."""
        with self.lock:
            group = self._find_group(group_id)
            return 0 if group is None else group.used

    def counts(self) -> dict[str, int]:
        """How much of everything there is."""
        with self.lock:
            return {
                "participants": self._index.total("participants", Selection()),
                "applications": self._index.total("applications", Selection()),
                "partners": len(self._world.partners),
                "events": len(self._world.events),
                "races": len(self._world.races),
                "tickets": len(self._world.tickets),
                "groups": len(self.group_ids()),
            }

    # What `answers` needs besides; the caller holds the lock.

    @property
    def index(self) -> RecordIndex:
        """The table of what exists."""
        return self._index

    @property
    def renderer(self) -> Renderer:
        """What turns rows into records."""
        return self._renderer

    @property
    def identifiers(self) -> Identifiers:
        """What turns numbers into ids."""
        return self._ids

    def participant_json(self, participant_id: str, *, extended: bool) -> bytes | None:
        """A participant as JSON."""
        row = self._participant_row(participant_id)
        return None if row is None else self._renderer.participant(row, extended)

    def application_json(self, application_id: str, *, extended: bool) -> bytes | None:
        """An application as JSON."""
        row = self._application_row(application_id)
        return None if row is None else self._renderer.application(row, extended)

    def race_number(self, race_id: str) -> int | None:
        """The number of a race."""
        return self._world.race_numbers.get(race_id)

    def event_number(self, event_id: str) -> int | None:
        """The number of an event."""
        return self._world.event_numbers.get(event_id)

    def occurrence_tickets(self, occurrence_id: str) -> tuple[int, ...]:
        """The numbers of an edition's tickets; none if there is no such edition."""
        number = self._world.occurrence_numbers.get(occurrence_id)
        if number is None:
            return ()
        return tuple(ticket.number for ticket in self._world.occurrences[number].tickets)

    def partner_number(self, partner_id: str) -> int | None:
        """The number of a partner."""
        return self._world.partner_numbers.get(partner_id)

    def partner_at(self, number: int) -> dict[str, Any]:
        """The partner with a number."""
        return self._world.partners[number]

    def find_partner(self, external_id: str, kind: str) -> dict[str, Any] | None:
        """The partner with an external id of one kind."""
        for partner in self._world.partners:
            if (partner["externalIds"] or {}).get(kind) == external_id:
                return partner
        return None
