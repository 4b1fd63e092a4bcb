"""Start lists and partner allocations from the Let's Do This API.

In a notebook:

    import ldt_pipeline as ldt

    db = ldt.connect()                        # the published file, read-only, always the newest
    ldt.start_list("3517846101")              # a polars frame; see `ldt_pipeline/notebook.py`
    ldt.coming_starts()                       # what is to do this week; see `ldt_pipeline/reviews.py`

What is imported here is looked up when it is used: `ldt --help` is for people who wait.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
"""Type checkers take it for true. `typing` is a third of what a command imports before it can tell of Ctrl-C."""

if TYPE_CHECKING:
    from typing import Any

    from ldt_pipeline.notebook import (
        NotPublishedError,
        allocation_history,
        allocation_pace,
        application_funnel,
        connect,
        data_issues,
        participant_versions,
        partner_allocations,
        races,
        read_frame,
        start_list,
        start_list_changes,
    )
    from ldt_pipeline.reviews import (
        ages,
        applications_by_day,
        ballots,
        changes_by_day,
        coming_starts,
        registration_curves,
        registration_pace,
    )

__all__ = [
    "NotPublishedError",
    "ages",
    "allocation_history",
    "allocation_pace",
    "application_funnel",
    "applications_by_day",
    "ballots",
    "changes_by_day",
    "coming_starts",
    "connect",
    "data_issues",
    "participant_versions",
    "partner_allocations",
    "races",
    "read_frame",
    "registration_curves",
    "registration_pace",
    "start_list",
    "start_list_changes",
]

_REVIEWS = {
    *("ages", "applications_by_day", "ballots", "changes_by_day"),
    *("coming_starts", "registration_curves", "registration_pace"),
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = "reviews" if name in _REVIEWS else "notebook"
        return getattr(import_module(f"ldt_pipeline.{module}"), name)
    raise AttributeError(f"module 'ldt_pipeline' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is looked up as well: for `help`, and for a notebook's completion."""
    return sorted({*globals(), *__all__})
