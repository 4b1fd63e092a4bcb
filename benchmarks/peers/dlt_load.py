"""Load the participants with dlt into DuckDB: run by `benchmarks.peers`, in an environment of its own.

The fastest of dlt's documented settings that we found: its `rest_api` source, merge on `id`,
incremental on `updatedAt`, parquet between its stages, one process for each core in `normalize`.
`stop_after_empty_page` and `lag` are what this API needs to be read completely. Nested lists become
child tables, which is the grain of our `participant_answers`; or stay JSON with `--nested json`.

dlt reads resources side by side (`parallelized`, `extract.workers`), and one list page after page. With
`--walkers` past one it gets its participants as many resources of one table, a slice of `createdAt`
each: more than walkers, as slices are uneven. Bounds are a millisecond wider on either side, where
`merge` takes what comes twice. Such a load isn't incremental: it is what a first load can be at best.
"""

from __future__ import annotations

import argparse
import os
from datetime import datetime, timedelta
from typing import Any

import dlt
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_source

_SLICES_PER_WALKER = 4
_MILLISECOND = timedelta(milliseconds=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--nested", choices=["tables", "json"], default="tables")
    parser.add_argument("--walkers", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["EXTRACT__WORKERS"] = str(arguments.walkers)
    os.environ["NORMALIZE__WORKERS"] = str(os.cpu_count() or 1)
    os.environ["NORMALIZE__START_METHOD"] = "spawn"
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    source = rest_api_source(
        {
            "client": {
                "base_url": os.environ["LDT_API_BASE_URL"],
                "auth": {"type": "bearer", "token": os.environ["LDT_API_KEY"]},
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "page.next",
                    "cursor_param": "page[after]",
                    "stop_after_empty_page": True,
                },
            },
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": sliced(arguments.walkers) if arguments.walkers > 1 else [whole()],
        },
        max_table_nesting=0 if arguments.nested == "json" else None,
    )
    pipeline = dlt.pipeline(
        pipeline_name="participants",
        pipelines_dir=f"{arguments.folder}/dlt",
        destination=dlt.destinations.duckdb(f"{arguments.folder}/dlt.duckdb"),
        dataset_name="tidy",
    )
    print(pipeline.run(source, loader_file_format="parquet"), flush=True)


def whole() -> dict[str, Any]:
    """Give the participants as one resource, which goes on where it was."""
    return {
        "name": "participants",
        "endpoint": {
            "path": "participants",
            "data_selector": "data",
            "params": {"page[size]": 500, "sort[updatedAt]": 1},
            "incremental": {
                "cursor_path": "updatedAt",
                "start_param": "updatedAt[after]",
                "initial_value": "2000-01-01T00:00:00Z",
                "lag": 60,
            },
        },
    }


def sliced(walkers: int) -> list[dict[str, Any]]:
    """Give the participants as resources that are read side by side into one table."""
    first, last = (created_at(order) for order in (1, -1))
    count = walkers * _SLICES_PER_WALKER
    bounds = [first + (last - first) / count * number for number in range(1, count)]
    slices = zip([None, *bounds], [*bounds, None], strict=True)
    return [
        {
            "name": f"participants_{number}",
            "table_name": "participants",
            "parallelized": True,
            "endpoint": {
                "path": "participants",
                "data_selector": "data",
                "params": {"page[size]": 500, "sort[createdAt]": 1, **window(after, before)},
            },
        }
        for number, (after, before) in enumerate(slices)
    ]


def window(after: datetime | None, before: datetime | None) -> dict[str, str]:
    """Give the query of a slice."""
    query: dict[str, str] = {}
    if after is not None:
        query["createdAt[after]"] = instant(after - _MILLISECOND)
    if before is not None:
        query["createdAt[before]"] = instant(before + _MILLISECOND)
    return query


def instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def created_at(order: int) -> datetime:
    """Ask when the first participant entered, or with -1 the last."""
    answer = requests.get(
        f"{os.environ['LDT_API_BASE_URL']}/participants",
        params={"page[size]": 1, "sort[createdAt]": order},
        headers={"Authorization": f"Bearer {os.environ['LDT_API_KEY']}"},
        timeout=60,
    )
    return datetime.fromisoformat(answer.json()["data"][0]["createdAt"])


if __name__ == "__main__":
    main()
