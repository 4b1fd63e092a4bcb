"""Writes `docs/tables.md` from the registry: `python -m ldt_pipeline.tables.document FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from ldt_pipeline.tables import TABLES, VIEWS, Layer, Table, duckdb_type

_OPENING = """# Tables

Everything in `data/ldt.duckdb`. This page is written from the registry of tables by `make docs`.

All instants are UTC. Amounts are decimals, with their currency beside them.

## Personal data

Columns that are marked as personal never appear in logs, errors or Dagster's pages, where they have
the tag `personal_data`. Beside each table that has some stands one without them, whose name ends in
`_anonymous`: use that wherever you don't need to know who it was. With
`LDT_PUBLISH_PERSONAL_DATA=false` the file holds only those, and no byte of the rest. What the kinds
mean, and what "anonymous" does not promise, is in [security.md](security.md#anonymous-tables).

| table | without personal data |
|---|---|
{anonymous}
"""

_LAYERS = {
    Layer.MART: "What people open, computed from the tidy tables.",
    Layer.VIEW: "Views, counted when they are asked for: what depends on the day.",
    Layer.TIDY: "What the API says, typed, one column for one fact.",
}


def document() -> str:
    """Give the page."""
    pairs = [(each.name, each.anonymous) for each in TABLES.values()]
    anonymous = [f"| `{name}` | `{other.name}` |" for name, other in pairs if other]
    shown = [*TABLES.values(), *(each.table for each in VIEWS.values())]
    parts = [_OPENING.format(anonymous="\n".join(anonymous))]
    for layer, meaning in _LAYERS.items():
        parts.append(f"## {layer.value.capitalize()}\n\n{meaning}\n")
        parts.extend(_section(each) for each in shown if each.layer is layer)
    return "\n".join(parts)


def _section(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    lines = [
        f"### {table.name}\n",
        f"{table.description} {table.grain.capitalize()}; the key is {key}."
        + (f" Without personal data: `{table.anonymous.name}`.\n" if table.anonymous else "\n"),
        "| column | type | what | from | personal |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{column.name}` | {duckdb_type(column.type)} | {column.description} "
        f"| {f'`{column.source}`' if column.source else ''} "
        f"| {column.personal.value if column.personal else ''} |"
        for column in table.columns
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
