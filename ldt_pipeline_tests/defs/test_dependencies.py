"""What the graph says that a mart is made from is what its queries read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from ldt_pipeline.definitions import defs
from ldt_pipeline.raw import RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.marts import BUILDERS, Sources, build_mart
from ldt_pipeline_tests.warehouse.histories import Extract, warehouse, write

HISTORY = [
    Extract(
        "participants",
        month,
        (
            f'{{"id": "p1", "eventId": "e1", "raceId": "r1", "updatedAt": "{month}-02T00:00:00Z",'
            f' "fields": [{{"label": "First name", "value": "{name}"}}]}}',
        ),
    )
    for month, name in (("2025-01", "Ann"), ("2025-02", "Anne"))
]
"""Somebody in two versions: each mart with rows for entries has some to make."""


class Recording:
    """A connection that keeps the text of each query."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.queries: list[str] = []

    def execute(self, query: str, *values: Any) -> Any:
        self.queries.append(query)
        return self._connection.execute(query, *values)

    def sql(self, query: str, **options: Any) -> Any:
        self.queries.append(query)
        return self._connection.sql(query, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def read_by_marts(folder: Path) -> dict[str, set[str]]:
    """Give the tables that each mart's queries name, but for its own."""
    store = RawStore(str(folder / "raw"))
    write(store, HISTORY)
    found: dict[str, set[str]] = {}
    with warehouse(folder / "w.duckdb") as connection:
        load_pending(connection, store)
        for mart in BUILDERS:
            recording: Any = Recording(connection)
            sources = Sources(
                connection=recording, questions=load_questions(None), configured_event_ids=()
            )
            build_mart(sources, mart)
            named = re.findall(r'\b(?:tidy|marts)\."?(\w+)', "\n".join(recording.queries))
            found[mart] = set(named) - {mart}
    return found


def test_each_table_that_a_mart_reads_is_upstream_of_it(tmp_path: Path) -> None:
    graph = defs.resolve_asset_graph()
    read = read_by_marts(tmp_path)
    assert sum(map(len, read.values())) > len(BUILDERS)  # else nothing was recorded
    for mart, tables in read.items():
        upstream = graph.get_ancestor_asset_keys(dg.AssetKey(mart))
        assert tables <= {key.to_user_string() for key in upstream}, mart


def test_no_table_is_said_to_be_read_that_is_not(tmp_path: Path) -> None:
    """What books such as `loaded_extracts` hold follows from each extract that was loaded, not from rows."""
    graph = defs.resolve_asset_graph()
    for mart, tables in read_by_marts(tmp_path).items():
        asset = graph.get(dg.AssetKey(mart))
        if tables and asset.group_name == "marts":
            assert {key.to_user_string() for key in asset.parent_keys} <= tables, mart
