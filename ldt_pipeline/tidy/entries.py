"""Participants and applications: entries, which share most of their columns.

What belongs here: which column is made from which keys, where it isn't simply one top-level key.
What doesn't: the keys themselves (`shapes.py`), and what answers are worth (`questions.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ldt_pipeline.tables.tidy import (
    APPLICATION_ANSWERS,
    APPLICATIONS,
    DISTANCE,
    MARKETING_OPT_IN,
    PARTICIPANT_ANSWERS,
    PARTICIPANTS,
    STATUS,
    WAVE,
)
from ldt_pipeline.tables.types import Table
from ldt_pipeline.tidy.columns import first_of, full_name, simple_columns
from ldt_pipeline.tidy.feed import Child, Feed, Records, tidy
from ldt_pipeline.tidy.frames import Tidied
from ldt_pipeline.tidy.items import Items
from ldt_pipeline.tidy.lists import joined_texts, struct_lists, text_lists
from ldt_pipeline.tidy.shapes import (
    ANSWER_KEYS,
    APPLICATION,
    PARTICIPANT,
    QUESTION_ID_KEYS,
    QUESTION_KEYS,
    STATUS_TIME_KEYS,
    WAVE_START_KEYS,
    Shape,
)


def tidy_participants(raw: pl.DataFrame) -> Tidied:
    """Read participants.

    Returns:
        The tables `participants` and `participant_answers`.

    Raises:
        ValueError: `raw` is no raw frame (see `RAW_SCHEMA`).
    """
    return tidy(raw, _PARTICIPANTS)


def tidy_applications(raw: pl.DataFrame) -> Tidied:
    """Read applications.

    Returns:
        The tables `applications` and `application_answers`.

    Raises:
        ValueError: `raw` is no raw frame (see `RAW_SCHEMA`).
    """
    return tidy(raw, _APPLICATIONS)


def _entry_columns(records: Records, table: Table) -> dict[str, pl.Series]:
    items = records.items
    columns = simple_columns(items, table)
    columns |= _wave_columns(items)
    columns |= _booker_columns(items)
    columns["bib_number"] = items.bib("bibNumber")
    price = items.nested["originalTicketPrice"]
    columns["original_ticket_price_amount"] = price.amount("amount", "value")
    columns["original_ticket_price_currency"] = price.text("currency", "currencyCode")
    columns["partner_marketing_opt_ins"] = _opt_ins(items)
    columns["tags"] = _tags(items)
    columns["status_details"] = _statuses(items)
    columns["distances"] = _distances(items)
    partner = items.nested["reservedEntryPartnerExternalIds"]
    columns["reserved_entry_partner_enthuse_id"] = partner.text("enthuse")
    columns["reserved_entry_partner_just_giving_id"] = partner.text("justGiving", "justgiving")
    columns["reserved_entry_partner_london_marathon_id"] = partner.text("londonMarathon")
    return columns


def _wave_columns(items: Items) -> dict[str, pl.Series]:
    waves = items.nested["waves"]
    names = waves.named("name", "title", "label", "wave")
    parts = {
        "wave_id": waves.text("id", "waveId"),
        "name": names,
        "starts_at": waves.instant(*WAVE_START_KEYS),
    }
    return {
        "wave": joined_texts(waves, names),
        "waves": struct_lists(waves, parts, pl.List(WAVE)),
    }


def _booker_columns(items: Items) -> dict[str, pl.Series]:
    booker = items.nested["booker"]
    return {
        "booker_id": booker.text("id", "userId", "bookerId"),
        "booker_name": full_name(booker),
        "booker_email": booker.text("email", "emailAddress"),
        "booker_phone": booker.text("phone", "phoneNumber", "mobile", "mobileNumber", "telephone"),
    }


def _opt_ins(items: Items) -> pl.Series:
    opt_ins = items.nested["partnerMarketingOptIns"]
    partner = opt_ins.nested["partner"]
    parts = {
        "partner_id": first_of(opt_ins.text("partnerId"), partner.text("id"), opt_ins.text("id")),
        "partner_name": first_of(
            opt_ins.text("partnerName"), partner.text("name"), opt_ins.text("name", "label")
        ),
        "opted_in": opt_ins.flag("optedIn", "optIn", "optInStatus", "value", "consent"),
    }
    return struct_lists(opt_ins, parts, pl.List(MARKETING_OPT_IN))


def _tags(items: Items) -> pl.Series:
    tags = items.nested["tags"]
    names = tags.text("name", "label", "title", "value", "id")
    return text_lists(tags, names)


def _statuses(items: Items) -> pl.Series:
    statuses = items.nested["statusDetails"]
    parts = {
        "status": statuses.text("status", "type", "name", "code"),
        "reason": statuses.text("reason", "message", "description", "note"),
        "at": statuses.instant(*STATUS_TIME_KEYS),
    }
    return struct_lists(statuses, parts, pl.List(STATUS))


def _distances(items: Items) -> pl.Series:
    distances = items.nested["distances"]
    parts = {
        "distance_id": distances.text("id", "distanceId"),
        "label": distances.text("label", "name", "title"),
        "value": distances.number("value", "distance", "length", "amount"),
        "unit": distances.text("unit", "units"),
    }
    return struct_lists(distances, parts, pl.List(DISTANCE))


def _answer_rows(records: Records) -> Child:
    answers = records.items.nested["fields"]
    return Child(
        columns={
            "position": answers.positions,
            "question_id": answers.text(*QUESTION_ID_KEYS),
            "question": answers.named(*QUESTION_KEYS),
            "answer": answers.answer(*ANSWER_KEYS),
        },
        parents=answers.parents,
    )


def _feed(shape: Shape, parent: Table, child: Table) -> Feed:
    return Feed(
        shape=shape,
        id_keys=("id",),
        parent=parent,
        parent_columns=lambda records: _entry_columns(records, parent),
        child=child,
        child_rows=_answer_rows,
    )


_PARTICIPANTS: Final = _feed(PARTICIPANT, PARTICIPANTS, PARTICIPANT_ANSWERS)
_APPLICATIONS: Final = _feed(APPLICATION, APPLICATIONS, APPLICATION_ANSWERS)
