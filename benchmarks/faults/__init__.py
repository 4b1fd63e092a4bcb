"""The fault bench: whatever goes wrong, what is published is complete, or it is what was before.

`python -m benchmarks.faults` (or `make bench-faults`) runs the real `ldt sync` against the sandbox
over HTTP while the network, the API, the disk and people do their worst, compares what is
published with the sandbox's truth, and prints a table. Everything is chosen by chance from a seed.

`truth.py` reads both sides, `place.py` runs `ldt`, `changes.py` moves the account, and each
scenario has a module of its own; `__main__.py` is the command line.
"""
