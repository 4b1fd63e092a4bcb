"""From a row of the index to the record that a caller sees.

What belongs here: the values that fill a layout, and what redaction and changes by hand do to a
record. What doesn't: the layouts themselves, the people, the rare oddities (`oddities`). Most
records take the fast way, text in and bytes out; those with something unusual about them are
rendered, read back, altered and written again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ldt_pipeline.sandbox.history import APPROVED, DECLINED, PENDING
from ldt_pipeline.sandbox.identifiers import RecordIds
from ldt_pipeline.sandbox.instants import DAY, instant_text
from ldt_pipeline.sandbox.layouts import (
    FieldLayout,
    Template,
    application_template,
    participant_template,
)
from ldt_pipeline.sandbox.oddities import is_odd, make_odd
from ldt_pipeline.sandbox.people import Digester, booker_of, person_values
from ldt_pipeline.sandbox.world import Ticket, World

# People who applied, and had no place when the account was generated, are numbered from here.
_FIRST_APPLICANT = 1 << 40

_APPROVALS = {PENDING: '"PENDING"', APPROVED: '"APPROVED"', DECLINED: '"DECLINED"'}
_INCREMENTAL = ('"INCREMENTAL"', '"NON_INCREMENTAL"', "null", '"INCREMENTAL"')
_CODES = (
    *["{}"] * 9,
    '{"discountCodes":["EARLYBIRD10"]}',
    '{"discountCodes":["CLUB5","LOYAL"]}',
    "null",
)
_TAGS = (*["[]"] * 6, '["returning"]', '["local","press"]')
_OPT_INS = (
    "[]",
    '[{"partnerName":"Sole Mates Running Shop","optedIn":true}]',
    '[{"partnerName":"Sole Mates Running Shop","optedIn":false}]',
)
_TRACKING = (
    '{"utmSource":null,"utmMedium":null,"utmCampaign":null,"referrer":"direct"}',
    '{"utmSource":"newsletter","utmMedium":"email","utmCampaign":"early-bird","referrer":null}',
    '{"utmSource":"instagram","utmMedium":"social","utmCampaign":"reels","referrer":"https://social.example.com/"}',
    '{"utmSource":"search","utmMedium":"cpc","utmCampaign":"generic","referrer":"https://search.example.com/"}',
)
# So many in 256 send their time in themselves.
_SENT_IN = 9
_NO_GROUP = ("null",) * 5


class _Ready(NamedTuple):
    """What is the same for all records of one ticket, and costs something to work out."""

    participant: Template
    application: Template
    waves: tuple[str, ...]
    finish_times: tuple[str, ...]
    race_day: int
    child: bool
    bib_style: str


class Identifiers(NamedTuple):
    """The kinds of id that records hold."""

    participants: RecordIds
    applications: RecordIds
    bookings: RecordIds
    transactions: RecordIds


class Renderer:
    """Renders the records of one account."""

    def __init__(
        self,
        world: World,
        identifiers: Identifiers,
        layout: FieldLayout,
        *,
        oddities: bool,
        generated: int,
    ) -> None:
        self._world = world
        self._ids = identifiers
        self._layout = layout
        self._oddities = oddities
        self._generated = generated
        self._digest = Digester(world.seed)
        self._tickets: dict[bool, dict[int, _Ready]] = {True: {}, False: {}}
        self._groups: dict[int, tuple[str, ...]] = {}

    def forget_groups(self) -> None:
        """Look partners up again: one of them changed. Deleted groups stay as they were."""
        for number in list(self._groups):
            if self._world.groups[number] is not None:
                del self._groups[number]

    def remember_group(self, number: int) -> None:
        """Keep what records say about a group that is about to be deleted."""
        self._group(number)

    def participant(self, row: Sequence[Any], extended: bool) -> bytes:
        """A participant as JSON, from the columns of a `ParticipantRow`."""
        (number, created, updated, _, ticket, group, application, party, bib, revision, redacted,
         changes) = row  # fmt: skip
        ready = self._tickets[extended].get(ticket) or self._prepare(ticket, extended=extended)
        template, _, waves, finish_times, race_day, child, bib_style = ready
        if application is not None and number >= self._generated:
            # Approved while the account was served: still the person who applied.
            digest = self._digest(_FIRST_APPLICANT + application)
        else:
            digest = self._digest(number)
        person = person_values(digest, revision, race_day, finish_times, child=child)
        wave = digest[30] % 3
        time, counter = self._ids.participants.ends(number)
        record_id = f'"{time}{self._ids.participants.middle}{counter}"'
        if party:
            booker = self._leader(number - party, ready)
            time, counter = self._ids.participants.ends(number - party)
        else:
            booker = booker_of(digest, person, child=child)
        record = template.fill(
            (
                *person,
                *booker,
                *(_NO_GROUP if group is None else self._group(group)),
                record_id,
                str(party),
                f'"{time}{self._ids.bookings.middle}{counter}"',
                f'"{time}{self._ids.transactions.middle}{counter}"',
                f'"{instant_text(created)}"',
                f'"{instant_text(updated)}"',
                waves[wave] if bib else "[]",
                '"PARTICIPANT"' if group is None else '"PARTNER"',
                _INCREMENTAL[digest[31] & 3],
                _bib_text(bib_style, bib, wave) if bib else "null",
                _CODES[digest[32] % 12],
                _OPT_INS[digest[33] % 3],
                _TAGS[digest[34] & 7],
                _TRACKING[digest[35] & 3],
                "null" if application is None else f'"{self._ids.applications.text(application)}"',
                _result(digest, finish_times) if bib and digest[38] < _SENT_IN else "null",
                # What only applications have.
                "null",
                "null",
                "null",
            )
        )
        if redacted or changes or (self._oddities and is_odd(digest)):
            return self._unusual(record, digest, redacted=bool(redacted), changes=changes)
        return record

    def application(self, row: Sequence[Any], extended: bool) -> bytes:
        """An application as JSON, from the columns of an `ApplicationRow`."""
        number, created, updated, _, ticket, participant, status, revision, redacted, changes = row
        ready = self._tickets[extended].get(ticket) or self._prepare(ticket, extended=extended)
        if participant is not None and participant < self._generated:
            digest = self._digest(participant)
        else:
            digest = self._digest(_FIRST_APPLICANT + number)
        person = person_values(
            digest, revision, ready.race_day, ready.finish_times, child=ready.child
        )
        booked = participant is not None
        record = ready.application.fill(
            (
                *person,
                *booker_of(digest, person, child=ready.child),
                *_NO_GROUP,
                f'"{self._ids.applications.text(number)}"',
                "0",
                f'"{self._ids.bookings.text(participant)}"' if booked else "null",
                f'"{self._ids.transactions.text(participant)}"' if booked else "null",
                f'"{instant_text(created)}"',
                f'"{instant_text(updated)}"',
                "[]",
                '"PARTICIPANT"',
                "null",
                "null",
                "{}",
                _OPT_INS[digest[33] % 3],
                "[]",
                _TRACKING[digest[35] & 3],
                # What only participants have.
                "null",
                "null",
                _APPROVALS[status],
                "null" if status == PENDING else '"BALLOT"',
                '"International Draw"' if digest[36] & 7 == 0 else '"General Draw"',
            )
        )
        if redacted or changes or (self._oddities and is_odd(digest)):
            return self._unusual(record, digest, redacted=bool(redacted), changes=changes)
        return record

    def _prepare(self, number: int, *, extended: bool) -> _Ready:
        ticket = self._world.tickets[number]
        ready = self._tickets[extended][number] = _Ready(
            participant_template(ticket, self._layout, extended=extended),
            application_template(ticket, self._layout, extended=extended),
            _waves(ticket),
            _finish_times(ticket),
            ticket.starts // DAY,
            ticket.race.kind.child,
            ticket.race.event.theme.bib_style,
        )
        return ready

    def _leader(self, number: int, ready: _Ready) -> tuple[str, ...]:
        digest = self._digest(number)
        person = person_values(digest, 0, ready.race_day, ready.finish_times, child=ready.child)
        return booker_of(digest, person, child=ready.child)

    def _group(self, number: int) -> tuple[str, ...]:
        """The URL, code, name, partner's external ids and partner's name of a group."""
        texts = self._groups.get(number)
        if texts is None:
            group = self._world.groups[number]
            if group is None:
                texts = _NO_GROUP
            else:
                partner = None if group.partner is None else self._world.partners[group.partner]
                values: tuple[Any, ...] = (
                    f"https://entries.example.org/claim/{group.id}",
                    group.id,
                    group.name,
                    partner and partner["externalIds"],
                    partner and partner["name"],
                )
                texts = tuple(msgspec.json.encode(value).decode() for value in values)
            self._groups[number] = texts
        return texts

    def _unusual(self, text: bytes, digest: bytes, *, redacted: bool, changes: str | None) -> bytes:
        record: dict[str, Any] = msgspec.json.decode(text)
        if self._oddities and is_odd(digest) and not redacted:
            make_odd(record, digest, question_key=self._layout.question_key,
                     answer_key=self._layout.answer_key)  # fmt: skip
        if changes:
            self._apply(record, msgspec.json.decode(changes))
        if redacted:
            self._redact(record, keep_questions=bool(digest[37] & 1))
        return msgspec.json.encode(record)

    def _apply(self, record: dict[str, Any], changes: dict[str, Any]) -> None:
        fields: list[dict[str, Any] | None] = record.get("fields") or []
        listed = self._layout.answer_key == "values"
        for wording, answer in changes.get("answers", {}).items():
            for item in fields:
                if item is not None and item.get(self._layout.question_key) == wording:
                    item[self._layout.answer_key] = [answer] if listed else answer
                    break
            else:
                fields.append(
                    self._layout.field(
                        identifier=f"{len(fields):024x}",
                        wording=wording,
                        kind="TEXT",
                        answer=answer,
                    )
                )
        if "answers" in changes:
            record["fields"] = fields
        record.update(changes.get("fields", {}))

    def _redact(self, record: dict[str, Any], *, keep_questions: bool) -> None:
        """Take everything out that says who it was; half keep their questions without answers."""
        fields: list[dict[str, Any] | None] = record.get("fields") or []
        empty: list[Any] | None = [] if self._layout.answer_key == "values" else None
        record["fields"] = [
            {**item, self._layout.answer_key: empty}
            for item in fields
            if item is not None and keep_questions
        ]
        record["booker"] = dict.fromkeys(record.get("booker") or {}) if keep_questions else None
        record["partnerMarketingOptIns"] = []
        record["gdprRedacted"] = True
        if "tracking" in record:
            record["tracking"] = None


def _bib_text(style: str, bib: int, wave: int) -> str:
    if style == "padded":
        return f'"{bib:05d}"'
    if style == "lettered":
        return f'"{"ABC"[wave]}{bib:04d}"'
    return f'"{bib}"'


def _result(digest: bytes, finish_times: tuple[str, ...]) -> str:
    """A time that somebody sent in themselves."""
    time = finish_times[digest[39] % len(finish_times)]
    return f'{{"status":"SUBMITTED","time":{time},"evidenceUrl":null}}'


def _waves(ticket: Ticket) -> tuple[str, ...]:
    if ticket.race.kind.child:
        return ("[]", "null", "[]")
    return tuple(
        msgspec.json.encode(
            [
                {
                    "id": f"{ticket.id[:20]}{number:04x}",
                    "name": f"Wave {'ABC'[number]}",
                    "startTime": instant_text(ticket.starts + number * 600_000),
                }
            ]
        ).decode()
        for number in range(3)
    )


def _finish_times(ticket: Ticket) -> tuple[str, ...]:
    kind = ticket.race.kind
    steps = 60
    seconds = [
        60 * kind.fastest_minutes
        + step * 60 * (kind.slowest_minutes - kind.fastest_minutes) // steps
        for step in range(steps)
    ]
    times = [f'"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"' for s in seconds]
    # Some people leave it, and some type it their own way.
    return (*times, '""', "null", '"sub 2hrs hopefully"', f'"{seconds[30] // 60} mins"')
