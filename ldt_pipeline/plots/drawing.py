"""How plots look: frames of `figures.py` to SVG, within the process and without any network.

What belongs here: marks, axes, colours. What doesn't: which numbers are drawn.

The libraries take a second to import: this module is imported only where something is drawn. Text
in an SVG that a page shows as an image is text: it runs nothing and loads nothing.
"""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from ldt_pipeline.plots.figures import LAST_EDITION, THIS_EDITION

_WIDTH = 520
_SMALL_WIDTH, _SMALL_HEIGHT = 250, 150
_BAR = 20
_STRONG, _WEAK, _ALARM = "#1f5fa8", "#b5bec9", "#c8442b"
_LABELS = alt.Axis(labelLimit=260)
_FEW_TICKS = alt.Axis(tickCount=5)
_GEOMETRY = re.compile(r' (?:d|transform)="[^"]*"')
_USELESS = re.compile(r' (?:aria-hidden|class|pointer-events)="[^"]*"|<path[^>]* display="none"/>')
_DECIMALS = re.compile(r"(\.\d)\d+")


def registrations(data: pl.DataFrame) -> str:
    """Draw entries by weeks to the race, a small plot for each event, as SVG."""
    edition = alt.Color(
        "edition:N",
        title=None,
        scale=alt.Scale(domain=[THIS_EDITION, LAST_EDITION], range=[_STRONG, _WEAK]),
        legend=alt.Legend(orient="top"),
    )
    lines = (
        alt.Chart(data)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X(
                "weeks_to_race:Q",
                title="weeks to the race",
                scale=alt.Scale(reverse=True),
                axis=alt.Axis(tickCount=5, grid=False),
            ),
            y=alt.Y("registrations:Q", title="entries so far", axis=_FEW_TICKS),
            color=edition,
        )
        .properties(width=_SMALL_WIDTH, height=_SMALL_HEIGHT)
    )
    events = alt.Facet("event:N", title=None, sort=_in_order(data, "event"))
    return _svg(
        lines.facet(facet=events, columns=2).resolve_scale(x="independent", y="independent")
    )


def allocation_use(data: pl.DataFrame) -> str:
    """Draw claimed and left places of each partner, as SVG."""
    places = data.unpivot(
        ["claimed", "left"], index="partner", variable_name="state", value_name="places"
    )
    bars = (
        alt.Chart(places)
        .mark_bar()
        .encode(
            x=alt.X("places:Q", title="places at events ahead"),
            y=alt.Y("partner:N", title=None, sort=_in_order(data, "partner"), axis=_LABELS),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=["claimed", "left"], range=[_STRONG, _WEAK]),
                legend=alt.Legend(orient="top"),
            ),
        )
        .properties(width=_WIDTH, height=alt.Step(_BAR))
    )
    return _svg(bars)


def ballot_funnel(data: pl.DataFrame) -> str:
    """Draw what became of applications, a small plot for each event, as SVG."""
    bars = (
        alt.Chart(data)
        .mark_bar(color=_STRONG)
        .encode(
            x=alt.X("applications:Q", title="applications", axis=_FEW_TICKS),
            y=alt.Y("stage:N", title=None, sort=_in_order(data, "stage"), axis=_LABELS),
        )
        .properties(width=_SMALL_WIDTH, height=alt.Step(_BAR))
    )
    events = alt.Facet("event:N", title=None, sort=_in_order(data, "event"))
    return _svg(bars.facet(facet=events, columns=2).resolve_scale(x="independent", y="independent"))


def freshness(data: pl.DataFrame) -> str:
    """Draw how old each event's data is beside what it may be, as SVG."""
    share = alt.X(
        "share:Q",
        title="age, as a share of what it may be this near to the race",
        scale=alt.Scale(domain=[0, 2], clamp=True),
        axis=alt.Axis(format="%", tickCount=5),
    )
    bars = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=share,
            y=alt.Y("event:N", title=None, sort=_in_order(data, "event"), axis=_LABELS),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=["fresh", "stale"], range=[_STRONG, _ALARM]),
                legend=alt.Legend(orient="top"),
            ),
        )
    )
    limit = (
        alt.Chart(pl.DataFrame({"share": [1.0]})).mark_rule(strokeDash=[4, 3]).encode(x="share:Q")
    )
    return _svg((bars + limit).properties(width=_WIDTH, height=alt.Step(_BAR)))


def _in_order(data: pl.DataFrame, name: str) -> list[str]:
    return data.get_column(name).unique(maintain_order=True).to_list()


def _svg(chart: Any) -> str:
    # Without descriptions of each mark for readers of screens, which no image shows.
    configured = chart.configure_view(stroke=None).configure(background="white", aria=False)
    svg = vl_convert.vegalite_to_svg(configured.to_json())
    # A tenth of a pixel is as good as a millionth; with what no image needs it is half of the size.
    svg = _GEOMETRY.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), svg)
    return _USELESS.sub("", svg)
