"""The erasures feed: materialising it takes people's data out of every copy."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from ldt_pipeline.defs.metadata import OWNERS, Materialized
from ldt_pipeline.defs.raw_assets import GROUP
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.defs.warehouse_assets import WAREHOUSE_POOL
from ldt_pipeline.erasing.book import Book, Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.erasing.erase import erase
from ldt_pipeline.erasing.related import linked, places, strangers
from ldt_pipeline.home import records_database, records_folders
from ldt_pipeline.progress import reporter
from ldt_pipeline.raw import ERASURES
from ldt_pipeline.warehouse.connection import open_warehouse


class EraseConfig(dg.Config):
    """Whom to erase besides those who are due: ids, never names."""

    participants: list[str] = Field(default_factory=list)
    """Participants, by id; the one application that led to each goes with it."""
    applications: list[str] = Field(default_factory=list)
    """Applications, by id; the one participant that each led to goes with it."""


@dg.asset(
    group_name=GROUP,
    description=(
        "Whose data was erased: ids with when and why. Materialising erases whom the configuration "
        "names, whom the API has redacted, and what retention is over for: from raw extracts, "
        "warehouse, published file, exports and Dagster's own records. It can't be undone."
    ),
    owners=list(OWNERS),
    kinds={"json"},
    pool=WAREHOUSE_POOL,  # it replaces the warehouse
    metadata={
        "dagster/table_name": "raw.erasures",
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("entity", "string", description="What the id is one of."),
                dg.TableColumn("id", "string", description="The entry that was erased."),
                dg.TableColumn("eventId", "string", description="Its event."),
                dg.TableColumn("raceId", "string", description="Its race."),
                dg.TableColumn(
                    "before",
                    "string",
                    description="In the place of an entry: all of races that started before.",
                ),
                dg.TableColumn("reason", "string", description="Why."),
                dg.TableColumn("erasedAt", "string", description="When (UTC)."),
                dg.TableColumn(
                    "recipients", "array", description="Who had received an export with it."
                ),
            ]
        ),
    },
)
def raw_erasures(
    context: dg.AssetExecutionContext, config: EraseConfig, storage: Storage
) -> Materialized:
    """Erase."""
    asked = [
        Subject(entity=entity, id=each, reason=Reason.ASKED)
        for entity, ids in (
            ("participants", config.participants),
            ("applications", config.applications),
        )
        for each in ids
    ]
    erased = erase(
        storage.settings,
        storage.raw(),
        _with_linked(storage, asked) if asked else (),
        dagster_homes=records_folders(),
        dagster_database=records_database(context.instance),
        progress=reporter("erase"),
    )
    for recipient in erased.recipients:
        context.log.warning(f"Has to be told of the erasure: {recipient}.")
    for path in erased.exports:
        context.log.info(f"Deleted an export that had the person in it: {path.name}.")
    for path in erased.plans:
        context.log.info(f"Deleted a plan that had the person in it: {path.name}. Plan again.")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(each.records for each in storage.raw().manifests(ERASURES)),
            "people": erased.people,
            "records_rewritten": erased.records,
            "extracts_rewritten": erased.extracts,
            "exports_deleted": len(erased.exports),
            "plans_deleted": len(erased.plans),
            "files_of_dagster_changed": len(erased.traces),
            "values_of_dagster_changed": erased.values_in_database,
            "recipients_to_tell": len(erased.recipients),
        }
    )


def _with_linked(storage: Storage, asked: Sequence[Subject]) -> list[Subject]:
    """Give whom somebody asked for, with the application or entry of the same person, as `ldt erase`.

    Raises:
        Failure: Somebody isn't held here. What was typed may be a name: it is not repeated.
    """
    path = storage.settings.warehouse_path
    if not path.exists():
        raise dg.Failure(
            "There is no warehouse yet, so nobody can be looked up: run `ldt sync` or `ldt rebuild` "
            "first.",
            allow_retries=False,
        )
    with open_warehouse(path) as connection:
        subjects = [*asked, *linked(connection, asked)]
        held = places(connection, asked)
    unknown = strangers(asked, held, Book.read(storage.raw()))
    if unknown:
        which = ", ".join(f"number {place} of `{each.entity}`" for place, each in unknown)
        raise dg.Failure(
            f"Not held here: {which} in the configuration. Nobody was erased. Ids are those of the "
            "columns participant_id and application_id, as in start_list.",
            allow_retries=False,
        )
    return subjects
