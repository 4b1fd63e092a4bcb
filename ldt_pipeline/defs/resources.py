"""What assets work with: the API and the places where data lies, both from the settings.

The key is read from the settings at the moment of use. It is no field of a resource, so it can't
reach Dagster's configuration, its events or a `repr`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb

from ldt_pipeline.api.client import Client
from ldt_pipeline.connecting import connect
from ldt_pipeline.dead_runs import alive
from ldt_pipeline.raw import RawStore
from ldt_pipeline.settings import Settings, load_settings


class LetsDoThis(dg.ConfigurableResource[None]):
    """The organiser's account at Let's Do This."""

    def client(self) -> Client:
        """Connect: use it as a context manager.

        Raises:
            SettingsError: No key is set.
        """
        return connect(load_settings())


class Storage(dg.ConfigurableResource[None]):
    """Where data lies: the raw store, the warehouse and the published file.

    Each run has it, and shows by it that its process is alive.
    """

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Any]:
        """Give it to a run, or to a sensor."""
        if context.run is None:
            yield self
            return
        with alive(self.settings, context.run.run_id):
            yield self

    @property
    def settings(self) -> Settings:
        """The settings, read now."""
        return load_settings()

    def raw(self) -> RawStore:
        """Give the raw store."""
        return RawStore(str(self.settings.raw_dir))

    @contextmanager
    def reading_published(self) -> Generator[None]:
        """Stop a run that reads the published file, in a sentence, where it can't be used.

        There may be none yet; or, after an upgrade, the one of another version, until it is replaced.
        """
        if not self.settings.published_path.exists():
            raise dg.Failure(
                "Nothing is published yet: the daemon publishes once the first load is complete, and "
                "so does `ldt sync`.",
                allow_retries=False,
            )
        try:
            yield
        except (duckdb.CatalogException, duckdb.BinderException):
            raise dg.Failure(
                "What is published is of another version of the pipeline: the daemon replaces it, and "
                "so does `ldt sync`. If that finds nothing new, `ldt rebuild` does.",
                allow_retries=False,
            ) from None
