"""The hash that a version of a record is known by, wherever it is read."""

from __future__ import annotations

from hashlib import blake2b


def record_hash(record: bytes) -> int:
    """Give the hash of a record's bytes: 64 bits, signed, as DuckDB's BIGINT is."""
    return int.from_bytes(blake2b(record, digest_size=8).digest(), "big", signed=True)
