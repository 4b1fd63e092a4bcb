"""The events, kinds of race and partners that accounts are made of: data only.

What belongs here: invented events, distances and organisations. What doesn't: how many of them an
account has and when they take place (`world`). Every name is made up.
"""

from __future__ import annotations

from typing import NamedTuple


class RaceKind(NamedTuple):
    """What is run: its name, its length, what it costs and how long people take."""

    label: str
    metres: int
    pence: int
    start_minute: int
    fastest_minutes: int
    slowest_minutes: int
    weight: float
    child: bool = False


class EventTheme(NamedTuple):
    """An event as its organiser announces it."""

    name: str
    city: str
    country: str
    latitude: float
    longitude: float
    discipline: str
    kinds: tuple[str, ...]
    questionnaire: int
    bib_style: str
    currency: str = "GBP"
    ballot: bool = False


RACE_KINDS: dict[str, RaceKind] = {
    "mile": RaceKind("Kids' Mile", 1_609, 800, 11 * 60, 6, 18, 0.35, child=True),
    "5k": RaceKind("5k", 5_000, 1_800, 10 * 60, 16, 50, 0.7),
    "10k": RaceKind("10k", 10_000, 3_450, 9 * 60 + 30, 31, 95, 1.0),
    "half": RaceKind("Half Marathon", 21_097, 4_900, 9 * 60, 68, 190, 1.3),
    "marathon": RaceKind("Marathon", 42_195, 7_995, 8 * 60 + 45, 145, 390, 3.0),
    "trail": RaceKind("Trail 25", 25_000, 5_200, 8 * 60, 110, 330, 0.6),
}

EVENT_THEMES: tuple[EventTheme, ...] = (
    EventTheme(
        "Harbour City Run", "Port Maddern", "United Kingdom", 50.4312, -4.1187,
        "Running", ("10k", "half", "mile"), 0, "padded",
    ),
    EventTheme(
        "Great Weald Marathon", "Wealdham", "United Kingdom", 51.0876, 0.2741,
        "Running", ("marathon", "half", "mile"), 1, "lettered", ballot=True,
    ),
    EventTheme(
        "Millbrook Village 10k", "Millbrook-on-the-Wold", "United Kingdom", 51.9301, -1.7231,
        "Running", ("10k", "mile"), 2, "plain",
    ),
    EventTheme(
        "Penygraig Trail Weekend", "Penygraig", "United Kingdom", 51.6101, -3.4412,
        "Trail Running", ("trail", "10k", "5k"), 3, "padded",
    ),
    EventTheme(
        "Two Rivers Half & 10k", "Baile na hAbhann", "Ireland", 53.2711, -9.0567,
        "Running", ("half", "10k"), 0, "plain", "EUR",
    ),
    EventTheme(
        "Midnight Glow 5k – “Light the Night”", "Northbridge", "United Kingdom", 54.9783, -1.6178,
        "Running", ("5k", "mile"), 1, "lettered",
    ),
    EventTheme(
        "Castle Circuit Half", "Ardmore", "United Kingdom", 56.1165, -3.9369,
        "Running", ("half", "10k", "5k"), 2, "padded",
    ),
    EventTheme(
        "Foulées du Lac", "Évian-le-Vieux", "France", 46.4006, 6.5896,
        "Running", ("10k", "half"), 3, "plain", "EUR",
    ),
)  # fmt: skip

CHARITIES: tuple[str, ...] = (
    "Lantern Hospice", "Research for Rare Hearts", "National Otter Trust", "Shelter & Stove",
    "Children's Air Ambulance of the West", "Mind How You Go", "Guide Donkeys", "Sight First",
    "St Brigid’s Kitchen", "Cymorth Canser", "Fondation Petit Pas", "Deep Sea Rescue",
    "Alzheimer's Gardens", "The Reading Room", "Clean Rivers Research", "Hope for Homeless Hounds",
)  # fmt: skip

COMPANIES: tuple[str, ...] = (
    "Brightwater Energy", "Northbridge Building Society", "Fjord Sportswear", "Oatly-Ish Foods",
    "Weald Motor Group", "Sole Mates Running Shop", "Kestrel Insurance plc", "Ångström Watches",
)  # fmt: skip

PLACE_SUFFIXES: tuple[str, ...] = (
    "North", "South", "East", "West", "Wales", "Scotland", "Ireland", "UK", "Youth", "Foundation",
)  # fmt: skip

GROUP_NAMES: tuple[str, ...] = (
    "Charity Entries", "Charity Places", "Team Places", "Guaranteed Entries", "Staff & Friends",
    "Late Release", "VIP Guests", "Gold Bond Places",
)  # fmt: skip
