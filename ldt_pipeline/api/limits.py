"""How much of an answer is believed: every limit on what a server may make us hold.

What belongs here: the numbers, and why they are what they are. What doesn't: keeping them
(`client.py`, `answers.py`, `documents.py`).

An answer beyond them is refused, not cut: what is in doubt is never stored. It isn't asked for
again either, as the same answer would come. What was published before stays.
"""

from __future__ import annotations

from typing import Final

ANSWER_BYTES_MOST: Final = 32 * 1024 * 1024
"""Bytes of one answer once unpacked: 500 records of 64 KB each. A usual page has 2 MB.

As many answers are in memory at once as `LDT_MAX_CONCURRENCY` says.
"""

RECORD_BYTES_MOST: Final = 4 * 1024 * 1024
"""Bytes of one record. A usual one has 4 KB; a page of them has to fit an answer."""

NESTING_MOST: Final = 500
"""How deep arrays and objects of a record may lie in one another; usually it is 3.

Beyond what a table has a use for, `tidy/` notes it as drift; but libraries read a record by
recursion, and some end at 1,000.
"""

ID_CHARACTERS_MOST: Final = 1_000
"""Characters of an id that is asked for: a longer address is refused by servers."""

DOCUMENT_BYTES_MOST: Final = 20 * 1024 * 1024
"""Bytes of the OpenAPI document; a usual one has less than 1 MB."""
