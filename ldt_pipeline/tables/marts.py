"""The marts: what people open. Computed from tidy tables by `marts/`, one function each."""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables.types import UTC_TIMESTAMP, Column, Layer, Personal, Table

_TEXT = pl.String()
_WHOLE = pl.Int64()
_FLAG = pl.Boolean()


def _text(name: str, description: str, personal: Personal | None = None) -> Column:
    return Column(name=name, type=_TEXT, description=description, personal=personal)


def _whole(name: str, description: str) -> Column:
    return Column(name=name, type=_WHOLE, description=description)


def _instant(name: str, description: str) -> Column:
    return Column(name=name, type=UTC_TIMESTAMP, description=description)


def _flag(name: str, description: str) -> Column:
    return Column(name=name, type=_FLAG, description=description)


_EVENT_ID = _text("event_id", "The event.")
_EVENT_NAME = _text("event_name", "The event's name, from its newest entry.")
_RACE_ID = _text("race_id", "The race.")
_RACE_NAME = _text("race_name", "The race's name, from its newest entry.")

EVENTS = Table(
    name="events",
    layer=Layer.MART,
    description="Every event that entries, applications or the settings name.",
    grain="one row per event",
    key=("event_id",),
    columns=(
        _EVENT_ID,
        _EVENT_NAME,
        _instant("first_race_start_at", "When the event's first race starts."),
        _instant("last_race_start_at", "When the event's last race starts."),
        _whole("races", "Races that are known."),
        _whole("participants", "Live participants."),
        _whole("applications", "Live applications."),
        _whole("reserved_entry_groups", "Live reserved entry groups."),
        _whole("tickets", "Live tickets."),
    ),
)

RACES = Table(
    name="races",
    layer=Layer.MART,
    description="Every race that entries or applications name.",
    grain="one row per race",
    key=("race_id",),
    columns=(
        _RACE_ID,
        _RACE_NAME,
        _EVENT_ID,
        _EVENT_NAME,
        _instant("race_start_at", "When the race starts, from its newest entry."),
        _text("discipline_label", "The discipline, such as Running."),
        _whole("participants", "Live participants."),
        _whole("participants_with_bib", "Live participants that have a bib number."),
        _whole("applications", "Live applications."),
    ),
)

START_LIST = Table(
    name="start_list",
    layer=Layer.MART,
    description="Who starts where: the list that bibs are pinned by.",
    grain="one row per live participant",
    key=("participant_id",),
    columns=(
        _text("participant_id", "The participant: stable, never the bib."),
        _EVENT_ID,
        _text("event_name", "The event's name."),
        _RACE_ID,
        _text("race_name", "The race's name."),
        _instant("race_start_at", "When the race starts."),
        _text("bib_number", "Bib number as text: leading zeros and letters count."),
        _text("wave", "Names of the waves, joined by ', '."),
        _text("first_name", "From the answers.", Personal.NAME),
        _text("last_name", "From the answers.", Personal.NAME),
        _text("email", "The participant's own, from the answers.", Personal.CONTACT),
        _text("phone", "The participant's own, from the answers.", Personal.CONTACT),
        Column(
            name="date_of_birth",
            type=pl.Date(),
            description="From the answers; null where the text is no date.",
            personal=Personal.BIRTH,
        ),
        Column(
            name="age_on_race_day",
            type=_WHOLE,
            description="Whole years on the day of the race (UTC).",
            personal=Personal.BIRTH,
        ),
        _text("gender", "As answered: never coerced.", Personal.SPECIAL),
        _text("club", "From the answers.", Personal.SPECIAL),
        _text("nationality", "From the answers.", Personal.SPECIAL),
        _text("emergency_contact_name", "From the answers.", Personal.SPECIAL),
        _text("emergency_contact_phone", "From the answers.", Personal.SPECIAL),
        _text("ticket_id", "The ticket."),
        _text("ticket_title", "The ticket's title."),
        _text(
            "entry_route",
            "reserved_entry (claimed from a group), application (ballot or approval) or general.",
        ),
        _text("partner_id", "The partner whose place it is."),
        _text("partner_name", "That partner's name."),
        _text("reserved_entry_group_id", "The group that the place came from."),
        _text("reserved_entry_group_name", "That group's name."),
        _text("booking_id", "The booking.", Personal.IDENTITY),
        _text("booker_name", "Who made the booking.", Personal.NAME),
        _text("booker_email", "E-mail of whoever booked.", Personal.CONTACT),
        _instant("registered_at", "When the entry was created."),
        _instant("updated_at", "When the API last changed the entry."),
        _flag(
            "is_redacted",
            "The person asked to be forgotten: personal columns are null but for the booking.",
        ),
    ),
)

PARTICIPANT_VERSIONS = Table(
    name="participant_versions",
    layer=Layer.MART,
    description=(
        "Every version of each participant that was seen, as the start list showed it. What belongs "
        "to groups and partners is as it is now."
    ),
    grain="one row per participant and version",
    key=("participant_id", "version"),
    columns=(
        _text("participant_id", "The participant."),
        _whole("version", "From 1, the oldest, on."),
        _instant(
            "valid_from",
            "From when it stood: its updatedAt, and the entry's creation for the first one; of a "
            "change that moved no updatedAt, when it was first seen.",
        ),
        _instant(
            "valid_to",
            "Until when: the next one's valid_from, or when the entry was found deleted; null while "
            "it stands. Equal to valid_from where it never stood.",
        ),
        *START_LIST.columns[1:],
    ),
)

START_LIST_CHANGES = Table(
    name="start_list_changes",
    layer=Layer.MART,
    description="What changed on start lists, and when.",
    grain="one row per participant, kind of change and instant",
    key=("participant_id", "change", "changed_at"),
    columns=(
        _text("participant_id", "The participant."),
        _EVENT_ID,
        _text("race_id", "The race: after the change, or that of a withdrawn entry."),
        _text(
            "change",
            "added, withdrawn, bib, wave, race, ticket, name or emergency_contact.",
        ),
        _text(
            "before",
            "What it was: a race's or ticket's id, a bib, wave, name or contact.",
            Personal.SPECIAL,
        ),
        _text("after", "What it became.", Personal.SPECIAL),
        _instant("changed_at", "When, as participant_versions tells it."),
    ),
)

PARTNER_ALLOCATIONS = Table(
    name="partner_allocations",
    layer=Layer.MART,
    description="Who got how many places, and how many of them are claimed.",
    grain="one row per live reserved entry group",
    key=("reserved_entry_group_id",),
    columns=(
        _EVENT_ID,
        _EVENT_NAME,
        _text("partner_id", "The partner; null where the organiser manages the group."),
        _text("partner_name", "The partner's name."),
        _text("partner_type", "Such as CHARITY or SPONSOR."),
        _text("reserved_entry_group_id", "The group."),
        _text("reserved_entry_group_name", "The group's name."),
        _text("group_type", "MULTI_USE, SINGLE_USE or UNKNOWN."),
        _whole("max_capacity", "Places in the group."),
        _whole("used_capacity", "Places that are claimed, as the API says."),
        _whole("remaining_capacity", "Places left: never below 0."),
        Column(
            name="utilisation",
            type=pl.Float64(),
            description="used_capacity / max_capacity; null for a group without places.",
        ),
        _whole("participants_matched", "Live participants that we can attribute to the group."),
        _flag("capacity_agrees", "Whether used_capacity equals participants_matched."),
        _instant("first_claimed_at", "When the first of them was created."),
        _instant("last_claimed_at", "When the last of them was created."),
    ),
)

APPLICATION_FUNNEL = Table(
    name="application_funnel",
    layer=Layer.MART,
    description="What became of applications, and how many of them led to an entry.",
    grain="one row per event, ticket, draw, resolution and status of live applications",
    key=(
        *("event_id", "ticket_id", "ballot_draw", "application_resolution_type"),
        "approval_status",
    ),
    columns=(
        _EVENT_ID,
        _text("ticket_id", "The ticket that was applied for; '' where none is named."),
        _text("ticket_title", "The ticket's title, from the newest application."),
        _text("ballot_draw", "The draw; '' for none."),
        _text("application_resolution_type", "Such as BALLOT; '' where it isn't known."),
        _text("approval_status", "Such as APPROVED; '' where it isn't known."),
        _whole("applications", "Live applications."),
        _whole("converted", "Those of them that led to a live participant."),
        Column(name="conversion", type=pl.Float64(), description="converted / applications."),
        _instant("first_applied_at", "When the first of them was created."),
        _instant("last_applied_at", "When the last of them was created."),
    ),
)

REGISTRATIONS_BY_DAY = Table(
    name="registrations_by_day",
    layer=Layer.MART,
    description=(
        "How entries come in, day by day. Years compare by days_to_race; entries that don't say when "
        "they were made or start are in no row."
    ),
    grain="one row per start of a race and day (UTC) with registrations",
    key=("race_id", "race_day", "day"),
    columns=(
        _EVENT_ID,
        _RACE_ID,
        _RACE_NAME,
        Column(name="race_day", type=pl.Date(), description="The day of the start (UTC)."),
        Column(name="day", type=pl.Date(), description="The day of the registrations (UTC)."),
        _whole("days_to_race", "Days from then to the start; negative after it."),
        _whole("registrations", "Entries created on that day, whatever became of them."),
        _whole("registrations_that_stand", "Those of them that are live."),
        _whole("registrations_so_far", "Entries created until the end of that day."),
    ),
)

ALLOCATION_HISTORY = Table(
    name="allocation_history",
    layer=Layer.MART,
    description="How each group's places and claims stood, day by day, as far as it was read.",
    grain="one row per reserved entry group and day (UTC) on which it was read",
    key=("reserved_entry_group_id", "day"),
    columns=(
        _text("reserved_entry_group_id", "The group; it may be deleted by now."),
        Column(name="day", type=pl.Date(), description="The day (UTC)."),
        _EVENT_ID,
        _text("partner_id", "The partner."),
        _text("reserved_entry_group_name", "The group's name on that day."),
        _whole("max_capacity", "Places in the group, as last read on that day."),
        _whole("used_capacity", "Places that are claimed, as last read on that day."),
        _whole("claimed_since", "Claims since the row before; null for the first."),
        _instant("read_at", "When it was last read on that day."),
    ),
)

REJECTED_RECORDS = Table(
    name="rejected_records",
    layer=Layer.MART,
    description="Records that could not be read. The bytes are in the raw store.",
    grain="one row per record that was rejected and has not been replaced since",
    key=("feed", "extract_id", "record_number"),
    columns=(
        _text("feed", "The feed that it came from."),
        _text("record_id", "Its id, where one could be read."),
        _text("reason", "What is wrong with it, without its values."),
        _text("extract_id", "The extract that holds it."),
        _whole("record_number", "Its line in the extract, from 1."),
        _instant("extracted_at", "When it was read from the API."),
    ),
)

SCHEMA_DRIFT = Table(
    name="schema_drift",
    layer=Layer.MART,
    description=(
        "What the API sends and we don't take as it is: keys that we don't know, and values that "
        "could not be read or had to be rounded."
    ),
    grain="one row per feed and path",
    key=("feed", "path"),
    columns=(
        _text("feed", "The feed."),
        _text("path", "Where the key stands, such as fields[].helpText."),
        _text("value_types", "JSON types seen, sorted and joined by ', '."),
        _whole("records", "Records that had it."),
        _instant("first_seen_at", "When it was first seen."),
        _instant("last_seen_at", "When it was last seen."),
    ),
)

DATA_ISSUES = Table(
    name="data_issues",
    layer=Layer.MART,
    description="Problems that a person can fix, a sentence each.",
    grain="one row per problem",
    key=("kind", "event_id", "race_id", "subject_id"),
    columns=(
        _text("severity", "error, warning or info."),
        _text("kind", "Such as duplicate_bib_number."),
        _EVENT_ID,
        _RACE_ID,
        _text("subject_id", "What it is about: a participant, group, bib or question."),
        _text("sentence", "What is wrong and what to do, without personal data."),
    ),
)

SYNC_STATUS = Table(
    name="sync_status",
    layer=Layer.MART,
    description="How fresh and complete each feed was when this file was published.",
    grain="one row per feed",
    key=("feed",),
    columns=(
        _text("feed", "The feed."),
        _whole("records", "Live records that we hold."),
        _whole("deleted_records", "Records that the API has dropped."),
        _whole("rejected_records", "Records that could not be read and are not in `records`."),
        _whole("api_total", "How many the API said it has, where it says so."),
        _flag("is_complete", "Whether the two agreed when last compared; null: never compared."),
        _instant("newest_updated_at", "The newest change that we hold."),
        _instant("last_extracted_at", "When records were last read from the API."),
        _whole("extracts", "Extracts that are loaded."),
    ),
)

ERASURES = Table(
    name="erasures",
    layer=Layer.MART,
    description="Whose data was taken out of every copy, when and why: ids alone.",
    grain="one row per entry that was erased, and per day on which retention took old races",
    key=("subject", "subject_id"),
    columns=(
        _text("subject", "participants, applications, or races for all races before an instant."),
        _text("subject_id", "The entry's id; for races, the instant before which they started."),
        _EVENT_ID,
        _RACE_ID,
        _text(
            "reason",
            "asked (by a person here), redacted (by the API), deleted (by the API, long enough "
            "ago) or retention.",
        ),
        _instant("erased_at", "When it was erased."),
        _text(
            "recipients",
            "Who had received an export with the entry in it, and has to be told; joined by '; '.",
            Personal.FREE,
        ),
    ),
)

EXPORTS = Table(
    name="exports",
    layer=Layer.MART,
    description="Start lists that were handed out, as far as they were entered when this was published.",
    grain="one row per export",
    key=("export_id",),
    columns=(
        _text("export_id", "The export's entry in the ledger."),
        _instant("exported_at", "When it was made."),
        _text("table_name", "What it is of, such as start_list."),
        _text("race_id", "The race."),
        _text("preset", "The layout, where it was made by a preset."),
        _flag("is_changes", "Whether it has only what changed since the one before."),
        _whole("participants", "Participants that the recipient has since, or was told are gone."),
        _text("recipient", "Who it was for, as typed.", Personal.FREE),
        _text("file", "Where it went.", Personal.FREE),
    ),
)

LOADED_EXTRACTS = Table(
    name="loaded_extracts",
    layer=Layer.MART,
    description="What this file was made from: every extract of the raw store that is in it.",
    grain="one row per extract",
    key=("extract_id",),
    columns=(
        _text("extract_id", "The extract."),
        _text("feed", "The feed."),
        _text("partition_key", "What the feed is partitioned by."),
        _text("partition", "The partition."),
        _instant("extracted_at", "When it was read from the API."),
        _whole("records", "Records in it."),
        _whole("rejected", "Records in it that could not be read."),
    ),
)

ALLOCATION_CHANGES = Table(
    name="allocation_changes",
    layer=Layer.MART,
    description="What `ldt allocations apply` and the UI's job sent to the API, and what came of it.",
    grain="one row per line of the journal: before each request, and after it",
    key=("line",),
    columns=(
        _whole("line", "The line in the journal, from 1."),
        _instant("at", "When it was written."),
        _text("plan_hash", "The plan that was applied."),
        _whole("step", "The change's number in the plan."),
        _text("action", "Such as create_group or send_claim_link; unreadable for a damaged line."),
        _text(
            "state",
            "sending (about to leave), done (answered), confirmed (seen in effect), found (was so "
            "before), absent (seen not to be so), unclear or refused.",
        ),
        _EVENT_ID,
        _text("partner_id", "The partner."),
        _text("reserved_entry_group_id", "The group."),
        _text("fields", "Names of the fields that were sent, joined by ', '."),
        _whole("max_capacity_before", "Places before, where places were changed."),
        _whole("max_capacity_after", "Places after, where places were changed."),
        _text("error", "The kind of failure, where it failed."),
    ),
)

MART_TABLES: tuple[Table, ...] = (
    EVENTS,
    RACES,
    START_LIST,
    PARTICIPANT_VERSIONS,
    START_LIST_CHANGES,
    PARTNER_ALLOCATIONS,
    APPLICATION_FUNNEL,
    REGISTRATIONS_BY_DAY,
    ALLOCATION_HISTORY,
    REJECTED_RECORDS,
    SCHEMA_DRIFT,
    DATA_ISSUES,
    SYNC_STATUS,
    LOADED_EXTRACTS,
    ERASURES,
    EXPORTS,
    ALLOCATION_CHANGES,
)
