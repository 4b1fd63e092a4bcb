"""The odd records that every real account holds: here one in forty.

What belongs here: single things that are missing, null, of another type or typed strangely. What
doesn't: faults of the transport (`faults`). An odd record is still a record: it keeps its id, its
instants, its event and its race.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple


class _Keys(NamedTuple):
    """The names that hold a question and its answer."""

    question: str
    answer: str


def is_odd(digest: bytes) -> bool:
    """Whether this person's record is one of the odd ones."""
    return digest[60] < 6


def make_odd(record: dict[str, Any], digest: bytes, *, question_key: str, answer_key: str) -> None:
    """Do one odd thing to a record, chosen by the person's bytes."""
    _ODDITIES[digest[61] % len(_ODDITIES)](record, _Keys(question_key, answer_key))


def _set(key: str, value: Any) -> Callable[[dict[str, Any], _Keys], None]:
    def change(record: dict[str, Any], _keys: _Keys) -> None:
        if key in record:
            record[key] = value

    return change


def _drop(key: str) -> Callable[[dict[str, Any], _Keys], None]:
    def change(record: dict[str, Any], _keys: _Keys) -> None:
        record.pop(key, None)

    return change


def _index_as_text(record: dict[str, Any], _keys: _Keys) -> None:
    record["participantIndex"] = str(record["participantIndex"])


def _price_as_text(record: dict[str, Any], _keys: _Keys) -> None:
    record["originalTicketPrice"]["amount"] = f"{record['originalTicketPrice']['amount']:.2f}"


def _size_as_text(record: dict[str, Any], _keys: _Keys) -> None:
    record["competitorSize"] = str(record["competitorSize"])


def _change_answer(
    record: dict[str, Any], keys: _Keys, place: int, change: Callable[[Any], Any]
) -> None:
    item = record["fields"][place]
    answer: Any = item[keys.answer]
    if keys.answer == "values":
        item[keys.answer] = [change(answer[0])]
    else:
        item[keys.answer] = change(answer)


def _spaces_in_name(record: dict[str, Any], keys: _Keys) -> None:
    _change_answer(record, keys, 0, lambda text: f" {text}  ")


def _shouted_name(record: dict[str, Any], keys: _Keys) -> None:
    _change_answer(record, keys, 1, lambda text: str(text).upper())


def _decomposed_name(record: dict[str, Any], keys: _Keys) -> None:
    _change_answer(record, keys, 0, lambda text: unicodedata.normalize("NFD", str(text)))


def _phone_as_number(record: dict[str, Any], keys: _Keys) -> None:
    _change_answer(record, keys, 3, lambda text: int("".join(c for c in str(text) if c.isdigit())))


def _impossible_birth_date(record: dict[str, Any], keys: _Keys) -> None:
    _change_answer(record, keys, 4, lambda _: "31/02/1990")


def _no_emergency_contact(record: dict[str, Any], keys: _Keys) -> None:
    record["fields"] = [
        item
        for item in record["fields"]
        if not any(word in item[keys.question].lower() for word in ("emergency", "ice "))
    ]


def _null_among_answers(record: dict[str, Any], _keys: _Keys) -> None:
    record["fields"].append(None)


def _null_booker_email(record: dict[str, Any], _keys: _Keys) -> None:
    record["booker"]["email"] = None


def _null_location(record: dict[str, Any], _keys: _Keys) -> None:
    record["eventLocation"] = {"city": None}


def _unheard_of_key(record: dict[str, Any], _keys: _Keys) -> None:
    record["loyaltyTier"] = {"name": "Gold", "since": 2021}


def _code_in_another_style(record: dict[str, Any], _keys: _Keys) -> None:
    code = record["reservedEntryGroupCode"]
    if code:
        record["reservedEntryGroupCode"] = f"re_x-{code[3:13]}"


_ODDITIES: tuple[Callable[[dict[str, Any], _Keys], None], ...] = (
    _set("waves", None),
    _drop("waves"),
    _set("booker", None),
    _drop("originalTicketPrice"),
    _set("tags", None),
    _set("bibNumber", ""),
    _set("distances", None),
    _drop("eventLocation"),
    _set("partnerMarketingOptIns", [None]),
    _set("statusDetails", []),
    _set("course", None),
    _drop("bookingCodesUsed"),
    _index_as_text,
    _price_as_text,
    _size_as_text,
    _spaces_in_name,
    _shouted_name,
    _decomposed_name,
    _phone_as_number,
    _impossible_birth_date,
    _no_emergency_contact,
    _null_among_answers,
    _null_booker_email,
    _null_location,
    _unheard_of_key,
    _code_in_another_style,
)
