"""From the API into the raw store: which lists are read, when, and how far.

`catalogue.py` names the feeds, `changes.py` follows lists by `updatedAt`, `positions.py` says how
far, `snapshots.py` reads what hangs off an event, `rosters.py` finds deletions, `totals.py` asks
what the API holds. Windows of a long list are walked by `reader.py`, cut by `pieces.py` and
`spikes.py`, and written month by month by `months.py`.
Nothing here reads more of a record than what it is known by, when it was made and changed, and whether
its person was forgotten; and nothing knows DuckDB.
"""
