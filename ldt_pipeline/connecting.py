"""The client of the API, as the settings say.

What belongs here: which settings make a client. What doesn't: the client itself (`api/`), and
Dagster's resource for it (`defs/resources.py`), which this must not need: importing Dagster takes
longer than asking the API whether anything changed.
"""

from __future__ import annotations

from ldt_pipeline.api.client import Client
from ldt_pipeline.organiser import require_same_organiser
from ldt_pipeline.settings import Settings


def connect(settings: Settings) -> Client:
    """Connect to the API as the settings say: use it as a context manager.

    Raises:
        SettingsError: No key is set.
        OtherOrganiserError: The data is of another organiser than the key.
    """
    key = settings.require_api_key()
    require_same_organiser(settings.data_dir, key)
    return Client(
        base_url=settings.api_base_url,
        api_key=key,
        max_in_flight=settings.max_concurrency,
        retries=settings.request_retries,
        read_seconds=settings.request_timeout_seconds,
    )
