"""How a record goes on the wire: nested shapes, instants, numbers and unknown keys, by reading.

A nested value that a test put in another shape than `making.py` makes is sent as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ldt_pipeline_tests.other_api.dataset import Record
from ldt_pipeline_tests.other_api.readings import Readings

METADATA_KEYS = (
    "eventName",
    "raceName",
    "raceStartDate",
    "sportId",
    "distanceId",
    "distances",
    "disciplineLabel",
    "course",
    "eventLocation",
    "competitorSize",
)
"""What `extendMetadata` brings, for a server that hides it otherwise."""


def render(record: Record, *, readings: Readings, extended: bool = False) -> Any:
    """Give the JSON value of a record."""
    shown = {
        key: value
        for key, value in record.items()
        if key in {"id", "updatedAt"} or key not in readings.missing_keys
    }
    if readings.extend_metadata_hides and not extended:
        shown = {key: value for key, value in shown.items() if key not in METADATA_KEYS}
    for key, reshape in _RESHAPE.items():
        if shown.get(key) is not None:
            shown[key] = reshape(shown[key], readings)
    if "saleStartDate" in shown:
        shown = _ticket(shown, readings)
    for key in readings.nested_nulls & shown.keys():
        shown[key] = None
    return _leaves(shown, readings)


def render_instant(instant: datetime, style: str) -> str:
    """Give an instant as text."""
    instant = instant.astimezone(UTC)
    if style == "seconds":
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    if style == "microseconds":
        return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = instant.isoformat(timespec="milliseconds")
    return text if style == "offset" else text.replace("+00:00", "Z")


def _waves(waves: Any, readings: Readings) -> Any:
    if not _objects(waves, "name") or readings.waves == "objects":
        return waves
    if readings.waves == "strings":
        return [wave["name"] for wave in waves]
    return [
        {"waveId": wave["id"], "title": wave["name"], "startDate": wave["startTime"]}
        for wave in waves
    ]


def _fields(answers: Any, readings: Readings) -> Any:
    if not _objects(answers, "label"):
        return answers
    if readings.fields == "mapping":
        return {answer["label"]: answer["value"] for answer in answers}
    question_key, answer_key = readings.fields
    listed = answer_key.endswith("s")
    return [
        {
            "id": answer["id"],
            question_key: answer["label"],
            answer_key: _listed(answer["value"]) if listed else answer["value"],
        }
        for answer in answers
    ]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _tags(tags: Any, readings: Readings) -> Any:
    if readings.tags == "strings":
        return tags
    return [
        {"id": f"tag{number}", "name": tag} if isinstance(tag, str) else tag
        for number, tag in enumerate(tags)
    ]


def _booker(booker: Any, readings: Readings) -> Any:
    if readings.booker == "split_name" or "firstName" not in booker:
        return booker
    return {
        "userId": booker["id"],
        "name": f"{booker['firstName']} {booker['lastName']}",
        "emailAddress": booker["email"],
        "phoneNumber": booker["phone"],
    }


def _price(price: Any, readings: Readings) -> Any:
    if not isinstance(price, dict) or readings.prices == "number":
        return price
    if readings.prices == "bare":
        return price["amount"]
    return {**price, "amount": f"{price['amount']:.2f}"}


def _group_tickets(tickets: Any, readings: Readings) -> Any:
    if not _objects(tickets, "ticketId"):
        return tickets
    if readings.group_tickets == "strings":
        return [ticket["ticketId"] for ticket in tickets]
    return [{**ticket, "price": _price(ticket.get("price"), readings)} for ticket in tickets]


def _ticket(ticket: Record, readings: Readings) -> Record:
    if readings.tickets == "id_title":
        return ticket
    renamed = {"id": "ticketId", "title": "name", "maxCapacity": "capacity"}
    return {renamed.get(key, key): value for key, value in ticket.items()}


_RESHAPE: dict[str, Callable[[Any, Readings], Any]] = {
    "waves": _waves,
    "fields": _fields,
    "tags": _tags,
    "booker": _booker,
    "originalTicketPrice": _price,
    "price": _price,
    "tickets": _group_tickets,
}


def _objects(value: Any, key: str) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and key in each for each in value)


def _leaves(value: Any, readings: Readings) -> Any:
    """Apply the readings that hold at every depth."""
    if isinstance(value, dict):
        shown = {key: _leaves(each, readings) for key, each in value.items()}
        if readings.extra_keys:
            shown |= {"x-new": {"since": 2027, "list": [1, "two", None]}, "betaFlag": True}
        return shown
    if isinstance(value, list):
        shown = [_leaves(each, readings) for each in value]
        return [None, *shown] if readings.null_elements else shown
    if isinstance(value, datetime):
        return render_instant(value, readings.timestamps)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if readings.numbers_as_text else value
    if isinstance(value, str) and readings.text_as_numbers and _is_whole_number(value):
        return int(value)
    return value


def _is_whole_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text and len(text) < 16
