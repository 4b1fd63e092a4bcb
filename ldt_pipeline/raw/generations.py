"""Extracts in the place of others: the id of a rewritten extract says which one it replaces.

What belongs here: names. `<id>` is replaced by `<id>.1`, that by `<id>.2`, and so on: the highest
generation counts, so that a listing alone tells it, whatever was killed between writing the new
one and deleting the old one, and whatever an old backup brings back. An id keeps its place in the
order of ids. What doesn't: reading and writing (`store.py`).
"""

from __future__ import annotations

from collections.abc import Iterable


def base_of(extract_id: str) -> str:
    """Give the id that all generations of an extract share."""
    return extract_id.partition(".")[0]


def generation_of(extract_id: str) -> int:
    """Give how many times an extract was rewritten."""
    number = extract_id.partition(".")[2]
    return int(number) if number.isdecimal() else 0


def next_generation(extract_id: str) -> str:
    """Give the id of what will replace an extract."""
    return f"{base_of(extract_id)}.{generation_of(extract_id) + 1}"


def newest_generations(extract_ids: Iterable[str]) -> dict[str, str]:
    """Give the id that counts, by the base of each."""
    newest: dict[str, str] = {}
    for each in extract_ids:
        base = base_of(each)
        if base not in newest or generation_of(each) > generation_of(newest[base]):
            newest[base] = each
    return newest
