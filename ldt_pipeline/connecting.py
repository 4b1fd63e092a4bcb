"""The client of the API, as the settings say.

What belongs here: which settings make a client. What doesn't: the client itself (`api/`), and
Dagster's resource for it (`defs/resources.py`), which this must not need: importing Dagster takes
longer than asking the API whether anything changed.
"""

from __future__ import annotations

import math

from ldt_pipeline.api.client import Client
from ldt_pipeline.organiser import require_same_organiser
from ldt_pipeline.settings import Settings

_HASTY_RETRIES = 2
_HASTY_SECONDS = 15.0
"""So long is the answer to a small question waited for by whoever asks again a minute later."""


def connect(settings: Settings, *, is_hasty: bool = False) -> Client:
    """Connect to the API as the settings say: use it as a context manager.

    `is_hasty` gives up on a request within a minute: for those who are ended after that.

    Raises:
        SettingsError: No key is set.
        OtherOrganiserError: The data is of another organiser than the key.
    """
    key = settings.require_api_key()
    require_same_organiser(settings.data_dir, key, settings.api_base_url)
    retries, seconds = settings.request_retries, settings.request_timeout_seconds
    if is_hasty:
        retries, seconds = min(retries, _HASTY_RETRIES), min(seconds, _HASTY_SECONDS)
    return Client(
        base_url=settings.api_base_url,
        api_key=key,
        max_in_flight=settings.max_concurrency,
        retries=retries,
        waits_most=_HASTY_SECONDS if is_hasty else math.inf,
        read_seconds=seconds,
    )
