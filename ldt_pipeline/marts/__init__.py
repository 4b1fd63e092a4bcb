"""Marts: what people open, computed from tidy tables.

What belongs here: pure polars functions, tidy frames in, one mart frame out, each exactly as the
registry in `tables/marts.py` describes it. What doesn't: how a record is read (`tidy/`), where
frames come from and go to (`warehouse/`), when it happens (`defs/`).

One function per table. Two rules are shared by several of them and have a module of their own:
what counts as live and as blank (`common.py`), and which group and partner an entry belongs to
(`attribution.py`).
"""

from __future__ import annotations

from ldt_pipeline.marts.allocations import partner_allocations
from ldt_pipeline.marts.applying import application_funnel, registrations_by_day
from ldt_pipeline.marts.calendar import descriptions, events, races
from ldt_pipeline.marts.issues import data_issues
from ldt_pipeline.marts.race_issues import of_unknown_age
from ldt_pipeline.marts.starter_issues import STARTER_COLUMNS
from ldt_pipeline.marts.starters import start_list
from ldt_pipeline.marts.versions import compared_columns, start_list_changes

__all__ = [
    "STARTER_COLUMNS",
    "application_funnel",
    "compared_columns",
    "data_issues",
    "descriptions",
    "events",
    "of_unknown_age",
    "partner_allocations",
    "races",
    "registrations_by_day",
    "start_list",
    "start_list_changes",
]
