"""The catalogue of the API's operations: every fact about a path or a parameter stands here, once.

What belongs here: methods, paths, parameters, enums, what a response holds, and whether the
reference documents the path or we infer it from the title and the house style. What doesn't:
how requests are sent (`client.py`) and how lists are walked (`paging.py`).

Source: the reference, version 0.1.0. It documents the paths of three operations by example
(`/applications`, `/participants`, `/partners/:id`); it names the others by title only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REFERENCE_VERSION = "0.1.0"
"""The version of the reference that this catalogue was written from."""

VERSION_PREFIX = "/v0"
"""What the base URL ends in. Paths here leave it out."""

PAGE_SIZE_MIN = 1
PAGE_SIZE_MAX = 500
"""The bounds of `page[size]` by the reference; its default is 100."""

EXTERNAL_ID_TYPES = ("enthuse", "justGiving", "londonMarathon")
PARTNER_TYPES = ("CHARITY", "CORPORATE", "FRIENDS_AND_FAMILY", "MERCH_PARTNER", "SPONSOR")
RESERVED_ENTRY_GROUP_TYPES = ("MULTI_USE", "SINGLE_USE", "UNKNOWN")


class Answer(StrEnum):
    """The form of a successful answer."""

    PAGES = "a page of a list, with cursors"
    LIST = "a whole list under `data`"
    RECORD = "one record"
    NOTHING = "nothing that is relied on"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A query parameter: its name as it stands in the query, and its allowed values if few."""

    name: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation. `record` names the schema of the records in its answer (`RECORDS`)."""

    name: str
    method: str
    path: str
    documented: bool
    answer: Answer
    record: str | None = None
    parameters: tuple[Parameter, ...] = ()
    body: tuple[str, ...] = ()

    @property
    def takes_id(self) -> bool:
        """Whether the path names a record or an event."""
        return "{id}" in self.path

    @property
    def is_write(self) -> bool:
        """Whether it changes something at Let's Do This."""
        return self.method != "GET"

    def accepts(self, parameter: str) -> bool:
        """Whether the query may name this parameter."""
        return any(parameter == each.name for each in self.parameters)


_WINDOWS = tuple(
    Parameter(name=f"{field}[{bound}]")
    for field in ("createdAt", "updatedAt")
    for bound in ("after", "before")
)
_PAGING = (
    Parameter(name="page[size]"),
    Parameter(name="page[after]"),
    Parameter(name="page[before]"),
    Parameter(name="sort[updatedAt]", values=("1", "-1")),
    Parameter(name="sort[createdAt]", values=("1", "-1")),
)
_LIST = (*_WINDOWS, *_PAGING)
_EXTEND = (Parameter(name="extendMetadata"),)
_EXTERNAL = (Parameter(name="externalId", values=EXTERNAL_ID_TYPES),)
_PARTNER_BODY = (
    "name",
    "description",
    "externalIds",
    "defaultMarketing",
    "specificMarketings",
    "canCreateSubPartners",
)
_GROUP_BODY = ("settings", "name", "maxCapacity", "tickets", "description")

LIST_APPLICATIONS = Operation(
    name="list applications",
    method="GET",
    path="/applications",
    documented=True,
    answer=Answer.PAGES,
    record="application",
    parameters=(*_LIST, *_EXTEND),
)
GET_APPLICATION = Operation(
    name="get an application",
    method="GET",
    path="/applications/{id}",
    documented=False,
    answer=Answer.RECORD,
    record="application",
    parameters=_EXTEND,
)
LIST_EVENT_APPLICATIONS = Operation(
    name="list an event's applications",
    method="GET",
    path="/events/{id}/applications",
    documented=False,
    answer=Answer.PAGES,
    record="application",
    parameters=(*_LIST, *_EXTEND),
)
LIST_PARTICIPANTS = Operation(
    name="list participants",
    method="GET",
    path="/participants",
    documented=True,
    answer=Answer.PAGES,
    record="participant",
    parameters=(*_LIST, *_EXTEND),
)
GET_PARTICIPANT = Operation(
    name="get a participant",
    method="GET",
    path="/participants/{id}",
    documented=False,
    answer=Answer.RECORD,
    record="participant",
    parameters=_EXTEND,
)
LIST_RACE_PARTICIPANTS = Operation(
    name="list a race's participants",
    method="GET",
    path="/races/{id}/participants",
    documented=False,
    answer=Answer.PAGES,
    record="participant",
    parameters=(Parameter(name="eventOccurrenceId"), *_LIST, *_EXTEND),
)
GET_PARTNER = Operation(
    name="get a partner",
    method="GET",
    path="/partners/{id}",
    documented=True,
    answer=Answer.RECORD,
    record="partner",
    parameters=_EXTERNAL,
)
UPDATE_PARTNER = Operation(
    name="update a partner",
    method="PATCH",
    path="/partners/{id}",
    documented=False,
    answer=Answer.RECORD,
    record="partner",
    parameters=_EXTERNAL,
    body=_PARTNER_BODY,
)
LIST_PARTNERS = Operation(
    name="list partners",
    method="GET",
    path="/partners",
    documented=False,
    answer=Answer.PAGES,
    record="partner",
    parameters=(Parameter(name="search"), *_LIST),
)
CREATE_PARTNER = Operation(
    name="create a partner",
    method="POST",
    path="/partners",
    documented=False,
    answer=Answer.RECORD,
    record="partner",
    body=(*_PARTNER_BODY, "type", "contacts"),
)
CREATE_CLAIM_LINK = Operation(
    name="create a claim link",
    method="POST",
    path="/partners/{id}/claim-link",
    documented=False,
    answer=Answer.NOTHING,
    body=("emailAddress", "reservedEntryId"),
)
GET_RESERVED_ENTRY_GROUP = Operation(
    name="get a reserved entry group",
    method="GET",
    path="/reserved-entries/{id}",
    documented=False,
    answer=Answer.RECORD,
    record="reserved entry group",
)
UPDATE_RESERVED_ENTRY_GROUP = Operation(
    name="update a reserved entry group",
    method="PATCH",
    path="/reserved-entries/{id}",
    documented=False,
    answer=Answer.RECORD,
    record="reserved entry group",
    body=_GROUP_BODY,
)
DELETE_RESERVED_ENTRY_GROUP = Operation(
    name="delete a reserved entry group",
    method="DELETE",
    path="/reserved-entries/{id}",
    documented=False,
    answer=Answer.NOTHING,
)
LIST_EVENT_RESERVED_ENTRIES = Operation(
    name="list an event's reserved entry groups",
    method="GET",
    path="/events/{id}/reserved-entries",
    documented=False,
    answer=Answer.LIST,
    record="reserved entry group",
)
CREATE_RESERVED_ENTRY_GROUP = Operation(
    name="create a reserved entry group",
    method="POST",
    path="/events/{id}/reserved-entries",
    documented=False,
    answer=Answer.RECORD,
    record="reserved entry group",
    body=(*_GROUP_BODY, "partnerId", "type"),
)
LIST_EVENT_TICKETS = Operation(
    name="list an event's tickets",
    method="GET",
    path="/events/{id}/tickets",
    documented=False,
    answer=Answer.LIST,
    record="ticket",
)

OPERATIONS: tuple[Operation, ...] = (
    LIST_APPLICATIONS,
    GET_APPLICATION,
    LIST_EVENT_APPLICATIONS,
    LIST_PARTICIPANTS,
    GET_PARTICIPANT,
    LIST_RACE_PARTICIPANTS,
    GET_PARTNER,
    UPDATE_PARTNER,
    LIST_PARTNERS,
    CREATE_PARTNER,
    CREATE_CLAIM_LINK,
    GET_RESERVED_ENTRY_GROUP,
    UPDATE_RESERVED_ENTRY_GROUP,
    DELETE_RESERVED_ENTRY_GROUP,
    LIST_EVENT_RESERVED_ENTRIES,
    CREATE_RESERVED_ENTRY_GROUP,
    LIST_EVENT_TICKETS,
)
"""All seventeen, in the order of the reference."""

_ENTRY_PROPERTIES = (
    "id",
    "participantIndex",
    "bookingId",
    "transactionId",
    "eventOccurrenceId",
    "eventId",
    "raceId",
    "ticketTitle",
    "ticketId",
    "createdAt",
    "updatedAt",
    "waves",
    "fields",
    "booker",
    "bookerType",
    "originalTicketPrice",
    "incrementalStatus",
    "bibNumber",
    "bookingCodesUsed",
    "reservedEntryUrl",
    "partnerMarketingOptIns",
    "tags",
    "gdprRedacted",
    "statusDetails",
    "tracking",
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
    "reservedEntryGroupCode",
    "reservedEntryGroupName",
    "reservedEntryPartnerExternalIds",
    "reservedEntryPartnerName",
)

PAGE_PROPERTIES = ("totalResults", "first", "last", "prev", "next")
"""What `page` holds beside `data`."""

RECORDS: dict[str, tuple[str, ...]] = {
    "participant": (
        *_ENTRY_PROPERTIES,
        "applicationId",
        "raceDayDetails",
        "resultSubmission",
    ),
    "application": (
        *_ENTRY_PROPERTIES,
        "approvalStatus",
        "applicationResolutionType",
        "ballotDraw",
    ),
    "partner": (
        "id",
        "name",
        "description",
        "type",
        "externalIds",
        "contacts",
        "defaultMarketing",
        "specificMarketings",
        "canCreateSubPartners",
        "createdAt",
        "updatedAt",
    ),
    "reserved entry group": (
        "id",
        "name",
        "description",
        "eventId",
        "partnerId",
        "maxCapacity",
        "usedCapacity",
        "tickets",
        "type",
        "settings",
    ),
    # The reference shows a ticket collapsed: only its id can be relied on.
    "ticket": ("id",),
}
"""Properties of each record, as the samples of the reference show them."""
