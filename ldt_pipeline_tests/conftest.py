"""What holds for all tests."""

from __future__ import annotations

import gc

from ldt_pipeline.cli import COLLECTIONS

# As in each process of `ldt`: whoever has imported Dagster looks through its modules else, in vain.
gc.set_threshold(*COLLECTIONS)
