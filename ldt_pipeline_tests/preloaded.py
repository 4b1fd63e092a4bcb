"""What a process of tests has imported before it begins: for the server that they are forked from.

Imported there and nowhere else. Nothing of whoever runs the tests may decide what is imported.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module

_MODULES = (
    *("ldt_pipeline.cli", "ldt_pipeline.cli.sync", "ldt_pipeline.definitions"),
    *("ldt_pipeline.home", "ldt_pipeline.runner"),
    *("ldt_pipeline_tests.forked", "ldt_pipeline_tests.sync.killed"),
)

for _name in [each for each in os.environ if each.startswith(("LDT_", "DAGSTER_"))]:
    del os.environ[_name]
_mask = os.umask(0o022)
for _name in _MODULES:
    import_module(_name)
os.umask(_mask)  # our definitions have changed it: each command has to do so itself
gc.freeze()
