"""Identifiers in the styles that the API shows, made from numbers and read back.

What belongs here: 24-digit hexadecimal ids of records, numeric ids of events and races, `p_…` and
`re_…`. What doesn't: which number belongs to what (`world`, `index`). An id is a pure function of
seed, kind and number, so that a million of them need no memory.
"""

from __future__ import annotations

import hashlib

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_MOST_RECORDS = 1 << 24


class RecordIds:
    """The ids of one kind of record: a time, something random, a counter, all in hexadecimal.

    The time grows with the number, so ids sort as numbers do. It is near the instant at which the
    record was made, but isn't that instant: a record may be stored late.
    """

    def __init__(
        self, *, seed: int, kind: str, first_second: int, seconds_per_record: float
    ) -> None:
        digest = hashlib.blake2b(f"{seed}/{kind}".encode(), digest_size=5)
        self.middle = digest.hexdigest()
        self._first = first_second
        self._step = seconds_per_record

    def ends(self, number: int) -> tuple[str, str]:
        """What stands before and after the middle: the same for every kind of an account."""
        return f"{self._first + int(number * self._step):08x}", f"{number:06x}"

    def text(self, number: int) -> str:
        """The id of record `number`."""
        return f"{self._first + int(number * self._step):08x}{self.middle}{number:06x}"

    def number(self, text: str) -> int | None:
        """The number behind an id; None if it is not one of ours."""
        try:
            number = int(text[18:], 16)
        except ValueError:
            return None
        return number if 0 <= number < _MOST_RECORDS and self.text(number) == text else None


def short_id(prefix: str, *, seed: int, number: int) -> str:
    """An id such as `re_8sk2m0x1q7d`: a prefix and eleven letters or digits."""
    digest = hashlib.blake2b(f"{seed}/{prefix}/{number}".encode(), digest_size=8).digest()
    value = int.from_bytes(digest, "little")
    letters: list[str] = []
    for _ in range(11):
        value, rest = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return f"{prefix}_{''.join(letters)}"


def event_id(*, seed: int, number: int) -> str:
    """The id of an event: seven or eight digits, as text."""
    return str(2_365_700 + seed % 1000 * 7919 + number * 1013)


def race_id(*, seed: int, number: int) -> str:
    """The id of a race: ten digits, as text."""
    return str(3_517_800_000 + seed % 1000 * 7919 + number * 10_009)


def hex_id(*, seed: int, kind: str, number: int, second: int) -> str:
    """The 24-digit id of something that is kept in memory: an occurrence, a ticket, a question."""
    digest = hashlib.blake2b(f"{seed}/{kind}/{number}".encode(), digest_size=8)
    return f"{second:08x}{digest.hexdigest()}"
