"""JSON schemas of everything that the sandbox answers with.

What belongs here: each record's fields and types, for the OpenAPI document. What doesn't: paths
and parameters (`operations`). Schemas describe the ordinary record; the odd ones (`oddities`) stray
from them on purpose, as live data does.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
FLAG: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _record(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _one_of(*values: str | None) -> Schema:
    kinds = ["string", "null"] if None in values else "string"
    return {"type": kinds, "enum": list(values)}


_SHARED: dict[str, Schema] = {
    "id": TEXT,
    "participantIndex": NUMBER,
    "bookingId": TEXT_OR_NULL,
    "transactionId": TEXT_OR_NULL,
    "eventOccurrenceId": TEXT,
    "eventId": TEXT,
    "raceId": TEXT,
    "ticketTitle": TEXT,
    "ticketId": TEXT,
    "createdAt": INSTANT,
    "updatedAt": INSTANT,
    "waves": _or_null(_list_of(_reference("Wave"))),
    "fields": _list_of(_reference("ParticipantField")),
    "booker": _or_null(_reference("Booker")),
    "bookerType": _one_of("PARTICIPANT", "PARTNER", "ORGANISER"),
    "originalTicketPrice": _reference("Price"),
    "incrementalStatus": _one_of("INCREMENTAL", "NON_INCREMENTAL", None),
    "bibNumber": TEXT_OR_NULL,
    "bookingCodesUsed": _or_null(_reference("BookingCodes")),
    "reservedEntryUrl": TEXT_OR_NULL,
    "partnerMarketingOptIns": _list_of(_reference("PartnerMarketingOptIn")),
    "tags": _list_of(TEXT),
    "gdprRedacted": FLAG,
    "statusDetails": _list_of(_reference("StatusDetail")),
    "tracking": _or_null(_reference("Tracking")),
}

_SURROUNDINGS: dict[str, Schema] = {
    "eventName": TEXT,
    "raceName": TEXT,
    "raceStartDate": INSTANT,
    "sportId": TEXT,
    "distanceId": TEXT,
    "distances": _list_of(_reference("Distance")),
    "disciplineLabel": TEXT,
    "course": _reference("Course"),
    "eventLocation": _reference("EventLocation"),
    "competitorSize": NUMBER,
    "reservedEntryGroupCode": TEXT_OR_NULL,
    "reservedEntryGroupName": TEXT_OR_NULL,
    "reservedEntryPartnerExternalIds": _or_null(_reference("PartnerExternalIds")),
    "reservedEntryPartnerName": TEXT_OR_NULL,
}

_ALWAYS = ("id", "eventId", "raceId", "createdAt", "updatedAt")

SCHEMAS: dict[str, Schema] = {
    "Participant": _record(
        _ALWAYS,
        **_SHARED,
        applicationId=TEXT_OR_NULL,
        raceDayDetails=_reference("RaceDayDetails"),
        resultSubmission=_or_null(_reference("ResultSubmission")),
        **_SURROUNDINGS,
    ),
    "Application": _record(
        _ALWAYS,
        **_SHARED,
        approvalStatus=_one_of("PENDING", "APPROVED", "DECLINED"),
        applicationResolutionType=_one_of("BALLOT", None),
        ballotDraw=TEXT_OR_NULL,
        **_SURROUNDINGS,
    ),
    "Partner": _record(
        ("id", "name", "type", "createdAt", "updatedAt"),
        id=TEXT,
        name=TEXT,
        description=TEXT_OR_NULL,
        type=_reference("PartnerType"),
        externalIds=_or_null(_reference("PartnerExternalIds")),
        contacts=_list_of(_reference("PartnerContact")),
        defaultMarketing=_or_null(_reference("PartnerMarketing")),
        specificMarketings=_list_of(_reference("SpecificPartnerMarketing")),
        canCreateSubPartners=FLAG,
        createdAt=INSTANT,
        updatedAt=INSTANT,
    ),
    "ReservedEntryGroup": _record(
        ("id", "eventId", "maxCapacity", "usedCapacity"),
        id=TEXT,
        name=TEXT,
        description=TEXT_OR_NULL,
        eventId=TEXT,
        partnerId=TEXT_OR_NULL,
        maxCapacity=NUMBER,
        usedCapacity=NUMBER,
        tickets=_list_of(_reference("ReservedEntryTicket")),
        type=_reference("ReservedEntryGroupType"),
        settings=_or_null(_reference("ReservedEntryGroupSettings")),
    ),
    "Ticket": _record(
        ("id", "title", "eventId"),
        id=TEXT,
        title=TEXT,
        description=TEXT_OR_NULL,
        eventId=TEXT,
        eventOccurrenceId=TEXT,
        raceId=TEXT,
        raceName=TEXT,
        raceStartDate=INSTANT,
        price=_reference("Price"),
        maxCapacity=NUMBER_OR_NULL,
        salesStartDate=INSTANT_OR_NULL,
        salesEndDate=INSTANT_OR_NULL,
        applicationRequired=FLAG,
        reservedOnly=FLAG,
        waves=_list_of(_reference("Wave")),
    ),
    "PageCursors": _record(
        ("totalResults",),
        totalResults=NUMBER,
        first=TEXT_OR_NULL,
        last=TEXT_OR_NULL,
        prev=TEXT_OR_NULL,
        next=TEXT_OR_NULL,
    ),
    "Error": _record(("message",), message=TEXT),
    "Empty": _record(),
    # What is inside the records.
    "Wave": _record(("id",), id=TEXT, name=TEXT, startTime=INSTANT_OR_NULL),
    "ParticipantField": _record(
        id=TEXT,
        label=TEXT,
        type=TEXT,
        value={"type": ["string", "number", "boolean", "array", "null"]},
    ),
    "Booker": _record(
        firstName=TEXT_OR_NULL,
        lastName=TEXT_OR_NULL,
        email=TEXT_OR_NULL,
        phoneNumber=TEXT_OR_NULL,
    ),
    "Price": _record(amount=NUMBER, currency=TEXT),
    "BookingCodes": _record(discountCodes=_list_of(TEXT)),
    "PartnerMarketingOptIn": _record(partnerName=TEXT, optedIn=FLAG),
    "StatusDetail": _record(status=TEXT, createdAt=INSTANT, reason=TEXT_OR_NULL),
    "Tracking": _record(
        utmSource=TEXT_OR_NULL,
        utmMedium=TEXT_OR_NULL,
        utmCampaign=TEXT_OR_NULL,
        referrer=TEXT_OR_NULL,
    ),
    "RaceDayDetails": _record(
        startTime=INSTANT, packCollection=TEXT, bagDrop=FLAG, notes=TEXT_OR_NULL
    ),
    "ResultSubmission": _record(status=TEXT, time=TEXT_OR_NULL, evidenceUrl=TEXT_OR_NULL),
    "Distance": _record(label=TEXT, distance=NUMBER, unit=TEXT),
    "Course": _record(type=TEXT, surface=TEXT, elevationGainMetres=NUMBER, gpxUrl=TEXT_OR_NULL),
    "EventLocation": _record(city=TEXT, country=TEXT, latitude=NUMBER, longitude=NUMBER),
    "PartnerType": _one_of(
        "CHARITY", "CORPORATE", "FRIENDS_AND_FAMILY", "MERCH_PARTNER", "SPONSOR"
    ),
    "PartnerExternalIds": _record(
        enthuse=TEXT_OR_NULL, justGiving=TEXT_OR_NULL, londonMarathon=TEXT_OR_NULL
    ),
    "PartnerContact": _record(
        firstName=TEXT,
        lastName=TEXT,
        emailAddress=TEXT,
        phoneNumber=TEXT_OR_NULL,
        role=TEXT,
    ),
    "PartnerMarketing": _record(title=TEXT, description=TEXT, logoUrl=TEXT, optInText=TEXT),
    "SpecificPartnerMarketing": _record(eventId=TEXT, title=TEXT),
    "ReservedEntryGroupType": _one_of("MULTI_USE", "SINGLE_USE", "UNKNOWN"),
    "ReservedEntryTicket": _record(
        ticketId=TEXT, title=TEXT, maxCapacity=NUMBER_OR_NULL, price=_reference("Price")
    ),
    "ReservedEntryGroupSettings": _record(
        allowTransfers=FLAG,
        claimDeadline=INSTANT_OR_NULL,
        discount=_record(type=TEXT, value={"type": ["number", "string"]}),
    ),
}
