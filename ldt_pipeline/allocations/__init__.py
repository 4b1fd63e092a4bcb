"""Partner allocations as code: one file says who gets how many places; plan shows, apply changes.

What belongs here: the file (`nodes`, `checking`, `tabular`, `wanted`), what is there now (`live`),
the difference (`planning`, `partners`, `plan`), and making it so exactly once (`applying`, `journal`). What
doesn't: sending single requests (`api/writes.py`), and showing any of it (`cli/`, `defs/`).
"""
