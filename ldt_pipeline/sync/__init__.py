"""What is due, and whether we are complete: the decisions behind a sync, without Dagster.

`state.py` says what the warehouse holds, `plan.py` what has to be read, `compare.py` whether we
hold what the API says it has, `reconcile.py` what to do where we don't.
"""
