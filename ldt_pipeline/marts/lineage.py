"""Which columns each column of a table comes from: from the API's keys to the start list.

What belongs here: reading that off the registry, and off the rules that fill the start list. What
doesn't: showing it (`defs/lineage.py`).

An input is what a column shows or is computed from; not what only decides which rows there are
(`deleted_at`), or whether they are blank because a person asked to be forgotten.
"""

from __future__ import annotations

from ldt_pipeline.marts.attribution import CLAIM, EXTERNAL_IDS, GROUP_CLAIM
from ldt_pipeline.tables import table
from ldt_pipeline.tidy.questions import COLUMNS

Inputs = dict[str, tuple[str, ...]]
"""Columns of a table, and the inputs of each as `table.column`."""


def start_list_inputs() -> Inputs:
    """Give the tidy columns that each column of the start list comes from.

    Most are the participant's column of the same name.
    """
    # Which question fills which column is in the questions file.
    answers = _of("participant_answers", "question_id", "question", "answer", "position")
    group = (
        *_of("participants", *GROUP_CLAIM),
        *_of("reserved_entry_groups", "reserved_entry_group_id", "event_id", "name"),
    )
    partner = (
        *_of("participants", *CLAIM),
        *_of("reserved_entry_groups", "reserved_entry_group_id", "event_id", "name", "partner_id"),
        *_of("partners", "partner_id", "name", *EXTERNAL_IDS.values()),
    )
    # Whether a group of that name is the event's own decides which group it is, not its name.
    group_name = tuple(each for each in group if not each.endswith(".event_id"))
    route = (*(name for name in CLAIM if name != "event_id"), "application_id", "booker_type")
    others: Inputs = {
        **dict.fromkeys(COLUMNS, answers),
        "age_on_race_day": (*answers, "participants.race_start_at"),
        "entry_route": _of("participants", *route),
        "reserved_entry_group_id": group,
        "reserved_entry_group_name": group_name,
        "partner_id": partner,
        "partner_name": partner,
        "registered_at": _of("participants", "created_at"),
        "is_redacted": _of("participants", "gdpr_redacted"),
    }
    return {
        name: others.get(name, _of("participants", name)) for name in table("start_list").schema
    }


def versions_inputs() -> Inputs:
    """Give what each column of `participant_versions` comes from: the start list, for most."""
    return {
        name: _of("start_list", name)
        for name in table("participant_versions").schema
        if name in table("start_list").schema
    }


def record_keys(name: str) -> dict[str, str]:
    """Give the key of the API's record that each column of a tidy table is read from."""
    return {column.name: column.source for column in table(name).columns if column.source}


def _of(name: str, *columns: str) -> tuple[str, ...]:
    return tuple(f"{name}.{column}" for column in columns)
