"""Who somebody is: the answers of one person, as ready-made JSON, from 64 pseudo-random bytes.

What belongs here: name, e-mail, phone, birth date and the other answers, all read off the bytes of
one digest. What doesn't: names themselves (`names`), question wordings (`questions`), the record
around the answers (`layouts`). Every value leaves here as JSON text, because a record is put
together from such pieces hundreds of thousands of times.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ldt_pipeline.sandbox.instants import day_text
from ldt_pipeline.sandbox.names import LANGUAGES, Language

# The order of the values in `person_values`, and so of the first slots of every layout.
PERSON_SLOTS: tuple[str, ...] = (
    "first_name",
    "last_name",
    "email",
    "mobile",
    "birth_iso",
    "birth_british",
    "gender_word",
    "gender_letter",
    "club",
    "nationality",
    "country_code",
    "emergency_name",
    "emergency_phone",
    "medical_notes",
    "shirt_size",
    "finish_time",
    "charity_reason",
    "postcode",
    "accepted",
    "school",
)


class _Name(NamedTuple):
    """A name three times: as typed, as JSON, and in ASCII for an e-mail address."""

    plain: str
    json: str
    ascii: str


def _ready(pairs: tuple[tuple[str, str], ...]) -> list[_Name]:
    return [_Name(plain, f'"{plain}"', ascii_form) for plain, ascii_form in pairs]


class _ReadyLanguage(NamedTuple):
    women: list[_Name]
    men: list[_Name]
    family: list[_Name]
    nationality: str
    country_code: str


def _spread(languages: tuple[Language, ...]) -> list[_ReadyLanguage]:
    """Lay the languages out over the 256 values of a byte, by weight."""
    spread: list[_ReadyLanguage] = []
    for language in languages:
        ready = _ReadyLanguage(
            _ready(language.women),
            _ready(language.men),
            _ready(language.family),
            f'"{language.nationality}"',
            f'"{language.country_code}"',
        )
        spread.extend([ready] * language.weight)
    if len(spread) != 256:
        raise ValueError(f"the weights of the languages add up to {len(spread)}, not 256")
    return spread


_LANGUAGE_OF_BYTE = _spread(LANGUAGES)

# Numbers that Ofcom keeps free for films, so that nobody's telephone can ring.
_MOBILES = tuple(
    f'"{prefix}{number:03d}"'
    for number in range(1000)
    for prefix in ("+44 7700 900", "07700 900", "+447700900", "07700-900-")
)
_DOMAINS = ('@example.com"', '@example.org"', '@example.net"', '@mail.example.com"')
# Two ways to answer, and whether the name is a woman's, a man's or either.
_GENDERS: tuple[tuple[str, str, bool | None], ...] = (
    *[('"Female"', '"F"', True)] * 120,
    *[('"Male"', '"M"', False)] * 124,
    *[('"Non-binary"', '"X"', None)] * 6,
    *[('"Prefer not to say"', '"-"', None)] * 6,
)
_CLUBS = (
    *['""'] * 6,
    *["null"] * 2,
    '"Unattached"',
    '"n/a"',
    '"Harbour Harriers"',
    '"Hillside Harriers AC"',
    '"Millbrook Road Runners"',
    '"Penygraig Striders"',
    '"Clube de Corrida São Jorge"',
    '"Fell & Dale Runners"',
    '"Run Forrest, Run!"',
    '"Les Foulées du Lac"',
    '"Lauftreff Süd e.V."',
    '"SBRT"',
    '"Two Rivers Tri Club"',
    '"parkside joggers"',
)
_MEDICAL = (
    *['""'] * 6,
    *["null"] * 3,
    *['"None"'] * 3,
    '"N/A"',
    '"Asthma, carries inhaler"',
    '"Type 1 diabetes"',
    '"Penicillin allergy"',
    '"Nut allergy.\\nEpiPen in the belt."',
)
_SHIRTS = ('"XS"', '"S"', '"M"', '"M"', '"L"', '"L"', '"XL"', '"XXL"', '"Women\'s M"', "null")
_REASONS = (
    *['""'] * 8,
    *["null"] * 3,
    '"For my nan, who was looked after so well by the hospice last winter."',
    '"They paid for the research that gave my brother two more years."',
    '"My whole office is doing it \\"for fun\\" 🏃"',
    '"Pour ma mère."',
    '"It is the least that I can do."',
)
_POSTCODES = tuple(
    f'"{area}{district} {sector}{unit}"'
    for area, district in (("ZZ", 9), ("QX", 1), ("VJ", 12), ("XQ", 4), ("zz", 9), ("QQ", 20))
    for sector in (1, 3, 5, 8)
    for unit in ("AA", "BD", "XY")
)
_ACCEPTED = (*["true"] * 15, '"Yes"')
_SCHOOLS = ('"Millbrook Primary"', '"St Aidan\'s"', '"Ysgol y Bryn"', "null")

_ADULT_YOUNGEST, _ADULT_SPAN = 18 * 365 + 5, 55 * 365
_CHILD_YOUNGEST, _CHILD_SPAN = 5 * 365 + 2, 7 * 365


class Digester:
    """Turns a number into 64 bytes that look random and depend on the seed alone."""

    def __init__(self, seed: int) -> None:
        self._key = seed.to_bytes(16, "little", signed=True)

    def __call__(self, number: int) -> bytes:
        """The bytes that decide everything about one person."""
        return hashlib.blake2b(number.to_bytes(8, "little"), key=self._key).digest()


def person_values(
    digest: bytes, revision: int, race_day: int, finish_times: tuple[str, ...], *, child: bool
) -> tuple[str, ...]:
    """The answers of one person, in the order of `PERSON_SLOTS`.

    Args:
        digest: The 64 bytes of this person.
        revision: How often the record was changed: somebody who comes back changes their shirt
            size, predicted time or emergency number.
        race_day: The day of the race, counted from 1970: ages make sense on that day.
        finish_times: The predicted times to choose from, as JSON.
        child: Whether the race is for children.
    """
    language = _LANGUAGE_OF_BYTE[digest[0]]
    gender = _GENDERS[digest[1]]
    given = language.women if gender[2] or (gender[2] is None and digest[2] & 1) else language.men
    first = given[digest[2] % len(given)]
    last = language.family[digest[3] % len(language.family)]
    contact = _contact_name(digest, language)
    number = digest[4] << 8 | digest[5]
    age = (digest[6] << 8 | digest[7]) * (_CHILD_SPAN if child else _ADULT_SPAN) >> 16
    birth = day_text(race_day - (_CHILD_YOUNGEST if child else _ADULT_YOUNGEST) - age)
    return (
        first.json,
        last.json,
        f'"{first.ascii}.{last.ascii}{number}{_DOMAINS[digest[8] & 3]}',
        _MOBILES[(digest[9] << 8 | digest[10]) % 4000],
        f'"{birth}"',
        f'"{birth[8:]}/{birth[5:7]}/{birth[:4]}"',
        gender[0],
        gender[1],
        _CLUBS[digest[11] % len(_CLUBS)],
        language.nationality,
        language.country_code,
        f'"{contact} {last.plain}"',
        _MOBILES[((digest[12] << 8 | digest[13]) + revision) % 4000],
        _MEDICAL[digest[14] % len(_MEDICAL)],
        _SHIRTS[(digest[15] + revision) % len(_SHIRTS)],
        finish_times[(digest[16] + revision) % len(finish_times)],
        _REASONS[digest[17] % len(_REASONS)],
        _POSTCODES[digest[18] % len(_POSTCODES)],
        _ACCEPTED[digest[19] & 15],
        _SCHOOLS[digest[20] & 3],
    )


def _contact_name(digest: bytes, language: _ReadyLanguage) -> str:
    given = language.men if digest[21] & 1 else language.women
    return given[digest[22] % len(given)].plain


def booker_of(digest: bytes, values: tuple[str, ...], *, child: bool) -> tuple[str, ...]:
    """Who booked: the person alone, or a parent with the same family name.

    Args:
        digest: The bytes of the person, who leads the booking.
        values: Their answers.
        child: Whether they are a child.

    Returns:
        First name, last name, e-mail and mobile number.
    """
    if not child:
        return values[:4]
    language = _LANGUAGE_OF_BYTE[digest[0]]
    last = language.family[digest[3] % len(language.family)]
    given = language.men if digest[21] & 1 else language.women
    parent = given[digest[22] % len(given)]
    email = f'"{parent.ascii}.{last.ascii}{digest[23]}{_DOMAINS[digest[8] & 3]}'
    return (parent.json, last.json, email, _MOBILES[(digest[24] << 8 | digest[25]) % 4000])
