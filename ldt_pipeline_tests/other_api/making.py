"""Making data up: events, races, groups, partners and entries with every trap that has a name.

The same seed gives the same data. The traps: a mass update in one second that spans pages,
entries exactly on month boundaries and a millisecond beside them, bibs with leading zeros and
letters, people with the same name, names from many languages, births on 29 February, redacted
people, groups with the same name, entries whose group code is missing or matches nothing, events
without an entry, and records that are gone already.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ldt_pipeline_tests.other_api.dataset import Dataset, Record

FIRST_NAMES = (
    "Ann",
    "José",
    "Zoë",
    "Łukasz",
    "Nguyễn",
    "Siobhán",
    "Οδυσσέας",
    "小明",
    "O'Neil",
    "Al",
)
LAST_NAMES = ("Smith", "García Márquez", "von der Heide", "Şahin", "D'Arcy", "李", "Ng", "Smith")
_MILLISECOND = timedelta(milliseconds=1)


def make_dataset(
    seed: int,
    *,
    participants: int = 400,
    applications: int = 80,
    partners: int = 12,
    groups: int = 20,
    tickets: int = 9,
    events: int = 3,
    races_per_event: int = 2,
    first_month: datetime = datetime(2025, 1, 1, tzinfo=UTC),
    months: int = 6,
    mass_update: int = 150,
    deleted: float = 0.03,
    redacted: float = 0.02,
    numeric_ids: bool = False,
) -> Dataset:
    """Make a dataset.

    Args:
        seed: Equal seeds make equal data.
        participants: How many, with those that are deleted already.
        applications: The same for applications.
        partners: How many partners.
        groups: How many reserved entry groups.
        tickets: How many tickets.
        events: How many events, at least 1; there is one more that nobody has entered, with a group.
        races_per_event: How many races each event has.
        first_month: The first instant of the first month in which anything was updated.
        months: Over how many months the updates are spread.
        mass_update: How many participants were updated in the same instant.
        deleted: The fraction of entries that are gone already.
        redacted: The fraction of entries whose people asked to be forgotten.
        numeric_ids: Whether all ids are digits only, for servers that send them as numbers.
    """
    maker = _Maker(random.Random(seed), numeric_ids=numeric_ids)
    dataset = Dataset()
    races = maker.races(events=events, races_per_event=races_per_event)
    event_ids = sorted({race["eventId"] for race in races})
    lonely_event_id = "9000001"
    dataset.add_event(lonely_event_id)
    for number in range(partners):
        dataset.put("partners", maker.partner(number, first_month))
    partner_records = dataset.live("partners")
    made_groups = [
        maker.group(number, [*event_ids, lonely_event_id], partner_records)
        for number in range(groups)
    ]
    for number in range(tickets):
        dataset.put("tickets", maker.ticket(number, races))
    instants = [
        instant
        for count, together in ((participants, mass_update), (applications, mass_update // 5))
        for instant in maker.instants(
            count, first_month=first_month, months=months, mass_update=min(together, count)
        )
    ]
    names = {partner["id"]: partner for partner in partner_records}
    for number, updated_at in enumerate(instants):
        is_participant = number < participants
        entry = maker.entry(
            number,
            updated_at=updated_at,
            race=maker.choose(races),
            groups=made_groups,
            partners=names,
            is_redacted=maker.chance(redacted),
        )
        collection = "participants" if is_participant else "applications"
        if is_participant:
            record = maker.as_participant(entry, applications=(participants, applications))
        else:
            record = maker.as_application(entry)
        dataset.put(collection, record)
        if maker.chance(deleted):
            dataset.delete(collection, record["id"])
    codes = Counter(
        participant["reservedEntryGroupCode"] for participant in dataset.live("participants")
    )
    for group in made_groups:
        group["usedCapacity"] = codes[group["id"]]
        dataset.put("reserved_entries", group)
    return dataset


class _Maker:
    """Makes single records, from one source of chance."""

    def __init__(self, chances: random.Random, *, numeric_ids: bool) -> None:
        self._chances = chances
        self._numeric_ids = numeric_ids

    def chance(self, fraction: float) -> bool:
        return self._chances.random() < fraction

    def choose(self, options: Any) -> Any:
        return self._chances.choice(options)

    def _id(self, prefix: str, number: int) -> str:
        if self._numeric_ids:
            kinds = ("", "p_", "re_", "t", "o", "b", "x")
            return str((kinds.index(prefix) + 1) * 10_000_000 + number)
        # Equal arguments give equal ids, and the ids' order has nothing to do with the numbers'.
        chances = random.Random(f"{prefix} {number}")
        if prefix in {"p_", "re_"}:
            return f"{prefix}{chances.randrange(36**6):07x}{number:04d}"
        return f"6399c200{chances.randrange(16**8):08x}{ord(prefix or 'z'):02x}{number:06x}"

    def races(self, *, events: int, races_per_event: int) -> list[Record]:
        start = datetime(2026, 4, 26, 9, 30, tzinfo=UTC)
        return [
            {
                "eventId": str(2365756 + event),
                "eventName": f"City Sprint Challenge {event}",
                "eventOccurrenceId": self._id("o", event),
                "raceId": str(3517846101 + event * 100 + race),
                "raceName": f"{(5, 10, 21, 42)[race % 4]}k",
                "raceStartDate": start + timedelta(days=30 * event, minutes=45 * race),
                "disciplineLabel": "Running",
            }
            for event in range(events)
            for race in range(races_per_event)
        ]

    def partner(self, number: int, first_month: datetime) -> Record:
        created_at = first_month + timedelta(hours=number)
        return {
            "id": self._id("p_", number),
            # Two partners share a name: neither may be found by it.
            "name": "Twin Trust" if number in {2, 3} else f"Charity {number} für Läufer",
            "description": "Runs for it.",
            "type": ("CHARITY", "SPONSOR", "CORPORATE")[number % 3],
            "externalIds": {
                "enthuse": f"enth-{number}",
                "justGiving": str(70_000 + number),
                "londonMarathon": None,
            },
            "contacts": [
                {
                    "id": self._id("x", number),
                    "firstName": self.choose(FIRST_NAMES),
                    "lastName": self.choose(LAST_NAMES),
                    "email": f"contact{number}@charity.example",
                    "phone": "+44 20 7946 0000",
                }
            ],
            "defaultMarketing": {"headline": "Run for us"},
            "specificMarketings": [{"eventId": "2365756", "headline": "Here too"}],
            "canCreateSubPartners": number % 2 == 0,
            "createdAt": created_at,
            "updatedAt": created_at + timedelta(days=self._chances.randrange(100)),
        }

    def group(self, number: int, event_ids: list[str], partners: list[Record]) -> Record:
        partner = partners[number % len(partners)] if partners and number % 7 != 6 else None
        return {
            "id": self._id("re_", number),
            # The first event has two groups of one name: only the code tells them apart.
            "name": "Twin places" if number in {0, len(event_ids)} else f"Places {number}",
            "description": "Reserved.",
            "eventId": event_ids[number % len(event_ids)],
            "partnerId": partner["id"] if partner else None,
            "maxCapacity": (0, 5, 25, 100)[number % 4],
            "usedCapacity": 0,
            "tickets": [
                {"ticketId": self._id("t", 0), "price": {"amount": 12.5, "currency": "GBP"}}
            ],
            "type": ("MULTI_USE", "SINGLE_USE")[number % 2],
            "settings": {"sendEmails": True, "expiresAt": "2026-03-01T00:00:00.000Z"},
        }

    def ticket(self, number: int, races: list[Record]) -> Record:
        race = races[number % len(races)]
        return {
            "id": self._id("t", number),
            "title": f"{race['raceName']} Standard Entry",
            "eventId": race["eventId"],
            "raceId": race["raceId"],
            "eventOccurrenceId": race["eventOccurrenceId"],
            "price": {"amount": 45.5 + number, "currency": "GBP"},
            "maxCapacity": 500,
            "status": "ON_SALE",
            "saleStartDate": "2025-01-01T00:00:00.000Z",
            "saleEndDate": "2026-04-01T00:00:00.000Z",
        }

    def instants(
        self, count: int, *, first_month: datetime, months: int, mass_update: int
    ) -> list[datetime]:
        """Give instants of updates: a mass update, month boundaries, the rest at random."""
        starts = [_month_later(first_month, months=number) for number in range(months + 1)]
        special: list[datetime] = []
        for start in starts[:-1]:
            special += [start, start, start, start + _MILLISECOND]
        for start in starts[1:]:
            special.append(start - _MILLISECOND)
        together = starts[months // 2] + timedelta(days=10, hours=3)
        milliseconds = int((starts[-1] - first_month) / _MILLISECOND)
        chosen = [together] * mass_update + special[: max(count - mass_update, 0)]
        return chosen + [
            first_month + _MILLISECOND * self._chances.randrange(milliseconds)
            for _ in range(count - len(chosen))
        ]

    def entry(
        self,
        number: int,
        *,
        updated_at: datetime,
        race: Record,
        groups: list[Record],
        partners: dict[str, Record],
        is_redacted: bool,
    ) -> Record:
        first_name, last_name = self.choose(FIRST_NAMES), self.choose(LAST_NAMES)
        born = self.choose((date(1988, 2, 29), date(1999, 12, 31), date(1950, 6, 15)))
        created_at = updated_at - timedelta(minutes=self._chances.randrange(50_000))
        booking_id = self._id("b", number // 2)
        bib = self.choose(
            (None, str(number + 1), f"{number + 1:05d}", f"A{number + 1}", str(number + 1))
        )
        answers = {
            "First name": first_name,
            "Last name": last_name,
            "Email address": f"runner{number}@runner.example",
            "Mobile number": f"+44 7700 {900_000 + number % 100_000}",
            "Date of birth": born.isoformat(),
            "Gender": self.choose(("Female", "Male", "Non-binary", "Prefer not to say")),
            "Club": self.choose((None, "", "Sevenoaks AC")),
            "Nationality": self.choose(("GB", "DE", "KE")),
            "Emergency contact name": self.choose(FIRST_NAMES),
            "Emergency contact number": "+44 7700 900999",
            "T-shirt size": self.choose(("S", "M", "L")),
        }
        forgotten = is_redacted
        return {
            "id": self._id("", number),
            "participantIndex": number % 2,
            "bookingId": booking_id,
            "transactionId": booking_id,
            **race,
            "ticketTitle": f"{race['raceName']} Standard Entry",
            "ticketId": self._id("t", 0),
            "createdAt": created_at,
            "updatedAt": updated_at,
            "waves": [
                {
                    "id": "w1",
                    "name": f"Wave {'ABC'[number % 3]}",
                    "startTime": race["raceStartDate"],
                }
            ],
            "fields": []
            if forgotten
            else [
                {"id": f"q{place}", "label": label, "value": value}
                for place, (label, value) in enumerate(answers.items())
            ],
            "booker": None
            if forgotten
            else {
                "id": self._id("x", number),
                "firstName": first_name,
                "lastName": last_name,
                "email": f"booker{number}@runner.example",
                "phone": "+44 7700 900123",
            },
            "bookerType": "PARTICIPANT",
            "originalTicketPrice": {"amount": 45.5, "currency": "GBP"},
            "incrementalStatus": "INCREMENTAL",
            "bibNumber": bib,
            "bookingCodesUsed": {"codes": ["EARLY10"]} if number % 5 == 0 else {},
            "reservedEntryUrl": None,
            "partnerMarketingOptIns": [
                {
                    "partnerId": partner_id,
                    "partnerName": partners[partner_id]["name"],
                    "optedIn": True,
                }
                for partner_id in list(partners)[:1]
            ],
            "tags": ["early", "grün"] if number % 3 else [],
            "gdprRedacted": is_redacted,
            "statusDetails": [{"status": "CONFIRMED", "reason": None, "date": created_at}],
            "tracking": {"utmSource": "newsletter"},
            "sportId": "1",
            "distanceId": "10",
            "distances": [{"id": "10", "label": race["raceName"], "value": 10, "unit": "km"}],
            "course": {"name": "City loop", "laps": 1},
            "eventLocation": {
                "city": "London",
                "country": "GB",
                "latitude": 51.5,
                "longitude": -0.1,
            },
            "competitorSize": 12293,
            **self._claim(race["eventId"], groups, partners),
        }

    def _claim(
        self, event_id: str, groups: list[Record], partners: dict[str, Record]
    ) -> dict[str, Any]:
        """Give what an entry says about the group and partner that it came from."""
        nothing = {
            "reservedEntryGroupCode": None,
            "reservedEntryGroupName": None,
            "reservedEntryPartnerExternalIds": None,
            "reservedEntryPartnerName": None,
        }
        own = [group for group in groups if group["eventId"] == event_id]
        if not own or not self.chance(0.3):
            return nothing
        group = self.choose(own)
        partner = partners.get(group["partnerId"] or "")
        how = self.choose(("code", "code", "code", "name", "lost"))
        return nothing | {
            "bookerType": "PARTNER",
            "reservedEntryUrl": f"https://claim.example/{group['id']}",
            "reservedEntryGroupCode": {"code": group["id"], "name": None, "lost": "re_lost"}[how],
            "reservedEntryGroupName": group["name"] if how != "lost" else "A group that is gone",
            "reservedEntryPartnerName": partner["name"] if partner else None,
            "reservedEntryPartnerExternalIds": dict(partner["externalIds"]) if partner else None,
        }

    def as_participant(self, entry: Record, *, applications: tuple[int, int]) -> Record:
        first, count = applications
        applied = count > 0 and self.chance(0.1)
        return entry | {
            "applicationId": self._id("", first + self._chances.randrange(count))
            if applied
            else None,
            "raceDayDetails": {"arrival": "by train"},
            "resultSubmission": None,
        }

    def as_application(self, entry: Record) -> Record:
        return entry | {
            "approvalStatus": self.choose(("APPROVED", "PENDING", "REJECTED")),
            "applicationResolutionType": "BALLOT",
            "ballotDraw": "International Ballot Draw",
            "bibNumber": None,
        }


def _month_later(start: datetime, *, months: int) -> datetime:
    years, month = divmod(start.month - 1 + months, 12)
    return start.replace(year=start.year + years, month=month + 1)
