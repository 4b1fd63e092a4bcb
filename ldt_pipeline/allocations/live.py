"""What is there now: partners, and the groups and tickets of events, read from the API itself.

What belongs here: reading, and what of a record counts when two are compared. What doesn't: the
published tables, which may be an hour old.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ldt_pipeline.api.catalogue import (
    EXTERNAL_ID_TYPES,
    GET_RESERVED_ENTRY_GROUP,
    LIST_EVENT_RESERVED_ENTRIES,
    LIST_EVENT_TICKETS,
    LIST_PARTNERS,
)
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import NotFoundError
from ldt_pipeline.api.paging import ListRequest, Proof, walk

Record = dict[str, Any]

GROUP_FIELDS = ("name", "maxCapacity", "tickets", "type", "description", "settings")
PARTNER_FIELDS = (
    "name",
    "description",
    "type",
    "externalIds",
    "defaultMarketing",
    "specificMarketings",
    "canCreateSubPartners",
)


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """An event's groups and tickets, by id."""

    groups: Mapping[str, Record]
    tickets: Mapping[str, Record]


@dataclass(frozen=True, kw_only=True)
class Live:
    """All partners, and the events that were asked for and exist; by id."""

    partners: Mapping[str, Record]
    events: Mapping[str, LiveEvent]


def read_live(client: Client, event_ids: Iterable[str]) -> Live:
    """Read partners and events from the API.

    Raises:
        ApiError: Something could not be read, or not be read completely.
    """
    events: dict[str, LiveEvent] = {}
    for event_id in event_ids:
        try:
            tickets = _records(client.get_list(LIST_EVENT_TICKETS, record_id=event_id))
        except NotFoundError:
            continue  # whoever asked sees that it is missing
        events[event_id] = LiveEvent(groups=read_groups(client, event_id), tickets=tickets)
    return Live(partners=read_partners(client), events=events)


def read_groups(client: Client, event_id: str) -> dict[str, Record]:
    """Read an event's groups, by id.

    Raises:
        ApiError: They could not be read.
    """
    return _records(client.get_list(LIST_EVENT_RESERVED_ENTRIES, record_id=event_id))


def read_group(client: Client, group_id: str) -> Record | None:
    """Read one group, or None where there is none.

    Raises:
        ApiError: It could not be read.
    """
    try:
        return json.loads(client.get_record(GET_RESERVED_ENTRY_GROUP, record_id=group_id))
    except NotFoundError:
        return None


def read_partners(client: Client) -> dict[str, Record]:
    """Read all partners, by id.

    Raises:
        ApiError: They could not be read completely.
    """
    found: dict[str, Record] = {}
    for records in walk(client, ListRequest(operation=LIST_PARTNERS), Proof()):
        found.update(_records(each.body for each in records))
    return found


def partner_of(group: Record) -> str | None:
    """Give the id of the partner whose group it is."""
    return group.get("partnerId") or None


def used_of(group: Record) -> int:
    """Give how many places of a group are claimed."""
    return _number(group.get("usedCapacity"))


def capacity_of(group: Record) -> int:
    """Give how many places a group has."""
    return _number(group.get("maxCapacity"))


def is_as_wanted(name: str, live: Any, wanted: Any) -> bool:
    """Whether a field already is as it is wanted.

    Of a mapping only the wanted keys count; tickets count whatever their order; and an empty text is
    the same as none.
    """
    if name == "tickets":
        have = tickets_of(live)
        ids = [each["ticketId"] for each in wanted]
        return set(have) == set(ids) and all(
            _covers(have[each["ticketId"]], each) for each in wanted
        )
    if name == "name" and isinstance(live, str) and isinstance(wanted, str):
        return normal(live) == normal(wanted)
    return _covers(live, wanted)


def has_fields(record: Record, body: Record) -> bool:
    """Whether a record is there, with every field as it is wanted."""
    return bool(record) and all(
        is_as_wanted(name, record.get(name), value) for name, value in body.items()
    )


def merged(name: str, live: Any, wanted: Any) -> Any:
    """Give what to send for a field: the wanted keys over those that are there, at every depth.

    The reference does not say whether a mapping is replaced as a whole: what is sent is whole.
    """
    if name == "tickets":
        have = tickets_of(live)
        return [_over(have.get(each["ticketId"], {}), each) for each in wanted]
    return _over(live, wanted) if isinstance(wanted, dict) else wanted


def _over(live: Any, wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return wanted
    kept = cast("Record", live) if isinstance(live, dict) else {}
    members = cast("Record", wanted)
    whole: Record = {key: value for key, value in kept.items() if value is not None}
    for key, value in members.items():
        # A key that is to go is sent as null: an API that merges would keep one that isn't sent.
        if value is not None or kept.get(key) is not None:
            whole[key] = _over(kept.get(key), value)
    return whole


def tickets_of(tickets: Any) -> dict[str, Record]:
    """Give a group's tickets by their ids."""
    items = cast("list[Any]", tickets) if isinstance(tickets, list) else []
    found = [cast("Record", each) for each in items if isinstance(each, dict)]
    return {str(each["ticketId"]): each for each in found if each.get("ticketId")}


def _covers(live: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        kept = cast("Record", live) if isinstance(live, dict) else {}
        members = cast("Record", wanted)
        return all(_covers(kept.get(key), value) for key, value in members.items())
    if wanted in (None, "", []) and live in (None, "", []):
        return True
    return _is_same(live, wanted)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    # The API may write a number as text, and the other way round.
    if isinstance(one, str | int) and isinstance(other, str | int):
        return str(one) == str(other)
    return one == other


def normal(text: str) -> str:
    """Give what a name is compared by: blanks around it are nothing, and an accent is an accent.

    One may be a character of its own or not. Both look the same, and editors and spreadsheets change
    one into the other.
    """
    return unicodedata.normalize("NFC", text).strip()


def is_name(reference: str) -> bool:
    """Whether a reference to a partner is no id, neither here nor elsewhere, but a name."""
    return not is_id(reference) and external_of(reference) is None


def is_id(reference: str) -> bool:
    """Whether a reference is an id at Let's Do This."""
    return reference.startswith("p_")


def external_of(reference: str) -> tuple[str, str] | None:
    """Give the kind and the value of a reference by an id elsewhere."""
    kind, colon, value = reference.partition(":")
    return (kind, value.strip()) if colon and kind in EXTERNAL_ID_TYPES else None


def is_called(record: Record, name: str) -> bool:
    """Whether a partner or group has a name."""
    return normal(str(record.get("name"))) == normal(name)


def _records(bodies: Iterable[bytes]) -> dict[str, Record]:
    found: list[Any] = [json.loads(body) for body in bodies]
    records = [cast("Record", each) for each in found if isinstance(each, dict)]
    return {str(each["id"]): each for each in records if each.get("id")}


def _number(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0
