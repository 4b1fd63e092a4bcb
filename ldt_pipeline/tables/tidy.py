"""The tidy tables: what the API says, typed. One fact of the API, one column.

Names are the API's in snake_case, but for keys (`id` is `participant_id` and so on), instants
(`…_at`) and nested objects that are spread out (`booker_email`). Inner shapes of nested objects
are inferred, as the reference shows them collapsed; an object whose inner shape nothing relies on
is kept whole, as JSON text. `deleted_at` is ours: the API has no deletion feed.
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables.types import MONEY, UTC_TIMESTAMP, Column, Layer, Personal, Table

_TEXT = pl.String()
_WHOLE = pl.Int64()
_FLAG = pl.Boolean()


def _text(
    name: str, source: str | None, description: str, personal: Personal | None = None
) -> Column:
    return Column(name=name, type=_TEXT, description=description, source=source, personal=personal)


def _column(
    name: str,
    type_: pl.DataType,
    source: str | None,
    description: str,
    personal: Personal | None = None,
) -> Column:
    return Column(name=name, type=type_, description=description, source=source, personal=personal)


_DELETED_AT = _column(
    "deleted_at",
    UTC_TIMESTAMP,
    None,
    "When we found that the API no longer has the record; null while it has.",
)

_CREATED_AT = _column("created_at", UTC_TIMESTAMP, "createdAt", "When the record was created.")
_UPDATED_AT = _column(
    "updated_at", UTC_TIMESTAMP, "updatedAt", "When the API last changed the record."
)

WAVE = pl.Struct({"wave_id": _TEXT, "name": _TEXT, "starts_at": UTC_TIMESTAMP})
DISTANCE = pl.Struct({"distance_id": _TEXT, "label": _TEXT, "value": pl.Float64(), "unit": _TEXT})
STATUS = pl.Struct({"status": _TEXT, "reason": _TEXT, "at": UTC_TIMESTAMP})
MARKETING_OPT_IN = pl.Struct({"partner_id": _TEXT, "partner_name": _TEXT, "opted_in": _FLAG})

_ENTRY_COLUMNS: tuple[Column, ...] = (
    _column(
        "participant_index", _WHOLE, "participantIndex", "Position of the entry in its booking."
    ),
    _text(
        "booking_id", "bookingId", "The booking that the entry was bought in.", Personal.IDENTITY
    ),
    _text("transaction_id", "transactionId", "The payment of the booking.", Personal.IDENTITY),
    _text("event_occurrence_id", "eventOccurrenceId", "The edition of the event."),
    _text("event_id", "eventId", "The event."),
    _text("event_name", "eventName", "The event's name."),
    _text("race_id", "raceId", "The race within the event."),
    _text("race_name", "raceName", "The race's name."),
    _column("race_start_at", UTC_TIMESTAMP, "raceStartDate", "When the race starts."),
    _text("ticket_id", "ticketId", "The ticket that was bought or applied for."),
    _text("ticket_title", "ticketTitle", "The ticket's title."),
    _CREATED_AT,
    _UPDATED_AT,
    _text("bib_number", "bibNumber", "Bib number as text: leading zeros and letters count."),
    _text("wave", "waves", "Names of the waves, joined by ', ' (null for none)."),
    _column("waves", pl.List(WAVE), "waves", "Every wave that the entry is in."),
    _text("booker_id", "booker.id", "The account that made the booking.", Personal.IDENTITY),
    _text("booker_name", "booker", "Full name of whoever made the booking.", Personal.NAME),
    _text("booker_email", "booker.email", "E-mail of whoever booked.", Personal.CONTACT),
    _text("booker_phone", "booker.phone", "Telephone of whoever booked.", Personal.CONTACT),
    _text("booker_type", "bookerType", "Who booked, such as PARTNER."),
    _column(
        "original_ticket_price_amount",
        MONEY,
        "originalTicketPrice.amount",
        "The ticket's price before discounts, in the unit that the API states.",
    ),
    _text(
        "original_ticket_price_currency",
        "originalTicketPrice.currency",
        "Currency of the price (ISO 4217).",
    ),
    _text("incremental_status", "incrementalStatus", "Such as INCREMENTAL."),
    _text(
        "booking_codes_used",
        "bookingCodesUsed",
        "Codes used in the booking, as JSON.",
        Personal.LINK,
    ),
    _text(
        "reserved_entry_url",
        "reservedEntryUrl",
        "The claim link that was used.",
        Personal.LINK,
    ),
    _column(
        "partner_marketing_opt_ins",
        pl.List(MARKETING_OPT_IN),
        "partnerMarketingOptIns",
        "Which partners may write to the person.",
    ),
    _column(
        "tags", pl.List(_TEXT), "tags", "Tags that the organiser put on the entry.", Personal.FREE
    ),
    _column("gdpr_redacted", _FLAG, "gdprRedacted", "The person asked to be forgotten."),
    _column(
        "status_details",
        pl.List(STATUS),
        "statusDetails",
        "Statuses with reason and time.",
        Personal.SPECIAL,
    ),
    _text("tracking", "tracking", "Where the booking came from, as JSON.", Personal.FREE),
    _text("sport_id", "sportId", "The sport."),
    _text("distance_id", "distanceId", "The distance."),
    _column("distances", pl.List(DISTANCE), "distances", "The distances of the race."),
    _text("discipline_label", "disciplineLabel", "The discipline, such as Running."),
    _text("course", "course", "The course, as JSON.", Personal.FREE),
    _text(
        "event_location", "eventLocation", "Where the event takes place, as JSON.", Personal.FREE
    ),
    _column("competitor_size", _WHOLE, "competitorSize", "Size of the field."),
    _text(
        "reserved_entry_group_code",
        "reservedEntryGroupCode",
        "The reserved entry group that the entry was claimed from.",
    ),
    _text("reserved_entry_group_name", "reservedEntryGroupName", "That group's name."),
    _text(
        "reserved_entry_partner_enthuse_id",
        "reservedEntryPartnerExternalIds.enthuse",
        "The group's partner at Enthuse.",
    ),
    _text(
        "reserved_entry_partner_just_giving_id",
        "reservedEntryPartnerExternalIds.justGiving",
        "The group's partner at JustGiving.",
    ),
    _text(
        "reserved_entry_partner_london_marathon_id",
        "reservedEntryPartnerExternalIds.londonMarathon",
        "The group's partner at London Marathon.",
    ),
    _text("reserved_entry_partner_name", "reservedEntryPartnerName", "The group's partner."),
)

_ANSWER_COLUMNS: tuple[Column, ...] = (
    _column("position", pl.Int32(), None, "Position of the answer in the record, from 0."),
    _text("question_id", "fields[].id", "The question's id, where the API names one."),
    _text("question", "fields[].label", "The question as it was asked."),
    _text(
        "answer",
        "fields[].value",
        "The answer as text; several choices are joined by '; ', and objects of several parts are JSON.",
        Personal.SPECIAL,
    ),
)

PARTICIPANTS = Table(
    name="participants",
    layer=Layer.TIDY,
    description="Everyone who has an entry, with deleted entries kept and marked.",
    grain="one row per participant",
    key=("participant_id",),
    columns=(
        _text("participant_id", "id", "The participant: stable, for every export."),
        _text("application_id", "applicationId", "The application that led to the entry."),
        *_ENTRY_COLUMNS,
        _text("race_day_details", "raceDayDetails", "Race-day details, as JSON.", Personal.FREE),
        _text(
            "result_submission", "resultSubmission", "A submitted result, as JSON.", Personal.FREE
        ),
        _DELETED_AT,
    ),
)

PARTICIPANT_ANSWERS = Table(
    name="participant_answers",
    layer=Layer.TIDY,
    description="Every answer that a participant gave, whether or not the start list uses it.",
    grain="one row per participant and answer",
    key=("participant_id", "position"),
    columns=(_text("participant_id", "id", "The participant."), *_ANSWER_COLUMNS),
)

APPLICATIONS = Table(
    name="applications",
    layer=Layer.TIDY,
    description="Applications for tickets with a ballot or an approval.",
    grain="one row per application",
    key=("application_id",),
    columns=(
        _text("application_id", "id", "The application."),
        _text("approval_status", "approvalStatus", "Such as APPROVED."),
        _text("application_resolution_type", "applicationResolutionType", "Such as BALLOT."),
        _text("ballot_draw", "ballotDraw", "The draw that the application took part in."),
        *_ENTRY_COLUMNS,
        _DELETED_AT,
    ),
)

APPLICATION_ANSWERS = Table(
    name="application_answers",
    layer=Layer.TIDY,
    description="Every answer that an applicant gave.",
    grain="one row per application and answer",
    key=("application_id", "position"),
    columns=(_text("application_id", "id", "The application."), *_ANSWER_COLUMNS),
)

PARTNERS = Table(
    name="partners",
    layer=Layer.TIDY,
    description="Charities, sponsors and other partners that can hold reserved entries.",
    grain="one row per partner",
    key=("partner_id",),
    columns=(
        _text("partner_id", "id", "The partner."),
        _text("name", "name", "The partner's name."),
        _text("description", "description", "The partner's description."),
        _text("type", "type", "Such as CHARITY or SPONSOR."),
        _text("enthuse_id", "externalIds.enthuse", "The partner at Enthuse."),
        _text("just_giving_id", "externalIds.justGiving", "The partner at JustGiving."),
        _text(
            "london_marathon_id", "externalIds.londonMarathon", "The partner at London Marathon."
        ),
        _text("default_marketing", "defaultMarketing", "Marketing texts, as JSON.", Personal.FREE),
        _text(
            "specific_marketings",
            "specificMarketings",
            "Marketing by event, as JSON.",
            Personal.FREE,
        ),
        _column(
            "can_create_sub_partners",
            _FLAG,
            "canCreateSubPartners",
            "Whether the partner can create sub-partners.",
        ),
        _CREATED_AT,
        _UPDATED_AT,
        _DELETED_AT,
    ),
)

PARTNER_CONTACTS = Table(
    name="partner_contacts",
    layer=Layer.TIDY,
    description="The people to talk to at a partner.",
    grain="one row per partner and contact",
    key=("partner_id", "position"),
    columns=(
        _text("partner_id", "id", "The partner."),
        _column("position", pl.Int32(), None, "Position of the contact in the record, from 0."),
        _text(
            "contact_id",
            "contacts[].id",
            "The contact's id, where the API names one.",
            Personal.IDENTITY,
        ),
        _text("name", "contacts[].name", "The contact's full name.", Personal.NAME),
        _text("email", "contacts[].email", "The contact's e-mail.", Personal.CONTACT),
        _text("phone", "contacts[].phone", "The contact's telephone.", Personal.CONTACT),
        _text("role", "contacts[].role", "What the contact does."),
    ),
)

_READ_AT = _column("read_at", UTC_TIMESTAMP, None, "When we read this state from the API.")

RESERVED_ENTRY_GROUPS = Table(
    name="reserved_entry_groups",
    layer=Layer.TIDY,
    description="Groups of places that are reserved, most of them for a partner.",
    grain="one row per reserved entry group",
    key=("reserved_entry_group_id",),
    columns=(
        _text("reserved_entry_group_id", "id", "The group, also its code in an entry."),
        _text("event_id", "eventId", "The event."),
        _text("partner_id", "partnerId", "The partner; null where the organiser manages it."),
        _text("name", "name", "The group's name."),
        _text("description", "description", "The group's description.", Personal.FREE),
        _text("type", "type", "MULTI_USE, SINGLE_USE or UNKNOWN."),
        _column("max_capacity", _WHOLE, "maxCapacity", "Places in the group."),
        _column("used_capacity", _WHOLE, "usedCapacity", "Places that are claimed."),
        _text("settings", "settings", "The group's settings, as JSON.", Personal.FREE),
        _READ_AT,
        _DELETED_AT,
    ),
)

RESERVED_ENTRY_TICKETS = Table(
    name="reserved_entry_tickets",
    layer=Layer.TIDY,
    description="Which tickets a reserved entry group gives.",
    grain="one row per reserved entry group and ticket",
    key=("reserved_entry_group_id", "position"),
    columns=(
        _text("reserved_entry_group_id", "id", "The group."),
        _column("position", pl.Int32(), None, "Position of the ticket in the record, from 0."),
        _text("ticket_id", "tickets[].ticketId", "The ticket."),
        _text("title", "tickets[].title", "The ticket's title, where the API names it."),
        _column("price_amount", MONEY, "tickets[].price.amount", "The price in this group."),
        _text("price_currency", "tickets[].price.currency", "Currency of the price."),
        _text("details", "tickets[]", "The whole object, as JSON.", Personal.FREE),
    ),
)

TICKETS = Table(
    name="tickets",
    layer=Layer.TIDY,
    description="What an event sells. The reference does not show a ticket's inner shape.",
    grain="one row per ticket",
    key=("ticket_id",),
    columns=(
        _text("ticket_id", "id", "The ticket."),
        _text("event_id", "eventId", "The event."),
        _text("event_occurrence_id", "eventOccurrenceId", "The edition of the event."),
        _text("race_id", "raceId", "The race."),
        _text("title", "title", "The ticket's title."),
        _text("description", "description", "The ticket's description."),
        _text("status", "status", "Such as ON_SALE."),
        _column("price_amount", MONEY, "price.amount", "The price."),
        _text("price_currency", "price.currency", "Currency of the price (ISO 4217)."),
        _column("max_capacity", _WHOLE, "maxCapacity", "Places for this ticket."),
        _column("used_capacity", _WHOLE, "usedCapacity", "Places sold."),
        _column("sale_starts_at", UTC_TIMESTAMP, "saleStartDate", "When the sale starts."),
        _column("sale_ends_at", UTC_TIMESTAMP, "saleEndDate", "When the sale ends."),
        _text("details", None, "The whole record, as JSON.", Personal.FREE),
        _READ_AT,
        _DELETED_AT,
    ),
)

TIDY_TABLES: tuple[Table, ...] = (
    PARTICIPANTS,
    PARTICIPANT_ANSWERS,
    APPLICATIONS,
    APPLICATION_ANSWERS,
    PARTNERS,
    PARTNER_CONTACTS,
    RESERVED_ENTRY_GROUPS,
    RESERVED_ENTRY_TICKETS,
    TICKETS,
)
