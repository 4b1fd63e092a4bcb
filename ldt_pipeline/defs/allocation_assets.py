"""The agreed allocations beside the live ones: a plan on a schedule, and applying an approved one."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from ldt_pipeline.allocations.agreed import approved_plan, diff_markdown, plan_agreed
from ldt_pipeline.allocations.applying import apply_plan
from ldt_pipeline.defs.metadata import OWNERS, Materialized
from ldt_pipeline.defs.names import tag_run
from ldt_pipeline.defs.raw_assets import API_POOL
from ldt_pipeline.defs.resources import LetsDoThis, Storage

GROUP = "allocations"
PLAN = "allocation_plan"
APPLIED = "applied_allocations"
AS_AGREED = "live_places_are_as_agreed"

_CHANGES = dg.TableSchema(
    columns=[
        dg.TableColumn("number", "BIGINT", description="The step."),
        dg.TableColumn("action", "VARCHAR", description="Such as update_group."),
        dg.TableColumn("event_id", "VARCHAR", description="The event."),
        dg.TableColumn("partner_id", "VARCHAR", description="The partner; null if it is new."),
        dg.TableColumn("group_id", "VARCHAR", description="The group; null if it is new."),
    ]
)


class ApplyConfig(dg.Config):
    """Which plan was approved: nothing else is applied."""

    plan_hash: str = Field(description="The hash that allocation_plan shows beside its diff.")
    allow_delete_claimed: bool = Field(
        default=False, description="Whether groups with claimed places may be deleted."
    )


@dg.asset(
    name=PLAN,
    group_name=GROUP,
    description=(
        "What the file in LDT_ALLOCATIONS_FILE would change in the account, read live. A change "
        "that nobody wrote into the file is drift: somebody moved places by hand."
    ),
    owners=list(OWNERS),
    kinds={"json"},
    pool=API_POOL,
    check_specs=[
        dg.AssetCheckSpec(
            name=AS_AGREED,
            asset=PLAN,
            description="Whether the account says what the file says; the diff, if it doesn't.",
        )
    ],
    metadata={"dagster/table_name": "allocations.plan", "dagster/column_schema": _CHANGES},
)
def allocation_plan(
    api: LetsDoThis, storage: Storage
) -> Iterator[Materialized | dg.AssetCheckResult]:
    """Plan."""
    settings = storage.settings
    if settings.allocations_file is None:
        raise dg.Failure(
            "LDT_ALLOCATIONS_FILE is not set: there is nothing to compare with. `ldt allocations "
            "export` writes a file to begin with.",
            allow_retries=False,
        )
    with api.client() as client:
        plan = plan_agreed(client, settings.allocations_file, settings.allocations_dir)
    diff = dg.MetadataValue.md(diff_markdown(plan))
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(plan.changes),
            "plan_hash": plan.hash if plan.changes else "nothing to change",
            "warnings": len(plan.warnings),
            "diff": diff,
        }
    )
    yield dg.AssetCheckResult(
        check_name=AS_AGREED,
        passed=not plan.changes,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{len(plan.changes)} differences between the file and the account. If the file is "
            f"right, run apply_allocations with plan_hash {plan.hash}; if not, change the file."
            if plan.changes
            else "The account says what the file says."
        ),
        metadata={"diff": diff, "differences": len(plan.changes)},
    )


@dg.asset(
    name=APPLIED,
    group_name=GROUP,
    description=(
        "Materialising does exactly what an approved plan says, named by its hash, or the rest of "
        "it. Groups and tickets of its events are read again right after."
    ),
    deps=[PLAN],
    owners=list(OWNERS),
    kinds={"json"},
    pool=API_POOL,
    metadata={"dagster/table_name": "allocations.journal", "dagster/column_schema": _CHANGES},
)
def applied_allocations(
    context: dg.AssetExecutionContext, config: ApplyConfig, api: LetsDoThis, storage: Storage
) -> Materialized:
    """Apply."""
    folder = storage.settings.allocations_dir
    plan = approved_plan(folder, config.plan_hash)
    tag_run(
        context,
        storage.settings.published_path,
        events=[each.event_id for each in plan.totals],
    )
    with api.client() as client:
        applied = apply_plan(client, plan, folder, allow_delete_claimed=config.allow_delete_claimed)
    if applied.unclear_links:
        context.log.warning(
            f"Nothing can tell whether {len(applied.unclear_links)} claim links went out (steps "
            f"{', '.join(map(str, applied.unclear_links))}): they are not sent again."
        )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(plan.changes),
            "plan_hash": plan.hash,
            "steps_done": len(applied.done),
            "steps_already_in_effect": len(applied.found),
            "claim_links_unclear": len(applied.unclear_links),
        }
    )
