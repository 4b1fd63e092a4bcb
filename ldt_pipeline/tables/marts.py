"""The marts that people open. Computed from tidy tables by `marts/`, one function each.

What doesn't belong here: what the pipeline says of itself (`books.py`).
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables.columns import (
    EVENT_ID,
    EVENT_NAME,
    RACE_ID,
    RACE_NAME,
    flag,
    instant,
    text,
    whole,
)
from ldt_pipeline.tables.types import Column, Layer, Personal, Table

EVENTS = Table(
    name="events",
    layer=Layer.MART,
    description="Every event that entries, applications or the settings name.",
    grain="one row per event",
    key=("event_id",),
    columns=(
        EVENT_ID,
        EVENT_NAME,
        instant("first_race_start_at", "When the event's first race starts."),
        instant("last_race_start_at", "When the event's last race starts."),
        whole("races", "Races that are known."),
        whole("participants", "Live participants."),
        whole("applications", "Live applications."),
        whole("reserved_entry_groups", "Live reserved entry groups."),
        whole("tickets", "Live tickets."),
    ),
)

RACES = Table(
    name="races",
    layer=Layer.MART,
    description="Every race that entries or applications name.",
    grain="one row per race",
    key=("race_id",),
    columns=(
        RACE_ID,
        RACE_NAME,
        EVENT_ID,
        EVENT_NAME,
        instant("race_start_at", "When the race starts, from its newest entry."),
        text("discipline_label", "The discipline, such as Running."),
        whole("participants", "Live participants."),
        whole("participants_with_bib", "Live participants that have a bib number."),
        whole("applications", "Live applications."),
    ),
)

START_LIST = Table(
    name="start_list",
    layer=Layer.MART,
    description="Who starts where: the list that bibs are pinned by.",
    grain="one row per live participant",
    key=("participant_id",),
    columns=(
        text("participant_id", "The participant: stable, never the bib."),
        EVENT_ID,
        text("event_name", "The event's name."),
        RACE_ID,
        text("race_name", "The race's name."),
        instant("race_start_at", "When the race starts."),
        text("bib_number", "Bib number as text: leading zeros and letters count."),
        text("wave", "Names of the waves, joined by ', '."),
        text("first_name", "From the answers.", Personal.NAME),
        text("last_name", "From the answers.", Personal.NAME),
        text("email", "The participant's own, from the answers.", Personal.CONTACT),
        text("phone", "The participant's own, from the answers.", Personal.CONTACT),
        Column(
            name="date_of_birth",
            type=pl.Date(),
            description="From the answers; null where the text is no date.",
            personal=Personal.BIRTH,
        ),
        Column(
            name="age_on_race_day",
            type=pl.Int64(),
            description="Whole years on the day of the race (UTC).",
            personal=Personal.BIRTH,
        ),
        text("gender", "As answered: never coerced.", Personal.SPECIAL),
        text("club", "From the answers.", Personal.SPECIAL),
        text("nationality", "From the answers.", Personal.SPECIAL),
        text("emergency_contact_name", "From the answers.", Personal.SPECIAL),
        text("emergency_contact_phone", "From the answers.", Personal.SPECIAL),
        text("ticket_id", "The ticket."),
        text("ticket_title", "The ticket's title."),
        text(
            "entry_route",
            "reserved_entry (claimed from a group, or booked by a partner), application (ballot or approval) or "
            "general.",
        ),
        text("partner_id", "The partner whose place it is."),
        text("partner_name", "That partner's name."),
        text("reserved_entry_group_id", "The group that the place came from."),
        text("reserved_entry_group_name", "That group's name."),
        text("booking_id", "The booking.", Personal.IDENTITY),
        text("booker_name", "Who made the booking.", Personal.NAME),
        text("booker_email", "E-mail of whoever booked.", Personal.CONTACT),
        instant("registered_at", "When the entry was created."),
        instant("updated_at", "When the API last changed the entry."),
        flag("is_redacted", "The person asked to be forgotten: personal columns are null."),
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
        text("participant_id", "The participant."),
        whole("version", "From 1, the oldest, on."),
        instant(
            "valid_from",
            "From when it stood: its updatedAt, and the entry's creation for the first one; of a "
            "change that moved no updatedAt, when it was first seen.",
        ),
        instant(
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
        text("participant_id", "The participant."),
        EVENT_ID,
        text("race_id", "The race: after the change, or that of a withdrawn entry."),
        text(
            "change",
            "added, withdrawn, bib, wave, race, ticket, name or emergency_contact.",
        ),
        text(
            "before",
            "What it was: a race's or ticket's id, a bib, wave, name or contact.",
            Personal.SPECIAL,
        ),
        text("after", "What it became.", Personal.SPECIAL),
        instant("changed_at", "When, as participant_versions tells it."),
    ),
)

PARTNER_ALLOCATIONS = Table(
    name="partner_allocations",
    layer=Layer.MART,
    description="Who got how many places, and how many of them are claimed.",
    grain="one row per live reserved entry group",
    key=("reserved_entry_group_id",),
    columns=(
        EVENT_ID,
        EVENT_NAME,
        text("partner_id", "The partner; null where the organiser manages the group."),
        text("partner_name", "The partner's name."),
        text("partner_type", "Such as CHARITY or SPONSOR."),
        text("reserved_entry_group_id", "The group."),
        text("reserved_entry_group_name", "The group's name."),
        text("group_type", "MULTI_USE, SINGLE_USE or UNKNOWN."),
        whole("max_capacity", "Places in the group."),
        whole("used_capacity", "Places that are claimed, as the API says."),
        whole("remaining_capacity", "Places left: never below 0."),
        Column(
            name="utilisation",
            type=pl.Float64(),
            description="used_capacity / max_capacity; null for a group without places.",
        ),
        whole("participants_matched", "Live participants that we can attribute to the group."),
        flag("capacity_agrees", "Whether used_capacity equals participants_matched."),
        instant("first_claimed_at", "When the first of them was created."),
        instant("last_claimed_at", "When the last of them was created."),
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
        EVENT_ID,
        text("ticket_id", "The ticket that was applied for; '' where none is named."),
        text("ticket_title", "The ticket's title, from the newest application."),
        text("ballot_draw", "The draw; '' for none."),
        text("application_resolution_type", "Such as BALLOT; '' where it isn't known."),
        text("approval_status", "Such as APPROVED; '' where it isn't known."),
        whole("applications", "Live applications."),
        whole("converted", "Those of them that led to a live participant."),
        Column(name="conversion", type=pl.Float64(), description="converted / applications."),
        instant("first_applied_at", "When the first of them was created."),
        instant("last_applied_at", "When the last of them was created."),
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
        EVENT_ID,
        RACE_ID,
        RACE_NAME,
        Column(name="race_day", type=pl.Date(), description="The day of the start (UTC)."),
        Column(name="day", type=pl.Date(), description="The day of the registrations (UTC)."),
        whole("days_to_race", "Days from then to the start; negative after it."),
        whole("registrations", "Entries created on that day, whatever became of them."),
        whole("registrations_that_stand", "Those of them that are live."),
        whole("registrations_so_far", "Entries created until the end of that day."),
    ),
)

ALLOCATION_HISTORY = Table(
    name="allocation_history",
    layer=Layer.MART,
    description="How each group's places and claims stood, day by day, as far as it was read.",
    grain="one row per reserved entry group and day (UTC) on which it was read",
    key=("reserved_entry_group_id", "day"),
    columns=(
        text("reserved_entry_group_id", "The group; it may be deleted by now."),
        Column(name="day", type=pl.Date(), description="The day (UTC)."),
        EVENT_ID,
        text("partner_id", "The partner."),
        text("reserved_entry_group_name", "The group's name on that day."),
        whole("max_capacity", "Places in the group, as last read on that day."),
        whole("used_capacity", "Places that are claimed, as last read on that day."),
        whole("claimed_since", "Claims since the row before; null for the first."),
        instant("read_at", "When it was last read on that day."),
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
)
