"""Erasing: a person's data leaves every copy that the pipeline holds, and stays away.

From the inside out: `forms.py` says what stays of a record, `book.py` whose records that concerns,
by the erasures feed of the raw store; reading (`feeds/`) and loading (`warehouse/load.py`) put each
record through both. `scan.py` finds and rewrites what lies in the raw store already; `published.py`,
`exported.py`, `traces.py` (with `unpacking.py`), `database.py` and `meanwhile.py` deal with every other
copy; `due.py` says when there is something to do, and `erase.py` does it, in an order that survives
being killed. `ledger.py` knows who received an export.
"""
