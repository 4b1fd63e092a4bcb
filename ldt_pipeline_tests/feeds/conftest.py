from __future__ import annotations

import pytest

from ldt_pipeline.api import paging


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't pause between walks."""
    monkeypatch.setattr(paging, "_PAUSE_SECONDS", 0)
