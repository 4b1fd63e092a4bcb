"""The warehouse: one private DuckDB file with one writer, and the file that is published from it.

From the inside out:

- the file: `engine.py` and `connection.py` open it, `schema.py` makes its tables, `swap.py` puts one
  in the place of another, `remaking.py` deletes it;
- loading: `load.py` brings extracts in, `upsert.py` decides which version wins, `history.py` keeps the
  others, `allocation_days.py` each day of a group, `unclean.py` notes what had to be erased;
- reading: `read.py` gives rows with `deleted_at`, `answers.py` and `entry_groups.py` what DuckDB has
  matched and counted, `starts.py` is for readers of the published file;
- marts: `marts.py` keeps all of them, `entries.py` and `versions.py` those with a row for each entry,
  `changed.py` tells whose rows those are, and `books.py` makes our own books into tables;
- publishing: `checking.py` says whether it may be, by `checks.py` and what `outcomes.py` remembers;
  `publish.py` makes the file for people in `building.py`'s layout, `republish.py` out of the last one.
"""
