"""Asset checks, a step for each stage. Structural ones block what comes after in the run."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ldt_pipeline.defs.metadata import check_result, check_spec
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.defs.warehouse_assets import PEOPLES_MARTS, QUALITY_MARTS, WAREHOUSE_POOL
from ldt_pipeline.tables import TABLES, Layer
from ldt_pipeline.warehouse.checking import run_check
from ldt_pipeline.warehouse.checks import Check, checks
from ldt_pipeline.warehouse.connection import open_warehouse
from ldt_pipeline.warehouse.outcomes import API_TOTALS, note_outcomes

_TIDY_NAMES = [each.name for each in TABLES.values() if each.layer is Layer.TIDY]
_MART_NAMES = [each.name for each in PEOPLES_MARTS]
_QUALITY_NAMES = [each.name for each in QUALITY_MARTS]


def stage_checks(
    name: str, selected: list[Check], after: Sequence[str]
) -> dg.AssetChecksDefinition:
    """Give one step that runs checks once everything in `after` is made."""
    by_key = {(check.table, check.name): check for check in selected}

    @dg.multi_asset_check(
        name=name,
        specs=[check_spec(check, after=after) for check in selected],
        pool=WAREHOUSE_POOL,
        can_subset=True,
    )
    def run(
        context: dg.AssetCheckExecutionContext, storage: Storage
    ) -> Iterator[dg.AssetCheckResult]:
        with open_warehouse(storage.settings.warehouse_path) as connection:
            found: dict[tuple[str, str], int] = {}
            for key in context.selected_asset_check_keys:
                check = by_key[(key.asset_key.to_user_string(), key.name)]
                outcome = run_check(connection, check)
                found[check.table, check.name] = outcome.offences
                yield check_result(outcome)
            note_outcomes(connection, found)

    return run


def _structural(tables: Sequence[str]) -> list[Check]:
    return [each for each in checks() if each.is_structural and each.table in tables]


CHECKS = [
    stage_checks("check_tidy", _structural(_TIDY_NAMES), _TIDY_NAMES),
    stage_checks("check_marts", _structural(_MART_NAMES), _MART_NAMES),
    stage_checks("check_quality", _structural(_QUALITY_NAMES), _QUALITY_NAMES),
    # Advice reads data_issues and its like, whichever table it speaks of, and blocks nothing.
    stage_checks(
        "advise",
        [each for each in checks() if not each.is_structural and each.table != API_TOTALS],
        _QUALITY_NAMES,
    ),
]
