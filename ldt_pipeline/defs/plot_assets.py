"""Plots for people who look rather than read: each is an image in the metadata of its asset.

They are no part of a sync: drawing takes a second or two, which nobody waits for. An image lies in
Dagster's records with every materialization, so a plot whose data is the same isn't made again.
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

from ldt_pipeline.defs.automation import HOURLY
from ldt_pipeline.defs.freshness import PUBLISHED
from ldt_pipeline.defs.metadata import OWNERS, Materialized
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.instants import now
from ldt_pipeline.plots import figures
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.freshness import freshness_of_events
from ldt_pipeline.tables import Column, duckdb_type
from ldt_pipeline.warehouse.connection import connect

GROUP = "plots"
DRAW = "draw_plots"
_DIGEST = "data_digest"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: `draw` names the function of `plots/drawing.py` that draws what `data` gives."""

    asset: str
    description: str
    columns: tuple[Column, ...]
    data: Callable[[Settings, dt.datetime], pl.DataFrame]
    draw: str


def _read(settings: Settings, *names: str) -> dict[str, pl.DataFrame]:
    with connect(settings.published_path, read_only=True) as connection:
        return {name: _table(connection, name) for name in names}


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    return connection.sql(f"SELECT * FROM {name}").pl()  # noqa: S608 - names stand below


PLOTS = (
    Plot(
        asset="registrations_plot",
        description=(
            "How entries come in, against last year: by weeks to the race, for the nearest events."
        ),
        columns=(
            Column(name="event", type=pl.String(), description="The event."),
            Column(name="edition", type=pl.String(), description="This edition or the one before."),
            Column(
                name="weeks_to_race", type=pl.Int64(), description="Weeks from then to the start."
            ),
            Column(
                name="registrations",
                type=pl.Int64(),
                description="Entries created until then, whatever became of them.",
            ),
        ),
        data=lambda settings, moment: figures.registrations_against_last_year(
            **_read(settings, "registrations_by_day", "events"), moment=moment
        ),
        draw="registrations",
    ),
    Plot(
        asset="allocation_use_plot",
        description="Which partners use their places at events ahead: claimed and left.",
        columns=(
            Column(name="partner", type=pl.String(), description="The partner."),
            Column(name="claimed", type=pl.Int64(), description="Places that are claimed."),
            Column(name="left", type=pl.Int64(), description="Places that are left."),
        ),
        data=lambda settings, moment: figures.allocation_use(
            **_read(settings, "partner_allocations", "events"), moment=moment
        ),
        draw="allocation_use",
    ),
    Plot(
        asset="ballot_funnel_plot",
        description="What became of applications: by status, and how many led to an entry.",
        columns=(
            Column(name="event", type=pl.String(), description="The event."),
            Column(name="stage", type=pl.String(), description="applied, a status, or entered."),
            Column(name="applications", type=pl.Int64(), description="Applications at that stage."),
        ),
        data=lambda settings, moment: figures.ballot_funnel(
            **_read(settings, "application_funnel", "events"), moment=moment
        ),
        draw="ballot_funnel",
    ),
    Plot(
        asset="freshness_plot",
        description="How old each event's data is, beside what it may be this near to the race.",
        columns=(
            Column(name="event", type=pl.String(), description="The event."),
            Column(
                name="share",
                type=pl.Float64(),
                description="The age of its data, as a share of what it may be; at most 2.",
            ),
            Column(name="state", type=pl.String(), description="fresh or stale."),
        ),
        data=lambda settings, moment: figures.freshness(freshness_of_events(settings, moment)),
        draw="freshness",
    ),
)


def _spec(plot: Plot) -> dg.AssetSpec:
    return dg.AssetSpec(
        plot.asset,
        group_name=GROUP,
        description=plot.description,
        deps=[PUBLISHED],
        owners=list(OWNERS),
        kinds={"altair"},
        # It isn't made where its data is the same.
        skippable=True,
        automation_condition=HOURLY,
        metadata={
            "dagster/table_name": f"plots.{plot.asset}",
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(
                        each.name, type=duckdb_type(each.type), description=each.description
                    )
                    for each in plot.columns
                ]
            ),
        },
    )


@dg.multi_asset(name=DRAW, specs=[_spec(each) for each in PLOTS], can_subset=True)
def race_office_plots(
    context: dg.AssetExecutionContext, storage: Storage
) -> Iterator[Materialized]:
    """Draw the plots whose data is another than last time."""
    settings = storage.settings
    moment = now()
    for plot in PLOTS:
        key = dg.AssetKey(plot.asset)
        if key not in context.selected_asset_keys:
            continue
        with storage.reading_published():
            data = plot.data(settings, moment)
        digest = _digest(data)
        if digest == _last_digest(context.instance, key):
            context.log.info(f"{plot.asset}: its data is the same, so the last image stays.")
            continue
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "plot": dg.MetadataValue.md(_image(plot, data)),
                "dagster/row_count": data.height,
                "as_of": dg.MetadataValue.timestamp(moment),
                _DIGEST: digest,
            },
        )


def _image(plot: Plot, data: pl.DataFrame) -> str:
    if data.is_empty():
        return "There is nothing to draw yet."
    # Takes a second to import, and V8 as long to start.
    from ldt_pipeline.plots import drawing  # noqa: PLC0415

    svg: str = getattr(drawing, plot.draw)(data)
    return f"![{plot.description}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _digest(data: pl.DataFrame) -> str:
    """Tell whether an image would be another: by its data, and by how it is drawn."""
    drawing = Path(figures.__file__).with_name("drawing.py").read_bytes()
    return hashlib.sha256(drawing + data.write_csv().encode()).hexdigest()[:16]


def _last_digest(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    value = materialization.metadata.get(_DIGEST) if materialization else None
    return value.value if isinstance(value, dg.TextMetadataValue) else None
