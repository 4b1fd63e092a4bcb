"""What was left in the data folder and counts for nothing: files of killed writers, plans too old.

What belongs here: taking it away, wherever in the data folder it lies, as there may be people in it.
What doesn't: what a folder's own leftovers are (`raw/leftovers.py`, `allocations/agreed.py`).
"""

from __future__ import annotations

from ldt_pipeline.allocations.agreed import delete_old_plans
from ldt_pipeline.instants import now
from ldt_pipeline.raw.leftovers import remove_abandoned
from ldt_pipeline.settings import Settings


def clear_leftovers(settings: Settings) -> int:
    """Delete files that killed processes began, and plans that nobody approved; gives their number."""
    return (
        remove_abandoned(settings.raw_dir)
        + remove_abandoned(settings.exports_dir)
        + delete_old_plans(settings.allocations_dir, now())
    )
