"""The warehouse: one private DuckDB file with one writer, and the file that is published from it.

`connection.py` opens it, `schema.py` makes its tables, `upsert.py` and `load.py` bring extracts
in, `read.py` gives frames, `marts.py` keeps marts, `publish.py` makes the file for people.
"""
