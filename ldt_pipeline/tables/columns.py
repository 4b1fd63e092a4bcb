"""Columns that several marts have, and columns of the usual types."""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables.types import UTC_TIMESTAMP, Column, Personal


def text(name: str, description: str, personal: Personal | None = None) -> Column:
    """A column of text."""
    return Column(name=name, type=pl.String(), description=description, personal=personal)


def whole(name: str, description: str) -> Column:
    """A column of whole numbers."""
    return Column(name=name, type=pl.Int64(), description=description)


def instant(name: str, description: str) -> Column:
    """A column of instants, in UTC."""
    return Column(name=name, type=UTC_TIMESTAMP, description=description)


def flag(name: str, description: str) -> Column:
    """A column of yes and no."""
    return Column(name=name, type=pl.Boolean(), description=description)


EVENT_ID = text("event_id", "The event.")
EVENT_NAME = text("event_name", "The event's name, from its newest entry.")
RACE_ID = text("race_id", "The race.")
RACE_NAME = text("race_name", "The race's name, from its newest entry.")
