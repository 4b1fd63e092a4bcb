"""The Let's Do This API as somebody else would have built it, for tests.

`API.md` leaves much open: how a list ends, whether a bound is inclusive, what a cursor is, what
nested objects look like. The pipeline has to work with every reading of it, and the sandbox, which
its own authors wrote, shares their assumptions. This server shares none of their code: it is built
from `API.md` alone, on the standard library, and serves whichever `Readings` a test asks for.

```python
dataset = make_dataset(7, participants=1_000)
with OtherApi(dataset, Readings(end_of_list="wraps_around", cursors="record_id")) as api:
    ...  # point a client at api.base_url with api.api_key
    api.touch("participants", some_id)  # data moves while it serves
```

`readings.py` lists the readings, `dataset.py` holds the records, `making.py` makes them up,
`shapes.py` puts them on the wire, `paging.py` walks lists, `operations.py` has the operations,
`server.py` speaks HTTP, `truth.py` says what a client ought to end up with, and `walking.py` is the
simplest of clients.
"""

from __future__ import annotations

from ldt_pipeline_tests.other_api.dataset import COLLECTIONS, Dataset
from ldt_pipeline_tests.other_api.making import make_dataset
from ldt_pipeline_tests.other_api.readings import NESTED_KEYS, Readings
from ldt_pipeline_tests.other_api.server import OtherApi
from ldt_pipeline_tests.other_api.truth import (
    expected_allocations,
    expected_entries,
    expected_ids,
    expected_partners,
)

__all__ = [
    "COLLECTIONS",
    "NESTED_KEYS",
    "Dataset",
    "OtherApi",
    "Readings",
    "expected_allocations",
    "expected_entries",
    "expected_ids",
    "expected_partners",
    "make_dataset",
]
