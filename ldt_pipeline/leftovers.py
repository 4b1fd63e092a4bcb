"""What was left in the data folder and counts for nothing: files of killed writers, plans too old.

What belongs here: taking it away, wherever in the data folder it lies, as there may be people in it.
What doesn't: what a folder's own leftovers are (`raw/leftovers.py`, `allocations/agreed.py`).
"""

from __future__ import annotations

from ldt_pipeline.allocations.agreed import delete_old_plans
from ldt_pipeline.instants import now
from ldt_pipeline.raw.files import TEMPORARY_PREFIX
from ldt_pipeline.raw.leftovers import remove_abandoned
from ldt_pipeline.settings import Settings

_BESIDE_THE_DATABASES = f"{TEMPORARY_PREFIX}{'[0-9a-f]' * 16}"
"""Small files that are begun in the data folder itself. DuckDB's own lie there too: whoever has the
warehouse looks after these, as they hold no lock that would tell."""


def clear_leftovers(settings: Settings) -> int:
    """Delete files that killed processes began, and plans that nobody approved; gives their number."""
    folders = (
        settings.raw_dir,
        settings.exports_dir,
        settings.ledger_dir,
        settings.alerts_dir,
        settings.allocations_dir,
    )
    return (
        sum(map(remove_abandoned, folders))
        + remove_abandoned(settings.data_dir, pattern=_BESIDE_THE_DATABASES)
        + delete_old_plans(settings.allocations_dir, now())
    )
