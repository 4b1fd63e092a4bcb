"""Polls that get no answer: no run is started then, so no run can fail.

What belongs here: writing down how a poll of the API went. What doesn't: polling.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager

from ldt_pipeline.alerting.book import BookFile
from ldt_pipeline.alerting.trouble import Trouble, kind_of
from ldt_pipeline.api.errors import ApiError
from ldt_pipeline.organiser import OtherOrganiserError
from ldt_pipeline.settings import Settings

PATIENCE = dt.timedelta(minutes=10)
"""An API that is back before then was down as all of them are now and then."""


@contextmanager
def poll_noted(settings: Settings) -> Generator[None]:
    """Write down how the poll in the block went; its error goes on."""
    try:
        yield
    except (ApiError, OtherOrganiserError) as error:
        note_poll(settings, error)
        raise
    note_poll(settings, None)


def note_poll(settings: Settings, error: Exception | None) -> None:
    """Write down how a poll went, where alerts are wanted."""
    if settings.alerts_file is None:
        return
    file = BookFile(settings.alerts_dir)
    is_open = bool(file.read().open_records("api"))
    if error is None and not is_open:
        return
    with file.changed() as book:
        moment = file.clock()
        if error is None:
            book.close("api", moment)
            return
        before = book.open_records("api")
        trouble = Trouble(
            source="api",
            severity="error",
            kind=kind_of(error),
            at=before[0].trouble.at if before else moment,
        )
        book.note(trouble, moment, quiet_until=moment + PATIENCE)
