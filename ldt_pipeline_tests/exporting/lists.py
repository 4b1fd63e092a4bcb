"""What tests of exports share: lists that are published, exported and read again."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from hypothesis import strategies as st
from upath import UPath

from ldt_pipeline.exporting.presets import load_preset
from ldt_pipeline.exporting.race_lists import Exported, export
from ldt_pipeline.exporting.reading import listed
from ldt_pipeline.settings import Settings
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.schema import column_definitions

START = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)

people = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.tuples(st.sampled_from([None, "1", "01"]), st.sampled_from(["Ann", "Bo", None])),
)
"""Who is on a list, by id, with bib and first name."""


def row(participant_id: str, **others: Any) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(table("start_list").schema)
    known = {
        "participant_id": participant_id,
        "race_id": "r1",
        "race_name": "10k",
        "race_start_at": START,
        "first_name": "Ann",
        "last_name": "Lee",
        "bib_number": "007",
        "date_of_birth": dt.date(1990, 2, 28),
        "age_on_race_day": 37,
        "gender": "Female",
        "is_redacted": False,
    }
    return empty | known | others


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("start_list", "participant_versions"):
        made = table(name)
        columns = column_definitions(made, list(made.schema))
        connection.execute(f"CREATE TABLE {name} ({columns})")


def put(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], moment: int = 0) -> None:
    """Publish a list; everybody on it has one more version."""
    frame = pl.DataFrame(rows, schema=table("start_list").schema)
    connection.register("rows", frame)
    connection.execute("DELETE FROM start_list")
    connection.execute("INSERT INTO start_list SELECT * FROM rows")
    connection.execute(
        "INSERT INTO participant_versions BY NAME SELECT *, ?::BIGINT AS version FROM rows",
        [moment],
    )
    connection.unregister("rows")


def exported(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    preset: str,
    *,
    on: dt.date | None = None,
    **options: Any,
) -> Exported:
    return export(
        connection,
        listed(connection, "r1", on),
        preset=load_preset(preset, folder),
        ledger_dir=folder / "ledger",
        **{
            "target": UPath(folder / "exports" / f"{preset}.out"),
            "recipient": "Chip Timing Ltd",
            "about": {"race_id": "r1"},
            **options,
        },
    )


def run(connection: duckdb.DuckDBPyConnection, folder: Path, preset: str, **options: Any) -> Path:
    return Path(exported(connection, folder, preset, **options).files[0])


def read_rows(path: Path, preset_name: str, folder: Path | None = None) -> list[dict[str, str]]:
    preset = load_preset(preset_name, folder)
    text = path.read_bytes().decode(preset.encoding)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=preset.delimiter))


def publish(folder: Path, rows: list[dict[str, object]], *, people: bool = True) -> Settings:
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "ldt.duckdb")) as connection:
        make_tables(connection)
        put(connection, rows)
        if not people:
            connection.execute("ALTER TABLE start_list RENAME TO start_list_anonymous")
    return Settings(_env_file=None, data_dir=folder, export_presets=("csv", "zone4"))  # type: ignore[call-arg]


def republish(settings: Settings, rows: list[dict[str, object]]) -> None:
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        put(connection, rows, 1)
