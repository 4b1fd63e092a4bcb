"""Changing an account while it is served: what people and organisers do to it.

What belongs here: adding, altering, redacting and deleting, each under the account's lock, with
the counts of groups kept true. What doesn't: reading (`account`) and deciding what to change when
nobody says (`churn`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from ldt_pipeline.sandbox.catalogue import EVENT_THEMES
from ldt_pipeline.sandbox.history import APPROVED
from ldt_pipeline.sandbox.index import ApplicationRow, ParticipantRow, RecordIndex
from ldt_pipeline.sandbox.instants import DAY, instant_text, milliseconds
from ldt_pipeline.sandbox.records import Identifiers, Renderer
from ldt_pipeline.sandbox.world import Group, Ticket, World


class AccountChanges:
    """The half of an account that changes it."""

    _world: World
    _index: RecordIndex
    _ids: Identifiers
    _renderer: Renderer

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def clock(self) -> int:
        """The account's present, in milliseconds since 1970."""
        raise NotImplementedError

    # Participants

    def add_participant(
        self,
        *,
        race_id: str | None = None,
        group_id: str | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        answers: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> str:
        """Enter somebody, and return their id.

        Args:
            race_id: The race; by default the first race of the first event.
            group_id: The reserved entry group whose place they take.
            created_at: When they entered; by default at `updated_at`, or else now.
            updated_at: When they last changed; by default when they entered.
            answers: Answers by the wording of the question.
            fields: Top-level fields of the record, such as `bibNumber`, that are set by hand.
        """
        with self.lock:
            group = None if group_id is None else self._group(group_id)
            ticket = self._ticket_for(race_id, group)
            created = created_at or updated_at
            created_instant = self.clock() if created is None else milliseconds(created)
            updated = created_instant if updated_at is None else milliseconds(updated_at)
            row = ParticipantRow(
                number=self._index.new_number("participants"),
                created=created_instant,
                updated=updated,
                race=ticket.race.number,
                ticket=ticket.number,
                reserved_group=None if group is None else group.number,
                application=None,
                party=0,
                bib=0,
                revision=0,
                redacted=0,
                changes=_merge(None, answers, fields),
            )
            self._store(None, row)
            return self._ids.participants.text(row.number)

    def insert_late_participant(self, *, updated_at: datetime, **details: Any) -> str:
        """Enter somebody whose record bears an instant that a sync may already have passed.

        Args:
            updated_at: The instant that it bears.
            **details: As for `add_participant`.
        """
        return self.add_participant(updated_at=updated_at, **details)

    def update_participant(
        self,
        participant_id: str,
        *,
        answers: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
        bib_number: str | None = None,
        race_id: str | None = None,
        touch: bool = True,
        updated_at: datetime | None = None,
    ) -> None:
        """Change somebody's record.

        Args:
            participant_id: Whose.
            answers: New answers, by the wording of the question.
            fields: Top-level fields to set.
            bib_number: A new bib.
            race_id: Another race to move to, in the same edition where it has one.
            touch: Whether `updatedAt` becomes now; a change that nobody can see by its date is
                something that real systems do.
            updated_at: The `updatedAt` to bear instead of now.
        """
        with self.lock:
            row = self._known_participant(participant_id)
            set_by_hand = dict(fields or {})
            if bib_number is not None:
                set_by_hand["bibNumber"] = bib_number
            moved = row if race_id is None else self._moved(row, race_id)
            self._store(
                row,
                moved._replace(
                    updated=self._instant_of_change(row.updated, touch, updated_at),
                    revision=row.revision + 1,
                    changes=_merge(row.changes, answers, set_by_hand),
                ),
            )

    def update_participants(self, participant_ids: Iterable[str]) -> int:
        """Change many at once, all in the same millisecond; returns how many."""
        with self.lock:
            count = 0
            now = self.clock()
            for participant_id in participant_ids:
                row = self._known_participant(participant_id)
                self._store(row, row._replace(updated=now, revision=row.revision + 1))
                count += 1
            return count

    def delete_participant(self, participant_id: str) -> None:
        """Take somebody out without a trace, and free their place."""
        with self.lock:
            row = self._known_participant(participant_id)
            self._index.remove("participants", row.number)
            self._claim(row.reserved_group, -1)

    def redact_participant(self, participant_id: str, *, touch: bool = True) -> None:
        """Forget who somebody is, in their application too.

        Args:
            participant_id: Whose record.
            touch: Whether `updatedAt` becomes now.
        """
        with self.lock:
            row = self._known_participant(participant_id)
            updated = self._instant_of_change(row.updated, touch, None)
            self._store(row, row._replace(updated=updated, redacted=1))
            if row.application is not None:
                stored = self._index.row("applications", row.application)
                if stored is not None:
                    application = ApplicationRow._make(stored)
                    updated = self._instant_of_change(application.updated, touch, None)
                    self._index.put(
                        "applications",
                        application._replace(updated=updated, redacted=1),
                    )

    # Applications

    def approve_application(self, application_id: str) -> str:
        """Give an application a place, and return the id of the new participant."""
        with self.lock:
            row = self._known_application(application_id)
            if row.participant is not None:
                raise ValueError(f"application {application_id} is approved already")
            ticket = self._world.tickets[row.ticket]
            participant_id = self.add_participant(race_id=ticket.race.id)
            participant = self._known_participant(participant_id)
            self._store(
                participant, participant._replace(ticket=ticket.number, application=row.number)
            )
            self._index.put(
                "applications",
                row._replace(updated=self.clock(), status=APPROVED, participant=participant.number),
            )
            return participant_id

    def update_application(
        self,
        application_id: str,
        *,
        answers: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
        touch: bool = True,
    ) -> None:
        """Change an application; the arguments are those of `update_participant`."""
        with self.lock:
            row = self._known_application(application_id)
            self._index.put(
                "applications",
                row._replace(
                    updated=self._instant_of_change(row.updated, touch, None),
                    revision=row.revision + 1,
                    changes=_merge(row.changes, answers, fields),
                ),
            )

    def delete_application(self, application_id: str) -> None:
        """Take an application out without a trace."""
        with self.lock:
            self._index.remove("applications", self._known_application(application_id).number)

    # Events, partners and groups

    def add_event(self, *, name: str, days_ahead: int = 120) -> str:
        """Add an event whose first edition is so many days ahead, and return its id."""
        with self.lock:
            theme = EVENT_THEMES[len(self._world.events) % len(EVENT_THEMES)]
            event = self._world.add_event(theme._replace(ballot=False), name=name)
            race_day = (self.clock() // DAY + days_ahead) * DAY
            self._world.add_occurrence(event, race_day=race_day)
            return event.id

    def add_partner(self, *, name: str, partner_type: str = "CHARITY") -> str:
        """Add a partner, and return its id."""
        with self.lock:
            now = self.clock()
            partner_id = self._world.add_partner(
                name=name, type=partner_type, created=now, updated=now
            )
            number = self._world.partner_numbers[partner_id]
            self._index.put("partners", (number, now, now, 0, 0, name.casefold()))
            return partner_id

    def update_partner(self, partner_id: str, **fields: Any) -> None:
        """Set fields of a partner, by the names that the API gives them."""
        with self.lock:
            number = self._world.partner_numbers[partner_id]
            stored = self._index.row("partners", number)
            if stored is None:
                raise KeyError(partner_id)
            now = self.clock()
            partner = self._world.partners[number]
            partner.update(fields)
            partner["updatedAt"] = instant_text(now)
            row = (number, stored[1], now, 0, 0, partner["name"].casefold())
            self._index.put("partners", row)
            self._renderer.forget_groups()

    def add_group(
        self,
        event_id: str,
        *,
        partner_id: str | None,
        name: str,
        max_capacity: int,
        group_type: str = "MULTI_USE",
    ) -> str:
        """Add a reserved entry group for an event's latest edition, and return its id."""
        with self.lock:
            event = self._world.events[self._world.event_numbers[event_id]]
            tickets = [t for t in self._world.tickets if t.race.event is event]
            latest = tickets[-1].occurrence
            group = self._world.add_group(
                event=event,
                partner=None if partner_id is None else self._world.partner_numbers[partner_id],
                name=name,
                type=group_type,
                max_capacity=max_capacity,
                tickets=tuple(t for t in latest.tickets if t.route == "reserved"),
            )
            return group.id

    def resize_group(self, group_id: str, max_capacity: int) -> None:
        """Give a reserved entry group another capacity."""
        with self.lock:
            self._group(group_id).max_capacity = max_capacity

    def delete_group(self, group_id: str) -> None:
        """Delete a reserved entry group; those who entered through it keep showing its code."""
        with self.lock:
            group = self._group(group_id)
            # Rendered once more before it goes, and remembered: records name it for ever.
            self._renderer.remember_group(group.number)
            self._world.groups[group.number] = None
            del self._world.group_numbers[group_id]

    # Helpers; the caller holds the lock.

    def _store(self, before: ParticipantRow | None, after: ParticipantRow) -> None:
        self._index.put("participants", after)
        if before is None or before.reserved_group != after.reserved_group:
            self._claim(None if before is None else before.reserved_group, -1)
            self._claim(after.reserved_group, 1)

    def _claim(self, number: int | None, difference: int) -> None:
        group = None if number is None else self._world.groups[number]
        if group is not None:
            group.used += difference

    def _instant_of_change(self, before: int, touch: bool, chosen: datetime | None) -> int:
        if chosen is not None:
            return milliseconds(chosen)
        return self.clock() if touch else before

    def _ticket_for(self, race_id: str | None, group: Group | None) -> Ticket:
        """The newest ticket of a race that suits, or of a group's own."""
        if group is not None:
            for ticket in group.tickets:
                if race_id in (None, ticket.race.id):
                    return ticket
        race = self._world.races[0 if race_id is None else self._world.race_numbers[race_id]]
        tickets = [ticket for ticket in self._world.tickets if ticket.race is race]
        openly = [ticket for ticket in tickets if ticket.route == "open"]
        return (openly or tickets)[-1]

    def _moved(self, row: ParticipantRow, race_id: str) -> ParticipantRow:
        race = self._world.races[self._world.race_numbers[race_id]]
        occurrence = self._world.tickets[row.ticket].occurrence
        same = [ticket for ticket in occurrence.tickets if ticket.race is race]
        ticket = same[0] if same else self._ticket_for(race_id, None)
        return row._replace(race=race.number, ticket=ticket.number)

    def _participant_row(self, participant_id: str) -> ParticipantRow | None:
        number = self._ids.participants.number(participant_id)
        row = None if number is None else self._index.row("participants", number)
        return None if row is None else ParticipantRow._make(row)

    def _known_participant(self, participant_id: str) -> ParticipantRow:
        row = self._participant_row(participant_id)
        if row is None:
            raise KeyError(participant_id)
        return row

    def _application_row(self, application_id: str) -> ApplicationRow | None:
        number = self._ids.applications.number(application_id)
        row = None if number is None else self._index.row("applications", number)
        return None if row is None else ApplicationRow._make(row)

    def _known_application(self, application_id: str) -> ApplicationRow:
        row = self._application_row(application_id)
        if row is None:
            raise KeyError(application_id)
        return row

    def _find_group(self, group_id: str) -> Group | None:
        number = self._world.group_numbers.get(group_id)
        return None if number is None else self._world.groups[number]

    def _group(self, group_id: str) -> Group:
        group = self._find_group(group_id)
        if group is None:
            raise KeyError(group_id)
        return group


def _merge(
    before: str | None, answers: Mapping[str, Any] | None, fields: Mapping[str, Any] | None
) -> str | None:
    """Add changes to those that were made before, as the JSON that a row holds."""
    if not answers and not fields:
        return before
    changes: dict[str, dict[str, Any]] = msgspec.json.decode(before) if before else {}
    if answers:
        changes["answers"] = {**changes.get("answers", {}), **answers}
    if fields:
        changes["fields"] = {**changes.get("fields", {}), **fields}
    return msgspec.json.encode(changes).decode()
