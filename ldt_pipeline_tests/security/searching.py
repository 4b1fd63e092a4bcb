"""Looking for a text in everything that a folder holds, also inside what is compressed."""

from __future__ import annotations

import gzip
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import zstandard


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give each file's bytes, and what they hold once unpacked, with a name for each."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        yield str(path), path.read_bytes()
        if path.suffix == ".zst":
            with path.open("rb") as file:
                yield f"{path} (unpacked)", zstandard.ZstdDecompressor().stream_reader(file).read()
        elif path.suffix == ".gz":
            yield f"{path} (unpacked)", gzip.decompress(path.read_bytes())
        elif path.suffix == ".duckdb":
            yield from _of_duckdb(path)
        elif path.suffix == ".db":
            yield from _of_sqlite(path)


def _of_duckdb(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error:
        return  # no database: its bytes were looked at
    with connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(f'FROM "{schema}"."{table}"').fetchall()
            yield f"{path}: {schema}.{table}", repr(rows).encode()


def _of_sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield f"{path}: {name}", repr(row).encode()
                for value in row:
                    if isinstance(value, bytes):
                        yield f"{path}: {name} (unpacked)", _unpacked(value)
    finally:
        connection.close()


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def places_of(needles: Iterable[str], found: Iterable[tuple[str, bytes]]) -> list[str]:
    """Give the names of those contents that hold any of the needles."""
    sought = [needle.encode() for needle in needles]
    return [name for name, content in found if any(needle in content for needle in sought)]
