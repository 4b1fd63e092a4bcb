"""Somebody has decided of every column whether it is personal data."""

from __future__ import annotations

import pytest

from ldt_pipeline.tables import TABLES, Table

_ENTRY = (
    *("application_id", "participant_index", "event_occurrence_id", "event_id", "event_name"),
    *("race_id", "race_name", "race_start_at", "ticket_id", "ticket_title", "created_at"),
    *("updated_at", "bib_number", "wave", "waves", "booker_type", "original_ticket_price_amount"),
    *("original_ticket_price_currency", "incremental_status", "partner_marketing_opt_ins"),
    *("gdpr_redacted", "sport_id", "distance_id", "distances", "discipline_label"),
    *("competitor_size", "reserved_entry_group_code", "reserved_entry_group_name"),
    *("reserved_entry_partner_enthuse_id", "reserved_entry_partner_just_giving_id"),
    *("reserved_entry_partner_london_marathon_id", "reserved_entry_partner_name", "deleted_at"),
)
_GROUP = (
    *("event_id", "event_name", "partner_id", "partner_name", "reserved_entry_group_id"),
    "reserved_entry_group_name",
)

NOT_PERSONAL: dict[str, tuple[str, ...]] = {
    "participants": ("participant_id", *_ENTRY),
    "participant_answers": ("participant_id", "position", "question_id", "question"),
    "applications": (
        *("approval_status", "application_resolution_type", "ballot_draw"),
        *_ENTRY,
    ),
    "application_answers": ("application_id", "position", "question_id", "question"),
    "partners": (
        *("partner_id", "name", "description", "type", "enthuse_id", "just_giving_id"),
        *("london_marathon_id", "can_create_sub_partners"),
        *("created_at", "updated_at", "deleted_at"),
    ),
    "partner_contacts": ("partner_id", "position", "role"),
    "reserved_entry_groups": (
        *("reserved_entry_group_id", "event_id", "partner_id", "name", "type"),
        *("max_capacity", "used_capacity", "read_at", "deleted_at"),
    ),
    "reserved_entry_tickets": (
        *("reserved_entry_group_id", "position", "ticket_id", "title"),
        *("price_amount", "price_currency"),
    ),
    "tickets": (
        *("ticket_id", "event_id", "event_occurrence_id", "race_id", "title", "description"),
        *("status", "price_amount", "price_currency", "max_capacity", "used_capacity"),
        *("sale_starts_at", "sale_ends_at", "read_at", "deleted_at"),
    ),
    "events": (
        *("event_id", "event_name", "first_race_start_at", "last_race_start_at", "races"),
        *("participants", "applications", "reserved_entry_groups", "tickets"),
    ),
    "races": (
        *("race_id", "race_name", "event_id", "event_name", "race_start_at"),
        *("discipline_label", "participants", "participants_with_bib", "applications"),
    ),
    "start_list": (
        *("participant_id", "race_id", "race_name", "race_start_at", "bib_number", "wave"),
        *("ticket_id", "ticket_title", "entry_route", "registered_at", "updated_at"),
        *("is_redacted", *_GROUP),
    ),
    "participant_versions": (
        *("version", "valid_from", "valid_to"),
        *("participant_id", "race_id", "race_name", "race_start_at", "bib_number", "wave"),
        *("ticket_id", "ticket_title", "entry_route", "registered_at", "updated_at"),
        *("is_redacted", *_GROUP),
    ),
    "start_list_changes": ("participant_id", "event_id", "race_id", "change", "changed_at"),
    "partner_allocations": (
        *_GROUP,
        *("partner_type", "group_type", "max_capacity", "used_capacity", "remaining_capacity"),
        *("utilisation", "participants_matched", "capacity_agrees"),
        *("first_claimed_at", "last_claimed_at"),
    ),
    "application_funnel": (
        *("event_id", "ticket_id", "ticket_title", "ballot_draw", "application_resolution_type"),
        *("approval_status", "applications", "converted", "conversion"),
        *("first_applied_at", "last_applied_at"),
    ),
    "registrations_by_day": (
        *("event_id", "race_id", "race_name", "race_day", "day", "days_to_race"),
        *("registrations", "registrations_that_stand", "registrations_so_far"),
    ),
    "allocation_history": (
        *("reserved_entry_group_id", "day", "event_id", "partner_id", "reserved_entry_group_name"),
        *("max_capacity", "used_capacity", "claimed_since", "read_at"),
    ),
    "rejected_records": (
        *("feed", "record_id", "reason", "extract_id", "record_number", "extracted_at"),
    ),
    "schema_drift": (*("feed", "path", "value_types", "records", "first_seen_at", "last_seen_at"),),
    "data_issues": ("severity", "kind", "event_id", "race_id", "subject_id", "sentence"),
    "sync_status": (
        *("feed", "records", "deleted_records", "rejected_records", "api_total", "is_complete"),
        *("newest_updated_at", "last_extracted_at", "extracts"),
    ),
    "erasures": ("subject", "subject_id", "event_id", "race_id", "reason", "erased_at"),
    "exports": (
        *("export_id", "exported_at", "table_name", "race_id", "preset"),
        *("is_changes", "participants"),
    ),
    "allocation_changes": (
        *("line", "at", "plan_hash", "step", "action", "state", "event_id", "partner_id"),
        *("reserved_entry_group_id", "fields", "max_capacity_before", "max_capacity_after"),
        "error",
    ),
    "loaded_extracts": (
        *("extract_id", "feed", "partition_key", "partition", "extracted_at"),
        *("records", "rejected"),
    ),
}
"""Columns that name nobody, by decision. Put a new column here, or give it a kind of `Personal`."""


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_is_decided(table: Table) -> None:
    undecided = {column.name for column in table.columns if not column.personal}
    decided = set(NOT_PERSONAL.get(table.name, ()))
    assert undecided - decided == set(), "give each a kind of `Personal`, or add it above"
    assert decided - undecided == set(), "these are personal or gone: take them out above"


def test_whatever_is_kept_as_json_counts_as_personal() -> None:
    for table in TABLES.values():
        for column in table.columns:
            if "as JSON" in column.description:
                assert column.personal, (table.name, column.name)


def test_keys_are_never_personal() -> None:
    """Tables are joined by them, and an anonymous table has the rows of the whole one."""
    for table in TABLES.values():
        assert not set(table.key) & set(table.personal_columns)


def test_an_anonymous_table_is_the_rest() -> None:
    for table in TABLES.values():
        if table.anonymous is None:
            assert table.personal_columns == ()
            continue
        assert table.anonymous.name not in TABLES
        assert table.anonymous.personal_columns == ()
        assert table.anonymous.key == table.key
        assert {*table.anonymous.schema, *table.personal_columns} == set(table.schema)
