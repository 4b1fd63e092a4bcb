"""What Dagster shows of a table: columns, where it lies, a preview without personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb

from ldt_pipeline.tables import Table, duckdb_type
from ldt_pipeline.warehouse.checks import Check, Outcome
from ldt_pipeline.warehouse.read import relation

OWNERS = ("team:race-data",)

Materialized = dg.MaterializeResult[Any]
"""What assets give: metadata alone, as their rows lie in DuckDB and in files."""

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS_MOST = 12
_CELL_CHARACTERS_MOST = 40


def table_metadata(table: Table) -> dict[str, Any]:
    """Give what is known of a table before it has rows."""
    return {
        "dagster/table_name": f"ldt.main.{table.name}",
        "dagster/column_schema": column_schema(table),
        "grain": table.grain,
        "key": ", ".join(table.key),
    }


def column_schema(table: Table) -> dg.TableSchema:
    """Give the columns with their types, descriptions and the kind of personal data in them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=duckdb_type(column.type),
                description=column.description,
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
    return {"dagster/row_count": rows, "preview": dg.MetadataValue.md(_preview(connection, table))}


def check_spec(check: Check, *, after: Sequence[str] = ()) -> dg.AssetCheckSpec:
    """Give Dagster's form of a check, which reads the assets in `after` besides its own."""
    return dg.AssetCheckSpec(
        name=check.name,
        asset=check.table,
        blocking=check.is_structural,
        description=check.description,
        additional_deps=[name for name in after if name != check.table],
    )


def check_result(outcome: Outcome) -> dg.AssetCheckResult:
    """Give Dagster's form of what a check found."""
    is_structural = outcome.check.is_structural
    return dg.AssetCheckResult(
        asset_key=outcome.check.table,
        check_name=outcome.check.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if is_structural else dg.AssetCheckSeverity.WARN,
        description=outcome.sentence,
        metadata={"offences": outcome.offences},
    )


def _preview(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    # Bookings lead to a person as well as a name does, and free text can hold anything.
    names = [
        column.name
        for column in table.columns
        if not column.personal and column.name not in ("booking_id", "transaction_id", "details")
    ][:_PREVIEW_COLUMNS_MOST]
    rows = connection.execute(f"{relation(table, names)} LIMIT {_PREVIEW_ROWS}").fetchall()
    return markdown_table(names, rows)


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write rows as a Markdown table; nothing in a cell can become markup."""
    lines = [_line(names), _line("---" for _ in names)]
    lines += [_line(_cell(value) for value in row) for row in rows]
    return "\n".join(lines)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if len(text) > _CELL_CHARACTERS_MOST:
        text = text[: _CELL_CHARACTERS_MOST - 1] + "…"
    replacements: Mapping[str, str] = {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "|": "&#124;",
        "`": "&#96;",
        "[": "&#91;",
        "]": "&#93;",
        "\n": " ",
        "\r": " ",
    }
    return "".join(replacements.get(character, character) for character in text)
