"""The raw store: every record as received, in append-only extracts that count once proved whole.

`files.py` writes durably, `manifests.py` says what an extract is, `extract_files.py` writes one, and
`store.py` finds and reads them. `generations.py` puts one in the place of another, `packing.py` many
into one, `quarantine.py` sets the damaged aside, and `leftovers.py` clears away. Nothing here knows
what a record means.
"""

from ldt_pipeline.raw.extract_files import ExtractWriter
from ldt_pipeline.raw.manifests import (
    DELETIONS,
    ERASURES,
    ListTotal,
    Manifest,
    NotFound,
    Part,
    Unlisted,
    Walk,
)
from ldt_pipeline.raw.store import RawStore

__all__ = [
    "DELETIONS",
    "ERASURES",
    "ExtractWriter",
    "ListTotal",
    "Manifest",
    "NotFound",
    "Part",
    "RawStore",
    "Unlisted",
    "Walk",
]
