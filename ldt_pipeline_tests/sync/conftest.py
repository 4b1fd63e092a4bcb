from __future__ import annotations

import pytest

from ldt_pipeline.api import paging
from ldt_pipeline.warehouse import publish


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't pause between walks, and leave the comments on 200 published columns out."""
    monkeypatch.setattr(paging, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(publish, "_comment", lambda *_: None)
