"""A sync in a process of its own, for tests that kill it or read beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldt_pipeline.erasing.book import Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline_tests.syncing import Account, published_rows

READ = (
    "SELECT (SELECT count(*) FROM start_list), "
    "(SELECT count(*) FROM participants WHERE deleted_at IS NULL), "
    "(SELECT records FROM sync_status WHERE feed = 'participants')"
)
"""Three numbers that are equal in every file that is not torn."""


def sync(folder: Path, base_url: str, api_key: str) -> None:
    Account(folder, base_url=base_url, api_key=api_key).sync()


def erase(folder: Path, base_url: str, api_key: str, ids: list[str]) -> None:
    account = Account(folder, base_url=base_url, api_key=api_key)
    account.erase(*(Subject(entity="participants", id=each, reason=Reason.ASKED) for each in ids))


def read_until(path: Path, stop: Any, reads: Any) -> None:
    """Open the published file over and over; exits with an error on a torn read."""
    while not stop.is_set():
        ((listed, live, counted),) = published_rows(path, READ)
        if not listed == live == counted:
            raise AssertionError(f"torn: {listed}, {live}, {counted}")
        with reads.get_lock():
            reads.value += 1
