"""The raw store: every record as received, in append-only extracts that count once proved whole.

`files.py` writes durably, `manifests.py` says what an extract is, `store.py` writes and reads
extracts, `generations.py` puts one in the place of another, `leftovers.py` clears away. Nothing here knows what a record means.
"""

from ldt_pipeline.raw.manifests import DELETIONS, ERASURES, ListTotal, Manifest, Part, Walk
from ldt_pipeline.raw.store import ExtractWriter, RawStore

__all__ = [
    "DELETIONS",
    "ERASURES",
    "ExtractWriter",
    "ListTotal",
    "Manifest",
    "Part",
    "RawStore",
    "Walk",
]
