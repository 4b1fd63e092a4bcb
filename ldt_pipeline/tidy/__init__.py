"""Raw frames to tidy frames: pure functions, no I/O, no Dagster, no DuckDB.

What belongs here: reading records of the API, whatever shape their nested parts have; and which
answers fill which column of a start list. What doesn't: the newest version of a record (the
warehouse decides), and conclusions from several tables (`marts/`).

From the outside in: `entries.py`, `partners.py` and `reserved_entries.py` say which column is made
from which keys; `feed.py` walks a frame; `decode.py` turns bytes into structs by `shapes.py`;
`items.py`, `coerce.py` and `instants.py` turn structs into typed columns.
"""

from __future__ import annotations

from ldt_pipeline.tidy.birth_dates import parse_birth_date
from ldt_pipeline.tidy.entries import tidy_applications, tidy_participants
from ldt_pipeline.tidy.frames import LINEAGE, RAW_SCHEMA, Tidied
from ldt_pipeline.tidy.partners import tidy_partners
from ldt_pipeline.tidy.questions import (
    Questions,
    QuestionsFileError,
    answers_to_columns,
    load_questions,
    unmapped_questions,
)
from ldt_pipeline.tidy.reserved_entries import tidy_reserved_entries, tidy_tickets

__all__ = [
    "LINEAGE",
    "RAW_SCHEMA",
    "Questions",
    "QuestionsFileError",
    "Tidied",
    "answers_to_columns",
    "load_questions",
    "parse_birth_date",
    "tidy_applications",
    "tidy_participants",
    "tidy_partners",
    "tidy_reserved_entries",
    "tidy_tickets",
    "unmapped_questions",
]
