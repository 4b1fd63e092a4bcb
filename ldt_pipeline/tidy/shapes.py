"""What is known about the shapes of records and of the objects in them.

What belongs here: which keys an object has, which of them are other names for the same thing, and
what a bare value stands for where an object was expected. The reference shows nested objects
collapsed, so their keys are inferred: a correction is one word here. Top-level keys come from the
registry of tables. What doesn't belong here: reading by these shapes (`decode.py`), and which
column a key fills (the modules named after feeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ldt_pipeline.tables.tidy import APPLICATIONS, PARTICIPANTS, PARTNERS, RESERVED_ENTRY_GROUPS
from ldt_pipeline.tables.types import Table


@dataclass(frozen=True)
class Shape:
    """An object's keys.

    Attributes:
        path: Where it stands in the record, as drift names it: "" for the record itself.
        usual: Keys in the order in which they usually come (the fast reader depends on it).
        rare: Other names for them.
        ignored: Harmless keys that nothing reads.
        whole: Those of the keys whose values are kept as they are, as JSON text.
        nested: Shapes of objects, or of the objects in lists, under one of the keys.
        bare: The key that a value stands for which is no object, such as a tag's name: a usual one.
        bare_email: The same for a text with an @ in it.
        is_mapping: Whether an object here may be a dictionary of questions and answers.
    """

    path: str
    usual: tuple[str, ...]
    rare: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
    nested: tuple[Shape, ...] = ()
    bare: str | None = None
    bare_email: str | None = None
    is_mapping: bool = False

    @cached_property
    def is_list(self) -> bool:
        """Whether objects of this shape stand in lists."""
        return self.path.endswith("[]")

    @cached_property
    def known(self) -> frozenset[str]:
        """All keys that are no drift."""
        return frozenset((*self.usual, *self.rare, *self.ignored))

    @cached_property
    def read(self) -> frozenset[str]:
        """Those of the keys that something may read."""
        return self.known - frozenset(self.ignored)

    @cached_property
    def nested_by_key(self) -> dict[str, Shape]:
        """The nested shapes by the key that they stand under."""
        return {shape.path.rsplit(".", 1)[-1].removesuffix("[]"): shape for shape in self.nested}

    @cached_property
    def tree(self) -> tuple[Shape, ...]:
        """This shape and those in it, innermost first."""
        return (*(shape for nested in self.nested for shape in nested.tree), self)


def _keys(table: Table) -> tuple[str, ...]:
    """Give the top-level keys that the table's columns come from, in the table's order."""
    sources = (column.source for column in table.columns if column.source is not None)
    return tuple(dict.fromkeys(source.split(".")[0].removesuffix("[]") for source in sources))


QUESTION_KEYS: Final = ("label", "question", "name", "title", "key")
ANSWER_KEYS: Final = ("value", "answer", "values")
QUESTION_ID_KEYS: Final = ("id", "questionId", "fieldId", "key")

FIELD: Final = Shape(
    path="fields[]",
    usual=("id", "label", "value"),
    rare=(*("question", "name", "title", "key", "answer", "values", "questionId", "fieldId"),),
    ignored=("type", "fieldType", "required", "order", "position", "options"),
    bare="value",
    is_mapping=True,
)
WAVE_START_KEYS: Final = ("startsAt", "startTime", "startDate", "startDateTime", "start")
WAVE: Final = Shape(
    path="waves[]",
    usual=("id", "name"),
    rare=("waveId", "title", "label", "wave", *WAVE_START_KEYS),
    ignored=("endTime", "endDate", "end", "capacity"),
    bare="name",
)
BOOKER: Final = Shape(
    path="booker",
    usual=("id", "firstName", "lastName", "name", "email", "phone"),
    rare=(
        *("userId", "bookerId", "fullName", "givenName", "familyName", "surname"),
        *("emailAddress", "phoneNumber", "mobile", "mobileNumber", "telephone"),
    ),
    ignored=("type", "address", "country", "locale", "language"),
    bare="name",
    bare_email="email",
)


def _price(path: str) -> Shape:
    return Shape(
        path=path,
        usual=("amount", "currency"),
        rare=("value", "currencyCode"),
        ignored=("formatted", "displayValue"),
        bare="amount",
    )


def _external_ids(path: str) -> Shape:
    return Shape(path=path, usual=("enthuse", "justGiving", "londonMarathon"), rare=("justgiving",))


TICKET_PRICE: Final = _price("originalTicketPrice")
MARKETING_OPT_IN: Final = Shape(
    path="partnerMarketingOptIns[]",
    usual=("partnerId", "partnerName", "optedIn"),
    rare=("id", "name", "partner", "optIn", "optInStatus", "value", "consent", "label"),
    ignored=("text",),
    nested=(Shape(path="partnerMarketingOptIns[].partner", usual=("id", "name"), bare="name"),),
    bare="partnerName",
)
TAG: Final = Shape(
    path="tags[]",
    usual=("name",),
    rare=("label", "title", "value", "id"),
    ignored=("color", "colour"),
    bare="name",
)
STATUS_TIME_KEYS: Final = ("at", "date", "timestamp", "updatedAt", "createdAt", "changedAt", "time")
STATUS: Final = Shape(
    path="statusDetails[]",
    usual=("status", "reason"),
    rare=(*STATUS_TIME_KEYS, "type", "name", "code", "message", "description", "note"),
    ignored=("id",),
    bare="status",
)
DISTANCE: Final = Shape(
    path="distances[]",
    usual=("id", "label", "value", "unit"),
    rare=("distanceId", "name", "title", "distance", "length", "amount", "units"),
    bare="label",
)
GROUP_PARTNER_IDS: Final = _external_ids("reservedEntryPartnerExternalIds")

_ENTRY_SHAPES: Final = (
    WAVE,
    FIELD,
    BOOKER,
    TICKET_PRICE,
    MARKETING_OPT_IN,
    TAG,
    STATUS,
    DISTANCE,
    GROUP_PARTNER_IDS,
)
_ENTRY_WHOLE: Final = frozenset({"bookingCodesUsed", "tracking", "course", "eventLocation"})

PARTICIPANT: Final = Shape(
    path="",
    usual=(*_keys(PARTICIPANTS), "fields"),
    whole=_ENTRY_WHOLE | {"raceDayDetails", "resultSubmission"},
    nested=_ENTRY_SHAPES,
)
APPLICATION: Final = Shape(
    path="",
    usual=(*_keys(APPLICATIONS), "fields"),
    whole=_ENTRY_WHOLE,
    nested=_ENTRY_SHAPES,
)

CONTACT: Final = Shape(
    path="contacts[]",
    usual=("id", "name", "email", "phone", "role"),
    rare=(
        *("contactId", "fullName", "firstName", "lastName", "givenName", "familyName", "surname"),
        *("emailAddress", "phoneNumber", "mobile", "mobileNumber", "telephone"),
        *("type", "title", "jobTitle", "position"),
    ),
    ignored=("isPrimary", "primary"),
    bare="name",
    bare_email="email",
)
PARTNER_IDS: Final = _external_ids("externalIds")
PARTNER: Final = Shape(
    path="",
    usual=(*_keys(PARTNERS), "contacts"),
    whole=frozenset({"defaultMarketing", "specificMarketings"}),
    nested=(CONTACT, PARTNER_IDS),
)

RESERVED_ENTRY_TICKET_PRICE: Final = _price("tickets[].price")
RESERVED_ENTRY_TICKET: Final = Shape(
    path="tickets[]",
    usual=("ticketId", "title", "price"),
    rare=(*("id", "name", "ticketTitle", "label", "ticket", "amount", "currency", "currencyCode"),),
    ignored=("discount", "maxCapacity", "usedCapacity", "capacity", "quantity", "enabled"),
    nested=(
        RESERVED_ENTRY_TICKET_PRICE,
        Shape(path="tickets[].ticket", usual=("id", "title"), rare=("name",), bare="id"),
    ),
    bare="ticketId",
)
RESERVED_ENTRY_GROUP: Final = Shape(
    path="",
    usual=(*_keys(RESERVED_ENTRY_GROUPS), "tickets"),
    ignored=("createdAt", "updatedAt"),
    whole=frozenset({"settings", "tickets"}),
)

PRICE: Final = _price("price")
SALE_START_KEYS: Final = (
    *("saleStartDate", "saleStartsAt", "salesStartDate", "saleStart", "salesStart"),
    *("onSaleFrom", "onSaleDate", "availableFrom"),
)
SALE_END_KEYS: Final = (
    *("saleEndDate", "saleEndsAt", "salesEndDate", "saleEnd", "salesEnd"),
    *("onSaleUntil", "offSaleDate", "availableUntil"),
)
TICKET: Final = Shape(
    path="",
    usual=(
        *("id", "eventId", "eventOccurrenceId", "raceId", "title", "description", "status"),
        *("price", "currency", "maxCapacity", "usedCapacity", "saleStartDate", "saleEndDate"),
    ),
    rare=(
        "race",
        *("ticketId", "name", "label", "ticketTitle", "state", "currencyCode", "amount"),
        *("capacity", "totalCapacity", "quantity", "sold", "soldCount", "used", "quantitySold"),
        *SALE_START_KEYS[1:],
        *SALE_END_KEYS[1:],
    ),
    ignored=("createdAt", "updatedAt", "eventName", "raceName", "type"),
    nested=(PRICE, Shape(path="race", usual=("id",), ignored=("name",), bare="id")),
)
