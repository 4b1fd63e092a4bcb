"""Export, plan and apply in one line each, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ldt_pipeline.allocations.applying import Applied, Patience, apply_plan
from ldt_pipeline.allocations.exporting import document_of
from ldt_pipeline.allocations.journal import Journal
from ldt_pipeline.allocations.live import read_live
from ldt_pipeline.allocations.plan import Plan
from ldt_pipeline.allocations.planning import make_plan
from ldt_pipeline.allocations.wanted import read_wanted
from ldt_pipeline.api.client import Client

QUICK = Patience(settle_seconds=(0.0, 0.0), throttled_seconds=0.0)


def exported(client: Client, event_ids: list[str]) -> dict[str, Any]:
    return document_of(read_live(client, event_ids), event_ids)


def planned(client: Client, document: dict[str, Any], folder: Path) -> Plan:
    file = folder / "allocations.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    wanted = read_wanted(file)
    return make_plan(
        wanted,
        read_live(client, wanted.event_ids),
        base_url=client.base_url,
        already_sent=Journal(folder / "journal").may_have_sent,
        now=datetime(2026, 5, 1, tzinfo=UTC),
    )


def applied(client: Client, plan: Plan, folder: Path, **options: Any) -> Applied:
    return apply_plan(client, plan, folder / "journal", patience=QUICK, **options)
