"""What the pipeline says of its data and of itself: issues, rejections, extracts, erasures, exports."""

from __future__ import annotations

from ldt_pipeline.tables.columns import (
    EVENT_ID,
    RACE_ID,
    flag,
    instant,
    text,
    whole,
)
from ldt_pipeline.tables.types import Layer, Personal, Table

REJECTED_RECORDS = Table(
    name="rejected_records",
    layer=Layer.MART,
    description="Records that could not be read. The bytes are in the raw store.",
    grain="one row per record that was rejected and has not been replaced since",
    key=("feed", "extract_id", "record_number"),
    columns=(
        text("feed", "The feed that it came from."),
        text("record_id", "Its id, where one could be read."),
        text("reason", "What is wrong with it, without its values."),
        text("extract_id", "The extract that holds it."),
        whole("record_number", "Its line in the extract, from 1."),
        instant("extracted_at", "When it was read from the API."),
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
        text("feed", "The feed."),
        text("path", "Where the key stands, such as fields[].helpText."),
        text("value_types", "JSON types seen, sorted and joined by ', '."),
        whole("records", "Records that had it."),
        instant("first_seen_at", "When it was first seen."),
        instant("last_seen_at", "When it was last seen."),
    ),
)

DATA_ISSUES = Table(
    name="data_issues",
    layer=Layer.MART,
    description=(
        "Problems that a person can fix, a sentence each; of starters only those whose race was not "
        "over when this was made."
    ),
    grain="one row per problem",
    key=("kind", "event_id", "race_id", "subject_id"),
    columns=(
        text("severity", "error, warning or info."),
        text("kind", "Such as duplicate_bib_number."),
        EVENT_ID,
        RACE_ID,
        text("subject_id", "What it is about: a participant, group, bib, question or day."),
        text("sentence", "What is wrong and what to do, without personal data."),
    ),
)

SYNC_STATUS = Table(
    name="sync_status",
    layer=Layer.MART,
    description="How fresh and complete each feed was when this file was published.",
    grain="one row per feed",
    key=("feed",),
    columns=(
        text("feed", "The feed."),
        whole("records", "Live records that we hold."),
        whole("deleted_records", "Records that the API has dropped."),
        whole("rejected_records", "Records that could not be read and are not in `records`."),
        whole("api_total", "How many the API said it has, where it says so."),
        flag("is_complete", "Whether the two agreed when last compared; null: never compared."),
        instant("newest_updated_at", "The newest change that we hold."),
        instant("last_extracted_at", "When records were last read from the API."),
        whole("extracts", "Extracts that are loaded."),
    ),
)

ERASURES = Table(
    name="erasures",
    layer=Layer.MART,
    description="Whose data was taken out of every copy, when and why: ids alone.",
    grain="one row per entry that was erased, and per day on which retention took old races",
    key=("subject", "subject_id"),
    columns=(
        text("subject", "participants, applications, or races for all races before an instant."),
        text("subject_id", "The entry's id; for races, the instant before which they started."),
        EVENT_ID,
        RACE_ID,
        text(
            "reason",
            "asked (by a person here), redacted (by the API), deleted (by the API, long enough "
            "ago) or retention.",
        ),
        instant("erased_at", "When it was erased."),
        text(
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
        text("export_id", "The export's entry in the ledger."),
        instant("exported_at", "When it was made."),
        text("table_name", "What it is of, such as start_list."),
        text("race_id", "The race."),
        text("preset", "The layout, where it was made by a preset."),
        flag("is_changes", "Whether it has only what changed since the one before."),
        whole("participants", "Participants that the recipient has since, or was told are gone."),
        text("recipient", "Who it was for, as typed.", Personal.FREE),
        text("file", "Where it went.", Personal.FREE),
    ),
)

LOADED_EXTRACTS = Table(
    name="loaded_extracts",
    layer=Layer.MART,
    description="What this file was made from: every extract of the raw store that is in it.",
    grain="one row per extract",
    key=("extract_id",),
    columns=(
        text("extract_id", "The extract."),
        text("feed", "The feed."),
        text("partition_key", "What the feed is partitioned by."),
        text("partition", "The partition."),
        instant("extracted_at", "When it was read from the API."),
        whole("records", "Records in it."),
        whole("rejected", "Records in it that could not be read."),
    ),
)

ALLOCATION_CHANGES = Table(
    name="allocation_changes",
    layer=Layer.MART,
    description="What `ldt allocations apply` and the UI's job sent to the API, and what came of it.",
    grain="one row per line of the journal: before each request, and after it",
    key=("line",),
    columns=(
        whole("line", "The line in the journal, from 1."),
        instant("at", "When it was written."),
        text("plan_hash", "The plan that was applied."),
        whole("step", "The change's number in the plan."),
        text("action", "Such as create_group or send_claim_link; unreadable for a damaged line."),
        text(
            "state",
            "sending (about to leave), done (answered), confirmed (seen in effect), found (was so "
            "before), absent (seen not to be so), unclear or refused.",
        ),
        EVENT_ID,
        text("partner_id", "The partner."),
        text("reserved_entry_group_id", "The group."),
        text("fields", "Names of the fields that were sent, joined by ', '."),
        whole("max_capacity_before", "Places before, where places were changed."),
        whole("max_capacity_after", "Places after, where places were changed."),
        text("error", "The kind of failure, where it failed."),
    ),
)

BOOK_TABLES: tuple[Table, ...] = (
    REJECTED_RECORDS,
    SCHEMA_DRIFT,
    DATA_ISSUES,
    SYNC_STATUS,
    LOADED_EXTRACTS,
    ERASURES,
    EXPORTS,
    ALLOCATION_CHANGES,
)
