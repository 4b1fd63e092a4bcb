"""The fixed surroundings of an account: events, races, editions, tickets, partners and groups.

What belongs here: what exists before anybody enters, made from a seed and a moment, and growing
only when somebody adds an event, a partner or a group. What doesn't: participants and applications
(`history`, `index`), and how any of it looks as JSON (`layouts`, `lists`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from ldt_pipeline.sandbox.catalogue import (
    CHARITIES,
    COMPANIES,
    EVENT_THEMES,
    GROUP_NAMES,
    PLACE_SUFFIXES,
    RACE_KINDS,
    EventTheme,
    RaceKind,
)
from ldt_pipeline.sandbox.identifiers import event_id, hex_id, race_id, short_id
from ldt_pipeline.sandbox.instants import DAY, MINUTE, instant_text, moment

# 52 weeks, so that every edition falls on the weekday of the one before.
YEAR = 364 * DAY
_FIRST_RACE_IN_DAYS = 10
_BALLOT_RACE_IN_DAYS = 300


@dataclass(slots=True)
class Event:
    """An event, of which there are several editions."""

    number: int
    id: str
    name: str
    theme: EventTheme
    ballot: bool
    races: list[Race] = field(default_factory=list["Race"])


@dataclass(slots=True)
class Race:
    """A race of an event; it keeps its id from edition to edition."""

    number: int
    id: str
    event: Event
    name: str
    kind: RaceKind


@dataclass(slots=True)
class Occurrence:
    """One edition of an event."""

    number: int
    id: str
    event: Event
    year: int
    race_day: int
    opens: int
    closes: int
    tickets: list[Ticket] = field(default_factory=list["Ticket"])


@dataclass(slots=True)
class Ticket:
    """What can be bought: a way into one race of one edition."""

    number: int
    id: str
    race: Race
    occurrence: Occurrence
    title: str
    pence: int
    route: str
    weight: float
    starts: int
    opens: int
    closes: int

    @property
    def draw(self) -> int:
        """When the ballot for this ticket is drawn."""
        return self.opens + 60 * DAY


@dataclass(slots=True)
class Group:
    """A reserved entry group: places that a partner hands out."""

    number: int
    id: str
    event: Event
    partner: int | None
    name: str
    description: str | None
    type: str
    max_capacity: int
    tickets: tuple[Ticket, ...]
    settings: dict[str, Any] | None
    used: int = 0
    # A few groups report a count that differs from the truth, as counters in real systems do.
    drift: int = 0
    # What a write said of single tickets, by their ids; made-up groups go by rules.
    ticket_settings: dict[str, dict[str, Any]] | None = None


@dataclass(slots=True)
class World:
    """Everything that exists besides participants and applications; positions are numbers."""

    seed: int
    now: int
    events: list[Event] = field(default_factory=list[Event])
    races: list[Race] = field(default_factory=list[Race])
    occurrences: list[Occurrence] = field(default_factory=list[Occurrence])
    tickets: list[Ticket] = field(default_factory=list[Ticket])
    groups: list[Group | None] = field(default_factory=list[Group | None])
    partners: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    event_numbers: dict[str, int] = field(default_factory=dict[str, int])
    race_numbers: dict[str, int] = field(default_factory=dict[str, int])
    occurrence_numbers: dict[str, int] = field(default_factory=dict[str, int])
    group_numbers: dict[str, int] = field(default_factory=dict[str, int])
    partner_numbers: dict[str, int] = field(default_factory=dict[str, int])

    def add_event(self, theme: EventTheme, *, name: str | None = None) -> Event:
        """Add an event with its races, without an edition."""
        number = len(self.events)
        event = Event(
            number, event_id(seed=self.seed, number=number), name or theme.name, theme, theme.ballot
        )
        self.events.append(event)
        self.event_numbers[event.id] = number
        for kind_name in theme.kinds:
            kind = RACE_KINDS[kind_name]
            race_number = len(self.races)
            identifier = race_id(seed=self.seed, number=race_number)
            race = Race(race_number, identifier, event, kind.label, kind)
            self.races.append(race)
            event.races.append(race)
            self.race_numbers[identifier] = race_number
        return event

    def add_occurrence(self, event: Event, *, race_day: int) -> Occurrence:
        """Add an edition of an event, with the tickets of all its races."""
        number = len(self.occurrences)
        opens = race_day - (330 if event.ballot else 280) * DAY
        identifier = hex_id(seed=self.seed, kind="occurrence", number=number, second=opens // 1000)
        year = moment(race_day).year
        occurrence = Occurrence(
            number, identifier, event, year, race_day, opens, race_day - 4 * DAY
        )
        self.occurrences.append(occurrence)
        self.occurrence_numbers[identifier] = number
        for race in event.races:
            self._add_tickets(race, occurrence)
        return occurrence

    def _add_tickets(self, race: Race, occurrence: Occurrence) -> None:
        kind = race.kind
        start = occurrence.race_day + kind.start_minute * MINUTE
        if race.event.ballot and race is race.event.races[0]:
            ways = [("Ballot Entry", "ballot", 1.0)]
        else:
            ways = [("Standard Entry", "open", 1.0)]
        if not kind.child:
            ways.append(("Partner Entry", "reserved", 0.18))
        for title, route, share in ways:
            number = len(self.tickets)
            ticket = Ticket(
                number=number,
                id=hex_id(
                    seed=self.seed, kind="ticket", number=number, second=occurrence.opens // 1000
                ),
                race=race,
                occurrence=occurrence,
                title=f"{race.name} {title}",
                # Every year costs a little more than the one before.
                pence=kind.pence + 100 * (occurrence.year - 2020),
                route=route,
                weight=kind.weight * share,
                starts=start,
                opens=occurrence.opens,
                closes=occurrence.closes,
            )
            self.tickets.append(ticket)
            occurrence.tickets.append(ticket)

    def add_partner(self, *, name: str, type: str, created: int, updated: int) -> str:
        """Add a partner, and return its id."""
        number = len(self.partners)
        identifier = short_id("p", seed=self.seed, number=number)
        charity = type == "CHARITY"
        slug = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
        external_ids = {
            "enthuse": f"ent-{10_000 + number * 37}" if charity and number % 4 else None,
            "justGiving": str(182_000 + number * 11) if charity and number % 3 else None,
            "londonMarathon": f"LM{number:05d}" if charity and number % 5 == 0 else None,
        }
        contact = {
            "firstName": ("Priya", "Tom", "Siân", "Aoife", "João")[number % 5],
            "lastName": ("Shah", "O'Dowd", "Pugh", "Nolan", "Reis")[number % 5],
            "emailAddress": f"places@{slug or 'partner'}.example.org",
            "phoneNumber": f"020 7946 0{number % 1000:03d}" if number % 7 else None,
            "role": "ADMIN",
        }
        contacts = [contact] if number % 6 else [contact, {**contact, "firstName": "Events Team"}]
        self.partners.append(
            {
                "id": identifier,
                "name": name,
                "description": None if number % 4 == 0 else f"{name} has run with us for years.",
                "type": type,
                "externalIds": external_ids if number % 9 else None,
                "contacts": contacts if number % 11 else [],
                "defaultMarketing": {
                    "title": f"Run for {name}",
                    "description": "Every place helps.",
                    "logoUrl": f"https://cdn.example.org/{slug}.png",
                    "optInText": f"May {name} write to you?",
                },
                "specificMarketings": []
                if number % 3
                else [{"eventId": self.events[0].id, "title": "See you at the start"}],
                "canCreateSubPartners": number % 10 == 0,
                "createdAt": instant_text(created),
                "updatedAt": instant_text(updated),
            }
        )
        self.partner_numbers[identifier] = number
        return identifier

    def add_group(
        self, *, event: Event, partner: int | None, name: str, type: str,
        max_capacity: int, tickets: tuple[Ticket, ...],
    ) -> Group:  # fmt: skip
        """Add a reserved entry group to an event."""
        number = len(self.groups)
        settings: dict[str, Any] | None = {
            "allowTransfers": number % 2 == 0,
            "claimDeadline": instant_text(tickets[0].closes - 14 * DAY) if tickets else None,
            "discount": {"type": "PERCENTAGE", "value": 100 if number % 3 else "50"},
        }
        description = None if number % 3 == 0 else f"Places at {event.name}."
        group = Group(
            number, short_id("re", seed=self.seed, number=number), event, partner, name,
            description, type, max_capacity, tickets, settings if number % 8 else None,
        )  # fmt: skip
        self.groups.append(group)
        self.group_numbers[group.id] = number
        return group


def build_world(
    *, seed: int, now: int, events: int, history_years: int, participants: int, partners: int | None
) -> World:
    """Make the events, editions, tickets, partners and groups of an account.

    The first event's next race is ten days away, so that there is always a start list to look at;
    the second is a big one with a ballot that is open now. The rest are spread over the year.
    """
    rng = random.Random(f"{seed}/world")  # noqa: S311 - repeatable on purpose, nothing secret
    world = World(seed, now)
    midnight = now // DAY * DAY
    for number in range(events):
        theme = EVENT_THEMES[number % len(EVENT_THEMES)]
        series = number // len(EVENT_THEMES)
        world.add_event(theme, name=f"{theme.name} {series + 1}" if series else None)
    for event in world.events:
        for edition in range(history_years, -1, -1):
            race_day = midnight + _days_ahead(event, events=events) * DAY - edition * YEAR
            world.add_occurrence(event, race_day=race_day)
    expected_claims = participants * 0.12 / max(1, len(world.occurrences))
    groups_per_occurrence = round(min(300, max(3, expected_claims / 12)))
    count = partners if partners is not None else 8 + groups_per_occurrence * 2
    _add_partners(world, rng, count, history_years=history_years)
    for occurrence in world.occurrences:
        _add_groups(world, rng, occurrence, groups_per_occurrence)
    return world


def _days_ahead(event: Event, *, events: int) -> int:
    if event.number == 0:
        return _FIRST_RACE_IN_DAYS
    if event.ballot:
        return _BALLOT_RACE_IN_DAYS + event.number % 7
    return _FIRST_RACE_IN_DAYS + event.number * 350 // max(1, events)


def _add_partners(world: World, rng: random.Random, count: int, *, history_years: int) -> None:
    charities = companies = 0
    for number in range(count):
        if number % 5 == 4:
            kind = rng.choice(("SPONSOR", "CORPORATE", "MERCH_PARTNER", "FRIENDS_AND_FAMILY"))
            series, place = divmod(companies, len(COMPANIES))
            name = COMPANIES[place]
            companies += 1
        else:
            kind = "CHARITY"
            series, place = divmod(charities, len(CHARITIES))
            name = CHARITIES[place]
            charities += 1
        if series:
            name = f"{name} {PLACE_SUFFIXES[series % len(PLACE_SUFFIXES)]}"
            name += f" {series}" if series >= len(PLACE_SUFFIXES) else ""
        created = world.now - int(rng.random() * history_years * YEAR) - 2 * MINUTE
        updated = created + int((world.now - MINUTE - created) * rng.random() ** 3)
        world.add_partner(name=name, type=kind, created=created, updated=updated)


def _add_groups(world: World, rng: random.Random, occurrence: Occurrence, count: int) -> None:
    tickets = tuple(ticket for ticket in occurrence.tickets if ticket.route == "reserved")
    if not tickets:
        return
    for _ in range(count):
        partner = rng.randrange(len(world.partners)) if world.partners else None
        name = rng.choice(GROUP_NAMES)
        world.add_group(
            event=occurrence.event,
            # Some groups are the organiser's own.
            partner=None if rng.random() < 0.06 else partner,
            name=name if rng.random() < 0.5 else f"{name} {occurrence.year}",
            type="UNKNOWN" if rng.random() < 0.03 else rng.choice(("MULTI_USE", "SINGLE_USE")),
            max_capacity=0,
            tickets=tickets if rng.random() < 0.8 else tickets[:1],
        )
