"""Where columns come from, as Dagster's pages show it: from a key of the API to the start list.

Dagster's open-source pages have no view of column lineage, so each column says it in its
description too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.marts.lineage import Inputs, record_keys, start_list_inputs, versions_inputs
from ldt_pipeline.tables import TABLES, Layer, Table

_MOST_NAMED = 4


def raw_asset_name(feed: str) -> str:
    """Give the name of the asset that is a feed's records as received."""
    return f"raw_{feed}"


def raw_keys(entity: str) -> list[str]:
    """Give the keys of a raw record that the tables of an entity are read from, in their order."""
    keys = [key for each in _tables_of(entity) for key in record_keys(each.name).values()]
    return list(dict.fromkeys(keys))


def column_lineage(table: Table) -> dg.TableColumnLineage | None:
    """Give what each column of a table comes from; None where that isn't written down."""
    deps = {
        name: [
            dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=column)
            for asset, column in inputs
        ]
        for name, inputs in _inputs(table).items()
    }
    return dg.TableColumnLineage(deps_by_column=deps) if deps else None


def origin(table: Table) -> Mapping[str, str]:
    """Say in a few words where each column of a table comes from."""
    if table.layer is Layer.TIDY:
        return {name: f"From `{key}`." for name, key in record_keys(table.name).items()}
    return {
        name: f"From {_named(f'{asset}.{column}' for asset, column in inputs)}."
        for name, inputs in _inputs(table).items()
    }


def _inputs(table: Table) -> dict[str, list[tuple[str, str]]]:
    """Give the asset and column of each input."""
    if table.layer is Layer.TIDY:
        (entity,) = [each for each in _entities() if table in _tables_of(each)]
        feeds = [feed for feed in FEEDS.values() if feed.entity == entity]
        return {
            name: [(raw_asset_name(feed.name), key) for feed in feeds]
            for name, key in record_keys(table.name).items()
        }
    found = _MARTS.get(table.name, {})
    return {
        name: [(asset, column) for asset, _, column in (each.partition(".") for each in inputs)]
        for name, inputs in found.items()
    }


_MARTS: dict[str, Inputs] = {
    "start_list": start_list_inputs(),
    "participant_versions": versions_inputs(),
}


def _entities() -> list[str]:
    return list(dict.fromkeys(feed.entity for feed in FEEDS.values()))


def _tables_of(entity: str) -> list[Table]:
    """Give the tidy table of an entity and those of its nested lists."""
    key = TABLES[entity].key[0]
    return [each for each in TABLES.values() if each.layer is Layer.TIDY and each.key[0] == key]


def _named(inputs: Iterable[str]) -> str:
    names = list(inputs)
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMED])
    others = len(names) - _MOST_NAMED
    return f"{shown} and {others} others" if others > 0 else shown
