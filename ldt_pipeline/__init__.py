"""Start lists and partner allocations from the Let's Do This API.

In a notebook:

    import ldt_pipeline as ldt

    db = ldt.connect()                        # the published file, read-only, always the newest
    ldt.start_list("3517846101")              # a polars frame; see `ldt_pipeline/notebook.py`

What is imported here is looked up when it is used: `ldt --help` is for people who wait.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ldt_pipeline.notebook import (
        NotPublishedError,
        connect,
        data_issues,
        participant_versions,
        partner_allocations,
        races,
        start_list,
        start_list_changes,
    )

__all__ = [
    "NotPublishedError",
    "connect",
    "data_issues",
    "participant_versions",
    "partner_allocations",
    "races",
    "start_list",
    "start_list_changes",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("ldt_pipeline.notebook"), name)
    raise AttributeError(f"module 'ldt_pipeline' has no attribute {name!r}")
