"""Start lists for other systems: layouts as presets, and what changed since the last one.

What belongs here: presets (`presets.py`), files (`writing.py`), differences (`changes.py`) and the
order in which an export is made (`race_lists.py`). What doesn't: arguments and printing (`cli/`), and
when it happens by itself (`defs/`).
"""
