"""What a participant and an application look like, with holes where one differs from the next.

What belongs here: the shape of both records as plain dictionaries, and a template that fills the
holes quickly. What doesn't: the values (`people`, `records`). The API's reference shows nested
objects closed, so their insides here are a guess, in the style of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec

from ldt_pipeline.sandbox.identifiers import hex_id
from ldt_pipeline.sandbox.instants import instant_text
from ldt_pipeline.sandbox.people import PERSON_SLOTS
from ldt_pipeline.sandbox.questions import CHILD_QUESTIONS, QUESTIONNAIRES
from ldt_pipeline.sandbox.world import Ticket

# The order in which `records` gives the values: those of the person, then these.
RECORD_SLOTS: tuple[str, ...] = (
    *("booker_first", "booker_last", "booker_email", "booker_mobile"),
    *("entry_url", "group_code", "group_name", "partner_external_ids", "partner_name"),
    *("id", "party", "booking_id", "transaction_id", "created", "updated", "waves"),
    *("booker_type", "incremental", "bib", "codes", "opt_ins", "tags", "tracking"),
    *("application_id", "result"),
    *("approval", "resolution", "draw"),
)

ONLY_WITH_EXTENDED_METADATA = ("tracking", "course", "raceDayDetails", "statusDetails")

_PLACE_OF_SLOT = {name: place for place, name in enumerate((*PERSON_SLOTS, *RECORD_SLOTS))}
_MARK = re.compile(r'"<<(\w+)>>"')


def _slot(name: str) -> str:
    """A hole that takes a value, given as JSON."""
    return f"<<{name}>>"


class Template:
    """The JSON text of a record, cut at its holes."""

    def __init__(self, record: dict[str, Any]) -> None:
        pieces = _MARK.split(msgspec.json.encode(record).decode())
        places = [_PLACE_OF_SLOT[name] for name in pieces[1::2]]
        pieces[1::2] = [""] * len(places)
        self._pieces = pieces
        self._choose = itemgetter(*places)

    def fill(self, values: Sequence[str]) -> bytes:
        """The record, with one value per slot in the order of all slots."""
        pieces = self._pieces.copy()
        pieces[1::2] = self._choose(values)
        return "".join(pieces).encode()


def participant_template(ticket: Ticket, layout: FieldLayout, *, extended: bool) -> Template:
    """The template of participants who hold this ticket."""
    record = {
        **_common(ticket, layout),
        "applicationId": _slot("application_id"),
        "raceDayDetails": {
            "startTime": instant_text(ticket.starts),
            "packCollection": "At the registration tent, from 90 minutes before the start",
            "bagDrop": True,
            "notes": None,
        },
        "resultSubmission": _slot("result"),
        **_surroundings(ticket),
    }
    return Template(_without_extras(record, extended=extended))


def application_template(ticket: Ticket, layout: FieldLayout, *, extended: bool) -> Template:
    """The template of applications for this ticket."""
    record = {
        **_common(ticket, layout),
        "approvalStatus": _slot("approval"),
        "applicationResolutionType": _slot("resolution"),
        "ballotDraw": _slot("draw"),
        **_surroundings(ticket),
    }
    return Template(_without_extras(record, extended=extended))


def _without_extras(record: dict[str, Any], *, extended: bool) -> dict[str, Any]:
    if extended:
        return record
    return {key: value for key, value in record.items() if key not in ONLY_WITH_EXTENDED_METADATA}


class FieldLayout:
    """How an answer is laid out: which key holds the question, which the answer."""

    def __init__(self, *, seed: int, question_key: str, answer_key: str) -> None:
        self.question_key = question_key
        self.answer_key = answer_key
        self._seed = seed

    def fields(self, ticket: Ticket) -> list[dict[str, Any]]:
        """The questions of a ticket, with holes for the answers."""
        event = ticket.race.event
        questions = QUESTIONNAIRES[event.theme.questionnaire % len(QUESTIONNAIRES)]
        if ticket.race.kind.child:
            questions += CHILD_QUESTIONS
        return [
            self.field(
                identifier=hex_id(
                    seed=self._seed,
                    kind=f"question/{event.number}",
                    number=place,
                    second=1_546_300_800,
                ),
                wording=question.wording,
                kind=question.kind,
                answer=_slot(question.slot),
            )
            for place, question in enumerate(questions)
            # Only those who run for somebody are asked why.
            if question.slot != "charity_reason" or ticket.route == "reserved"
        ]

    def field(self, *, identifier: str, wording: str, kind: str, answer: Any) -> dict[str, Any]:
        """One question and its answer."""
        return {
            "id": identifier,
            self.question_key: wording,
            "type": kind,
            self.answer_key: [answer] if self.answer_key == "values" else answer,
        }


def _common(ticket: Ticket, layout: FieldLayout) -> dict[str, Any]:
    race = ticket.race
    return {
        "id": _slot("id"),
        "participantIndex": _slot("party"),
        "bookingId": _slot("booking_id"),
        "transactionId": _slot("transaction_id"),
        "eventOccurrenceId": ticket.occurrence.id,
        "eventId": race.event.id,
        "raceId": race.id,
        "ticketTitle": ticket.title,
        "ticketId": ticket.id,
        "createdAt": _slot("created"),
        "updatedAt": _slot("updated"),
        "waves": _slot("waves"),
        "fields": layout.fields(ticket),
        "booker": {
            "firstName": _slot("booker_first"),
            "lastName": _slot("booker_last"),
            "email": _slot("booker_email"),
            "phoneNumber": _slot("booker_mobile"),
        },
        "bookerType": _slot("booker_type"),
        "originalTicketPrice": {
            "amount": ticket.pence / 100,
            "currency": race.event.theme.currency,
        },
        "incrementalStatus": _slot("incremental"),
        "bibNumber": _slot("bib"),
        "bookingCodesUsed": _slot("codes"),
        "reservedEntryUrl": _slot("entry_url"),
        "partnerMarketingOptIns": _slot("opt_ins"),
        "tags": _slot("tags"),
        "gdprRedacted": False,
        "statusDetails": [{"status": "CONFIRMED", "createdAt": _slot("created"), "reason": None}],
        "tracking": _slot("tracking"),
    }


def _surroundings(ticket: Ticket) -> dict[str, Any]:
    race, theme = ticket.race, ticket.race.event.theme
    return {
        "eventName": race.event.name,
        "raceName": race.name,
        "raceStartDate": instant_text(ticket.starts),
        "sportId": "running" if theme.discipline == "Running" else "trail-running",
        "distanceId": race.kind.label.lower().replace(" ", "-"),
        "distances": [{"label": race.kind.label, "distance": race.kind.metres, "unit": "METRES"}],
        "disciplineLabel": theme.discipline,
        "course": {
            "type": "LOOP",
            "surface": "ROAD" if theme.discipline == "Running" else "TRAIL",
            "elevationGainMetres": race.kind.metres // 190,
            "gpxUrl": None,
        },
        "eventLocation": {
            "city": theme.city,
            "country": theme.country,
            "latitude": theme.latitude,
            "longitude": theme.longitude,
        },
        "competitorSize": 350 + race.number * 1171 % 12_000,
        "reservedEntryGroupCode": _slot("group_code"),
        "reservedEntryGroupName": _slot("group_name"),
        "reservedEntryPartnerExternalIds": _slot("partner_external_ids"),
        "reservedEntryPartnerName": _slot("partner_name"),
    }
