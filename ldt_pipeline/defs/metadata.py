"""What Dagster shows of a table: columns, where it lies, a preview without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from ldt_pipeline.defs.lineage import column_lineage, origin
from ldt_pipeline.tables import Table, duckdb_type
from ldt_pipeline.warehouse.checking import Outcome
from ldt_pipeline.warehouse.checks import Check
from ldt_pipeline.warehouse.read import relation

OWNERS = ("team:race-data",)

Materialized = dg.MaterializeResult[Any]
"""What assets give: metadata alone, as their rows lie in DuckDB and in files."""

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS_MOST = 12
_CELL_CHARACTERS_MOST = 40


def table_metadata(table: Table) -> dict[str, Any]:
    """Give what is known of a table before it has rows."""
    lineage = column_lineage(table)
    return {
        "dagster/table_name": f"ldt.main.{table.name}",
        "dagster/column_schema": column_schema(table),
        **({"dagster/column_lineage": lineage} if lineage else {}),
        "grain": table.grain,
        "key": ", ".join(table.key),
    }


def column_schema(table: Table) -> dg.TableSchema:
    """Give the columns with their types, descriptions, origin and kind of personal data."""
    origins = origin(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=duckdb_type(column.type),
                description=f"{column.description} {origins.get(column.name, '')}".strip(),
                constraints=dg.TableColumnConstraints(
                    nullable=column.name not in table.key,
                    unique=table.key == (column.name,),
                ),
                tags={"personal_data": column.personal.value} if column.personal else {},
            )
            for column in table.columns
        ]
    )


def rows_metadata(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Any]:
    """Give the number of rows of a table, and some of them without personal data."""
    rows = connection.execute(
        f"SELECT count(*) FROM {table.layer.value}.{table.name}"  # noqa: S608 - from the registry
    ).fetchall()[0][0]
    return {"dagster/row_count": rows, "preview": _preview(connection, table)}


def check_spec(check: Check, *, after: Sequence[str] = ()) -> dg.AssetCheckSpec:
    """Give Dagster's form of a check, which reads the assets in `after` besides its own."""
    return dg.AssetCheckSpec(
        name=check.name,
        asset=check.table,
        blocking=check.blocks,
        description=check.description,
        additional_deps=[name for name in after if name != check.table],
    )


def check_result(outcome: Outcome) -> dg.AssetCheckResult:
    """Give Dagster's form of what a check found."""
    return dg.AssetCheckResult(
        asset_key=outcome.check.table,
        check_name=outcome.check.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if outcome.is_error else dg.AssetCheckSeverity.WARN,
        description=outcome.sentence,
        metadata={"offences": outcome.offences},
    )


def _preview(connection: duckdb.DuckDBPyConnection, table: Table) -> dg.TableMetadataValue:
    names = [column.name for column in table.columns if not column.personal][:_PREVIEW_COLUMNS_MOST]
    rows = connection.execute(f"{relation(table, names)} LIMIT {_PREVIEW_ROWS}").fetchall()
    return preview(names, rows)


def preview(names: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.TableMetadataValue:
    """Give rows as a table of plain text.

    Not as Markdown: names of races and charities come from strangers, and whatever is escaped
    there, addresses still become links.
    """
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: _cell(value) for name, value in zip(names, row, strict=True)})
            for row in rows
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in names]),
    )


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # What can't be printed may turn around, or hide, what stands beside it.
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    if len(text) > _CELL_CHARACTERS_MOST:
        text = text[: _CELL_CHARACTERS_MOST - 1] + "…"
    return text
