"""Start lists for other systems: layouts as presets, and what changed since the last one.

What belongs here: presets (`presets.py`), rows (`reading.py`), differences (`changes.py`,
`leaving.py`), files (`writing.py`) and the order in which an export is made (`race_lists.py`). What
doesn't: arguments and printing (`cli/`), and when it happens by itself (`defs/`).
"""
