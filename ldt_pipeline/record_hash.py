"""The hash that a version of a record is known by, wherever it is read.

It tells versions of one record apart, and guards nothing: whoever could make two that collide would
only keep an edit of their own from being seen.
"""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

_SIGN = 1 << 63


def record_hash(record: bytes) -> int:
    """Give the hash of a record's bytes: 64 bits, signed, as DuckDB's BIGINT is."""
    return (xxh3_64_intdigest(record) ^ _SIGN) - _SIGN
