"""Load the participants with dlt into DuckDB: run by `benchmarks.peers`, in an environment of its own.

The fastest of dlt's documented settings that we found: its `rest_api` source, merge on `id`,
incremental on `updatedAt`, parquet between its stages, one process for each core in `normalize`.
`stop_after_empty_page` and `lag` are what this API needs to be read completely. Nested lists become
child tables, which is the grain of our `participant_answers`; or stay JSON with `--nested json`.
"""

from __future__ import annotations

import argparse
import os

import dlt
from dlt.sources.rest_api import rest_api_source


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
            "resources": [
                {
                    "name": "participants",
                    "parallelized": arguments.walkers > 1,
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
            ],
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


if __name__ == "__main__":
    main()
