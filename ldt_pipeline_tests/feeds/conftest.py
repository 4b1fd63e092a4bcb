from __future__ import annotations

import pytest

from ldt_pipeline.api import paging
from ldt_pipeline.feeds import reader


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't pause between walks."""
    monkeypatch.setattr(paging, "_PAUSE_SECONDS", 0)


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read lists of more than 20 records in pieces of as many."""
    monkeypatch.setattr(reader, "_WINDOW_RECORDS_MOST", 20)
