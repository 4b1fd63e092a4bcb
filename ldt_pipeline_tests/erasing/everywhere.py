"""Looking for texts in every byte under a folder, whatever it is packed in.

Files are read as bytes; besides, what is compressed is decompressed, archives are opened, SQLite and
DuckDB files are read as tables (DuckDB compresses columns), Parquet as rows.
"""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import zstandard


def find(folder: Path, texts: Collection[str]) -> dict[str, list[str]]:
    """Give the files that hold any of the texts, with those that they hold."""
    needles = {
        text: {text.encode(), text.encode("ascii", "backslashreplace"), text.encode("utf-16-le")}
        for text in texts
    }
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            for content in contents(path):
                hits = {text for text, forms in needles.items() if any(f in content for f in forms)}
                if hits:
                    found.setdefault(str(path.relative_to(folder)), set()).update(hits)
    return {name: sorted(hits) for name, hits in found.items()}


def contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
        yield reader.read()
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    elif content.startswith(b"PAR1"):
        yield pl.read_parquet(content).write_ndjson().encode()
    elif content.startswith(b"SQLite format 3\x00"):
        yield from _sqlite_tables(path)
    elif content[8:12] == b"DUCK":
        yield from _duckdb_tables(path)


def _sqlite_tables(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            yield repr(rows).encode()


def _duckdb_tables(path: Path) -> Iterator[bytes]:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{path}' AS found (READ_ONLY)")
        for schema, name in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'found'"
        ).fetchall():
            rows = connection.execute(f'SELECT * FROM found."{schema}"."{name}"').fetchall()
            yield repr(rows).encode()
