"""The operations of the API: the one table of paths, parameters and answers.

What belongs here: what each operation is called and accepts. What doesn't: checking a request
against it (`validation`), describing it as OpenAPI (`openapi`), answering it (`answers`); all three
read this table, so that they can't disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["instant", "size", "cursor", "direction", "flag", "text", "choice"]
Shape = Literal["one", "page", "all", "nothing"]
Method = Literal["GET", "POST", "PATCH", "DELETE"]

SMALLEST_PAGE, LARGEST_PAGE, USUAL_PAGE = 1, 500, 100

EXTERNAL_ID_KINDS = ("enthuse", "justGiving", "londonMarathon")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its name as sent, and what values it takes."""

    name: str
    kind: Kind
    description: str
    example: str | None = None
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """The parameter's JSON schema."""
        match self.kind:
            case "instant":
                return {"type": ["string", "null"], "format": "date-time"}
            case "size":
                return {
                    "type": ["integer", "null"],
                    "minimum": SMALLEST_PAGE,
                    "maximum": LARGEST_PAGE,
                    "default": USUAL_PAGE,
                }
            case "direction":
                return {"type": ["string", "null"], "enum": list(self.choices)}
            case "flag":
                return {"type": ["boolean", "null"]}
            case "choice":
                return {"type": "string", "enum": list(self.choices)}
            case "cursor" | "text":
                return {"type": ["string", "null"]}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: The operation's id in the OpenAPI document.
        path: The path below the version prefix; `{id}` stands for the id asked for.
        tag: The section that it belongs to.
        summary: What it does, in a line.
        record: The kind of record that it answers with.
        shape: One record, a page of them with cursors, all of them at once, or an empty object.
        parameters: What may stand in the query string.
        method: How it is asked for; anything but GET changes the account.
        body: The schema of the JSON body that it takes, by its name in `bodies`.
    """

    name: str
    path: str
    tag: str
    summary: str
    record: str
    shape: Shape
    parameters: tuple[Parameter, ...] = ()
    method: Method = "GET"
    body: str | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes the account."""
        return self.method != "GET"

    @property
    def takes_id(self) -> bool:
        """Whether the path holds an id."""
        return "{id}" in self.path


_INSTANT = "2020-01-01T20:15:00.000Z"

WINDOWS = (
    Parameter(
        "createdAt[after]", "instant", "Leave out what was made at or before this.", _INSTANT
    ),
    Parameter(
        "createdAt[before]", "instant", "Leave out what was made at or after this.", _INSTANT
    ),
    Parameter(
        "updatedAt[after]", "instant", "Leave out what last changed at or before this.", _INSTANT
    ),
    Parameter(
        "updatedAt[before]", "instant", "Leave out what last changed at or after this.", _INSTANT
    ),
)
PAGING = (
    Parameter("page[size]", "size", "How many records a page holds at most.", "100"),
    Parameter("page[after]", "cursor", "Start behind this cursor."),
    Parameter("page[before]", "cursor", "Stop in front of this cursor."),
)
SORTING = (
    Parameter("sort[updatedAt]", "direction", "Order by last change.", "1", ("1", "-1")),
    Parameter("sort[createdAt]", "direction", "Order by creation.", "1", ("1", "-1")),
)
EXTEND = Parameter("extendMetadata", "flag", "Give everything that is known about a record.")
OCCURRENCE = Parameter(
    "eventOccurrenceId", "text", "Keep only the entrants of one edition.", "1353673654"
)
SEARCH = Parameter(
    "search", "text", "Keep names that hold this text, whatever its case.", "research"
)
EXTERNAL_ID = Parameter(
    "externalId",
    "choice",
    "Read the id in the path as this kind of external id.",
    "enthuse",
    EXTERNAL_ID_KINDS,
)

_LIST = (*WINDOWS, *PAGING, *SORTING)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "getApplications", "/applications", "Applications",
        "All applications in the account", "Application", "page", (*_LIST, EXTEND),
    ),
    Operation(
        "getApplicationById", "/applications/{id}", "Applications",
        "One application", "Application", "one", (EXTEND,),
    ),
    Operation(
        "getApplicationsByEvent", "/events/{id}/applications", "Applications",
        "The applications for one event", "Application", "page", (*_LIST, EXTEND),
    ),
    Operation(
        "getParticipants", "/participants", "Participants",
        "All participants in the account", "Participant", "page", (*_LIST, EXTEND),
    ),
    Operation(
        "getParticipantById", "/participants/{id}", "Participants",
        "One participant", "Participant", "one", (EXTEND,),
    ),
    Operation(
        "getParticipantsByRace", "/races/{id}/participants", "Participants",
        "The participants in one race", "Participant", "page", (OCCURRENCE, *_LIST, EXTEND),
    ),
    Operation(
        "getPartnerById", "/partners/{id}", "Partners",
        "One partner, by its id or by an id from elsewhere", "Partner", "one", (EXTERNAL_ID,),
    ),
    Operation(
        "getPartners", "/partners", "Partners",
        "All partners in the account", "Partner", "page", (SEARCH, *_LIST),
    ),
    Operation(
        "getReservedEntryGroupById", "/reserved-entries/{id}", "Reserved Entries",
        "One reserved entry group", "ReservedEntryGroup", "one",
    ),
    Operation(
        "getReservedEntryGroupsByEvent", "/events/{id}/reserved-entries", "Reserved Entries",
        "Every reserved entry group of one event", "ReservedEntryGroup", "all",
    ),
    Operation(
        "getTicketsByEvent", "/events/{id}/tickets", "Tickets",
        "Every ticket of one event", "Ticket", "all",
    ),
    Operation(
        "updatePartnerById", "/partners/{id}", "Partners",
        "Change a partner", "Partner", "one", (EXTERNAL_ID,), "PATCH", "UpdatePartner",
    ),
    Operation(
        "createPartner", "/partners", "Partners",
        "Add a partner", "Partner", "one", (), "POST", "CreatePartner",
    ),
    Operation(
        "createClaimLink", "/partners/{id}/claim-link", "Partners",
        "Send a partner a link to its places", "Empty", "nothing", (), "POST", "CreateClaimLink",
    ),
    Operation(
        "updateReservedEntryGroupById", "/reserved-entries/{id}", "Reserved Entries",
        "Change a reserved entry group", "ReservedEntryGroup", "one", (), "PATCH",
        "UpdateReservedEntryGroup",
    ),
    Operation(
        "deleteReservedEntryGroupById", "/reserved-entries/{id}", "Reserved Entries",
        "Delete a reserved entry group", "Empty", "nothing", (), "DELETE",
    ),
    Operation(
        "createReservedEntryGroup", "/events/{id}/reserved-entries", "Reserved Entries",
        "Add a reserved entry group to an event", "ReservedEntryGroup", "one", (), "POST",
        "CreateReservedEntryGroup",
    ),
)  # fmt: skip
