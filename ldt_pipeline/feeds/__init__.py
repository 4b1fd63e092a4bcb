"""From the API into the raw store: which lists are read, when, and how far.

`catalogue.py` names the feeds, `changes.py` follows lists by `updatedAt`, `positions.py` says how
far, `snapshots.py` reads what hangs off an event, `rosters.py` finds deletions, `totals.py` asks
what the API holds.
Nothing here reads a record's inside beyond its id and last change, and nothing knows DuckDB.
"""
