"""What is in a file of any kind: its bytes, and those of what is packed or encoded in it.

What belongs here: formats. What doesn't: what is looked for (`traces.py`).
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import zstandard

from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.schema import literal

UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zipfile.LargeZipFile),
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError, pl.exceptions.PolarsError, duckdb.Error),
)
"""What is raised of a file that is damaged, cut off or encrypted."""

_DEEPEST = 5
_ROWS_AT_ONCE = 10_000


def contents(path: Path) -> Iterator[bytes]:
    """Give a file's bytes, and those of what is in it.

    Raises:
        Exception: One of `UNREADABLE`: something in it can't be looked into.
    """
    content = path.read_bytes()
    if content[8:12] == b"DUCK":
        yield from _duckdb_rows(path)
    yield from _unpacked(content, _DEEPEST)


def _unpacked(content: bytes, deepest: int) -> Iterator[bytes]:
    yield content
    inner = _inner(content)
    if inner is None:
        yield from _decoded(content)
        return
    for each in inner:
        if deepest == 0:
            raise ValueError("packed too often")
        yield from _unpacked(each, deepest - 1)


def _inner(content: bytes) -> Iterator[bytes] | None:
    """Give what is packed in some bytes; None where they are no archive."""
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(content)
    if content.startswith(b"\x1f\x8b"):
        return iter([gzip.decompress(content)])
    if content.startswith(b"BZh") and content[4:10] == b"1AY&SY":
        return iter([bz2.decompress(content)])
    if content.startswith(b"\xfd7zXZ\x00"):
        return iter([lzma.decompress(content)])
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
        return iter([reader.read()])
    # A CSV file may begin with a column of this name.
    if content.startswith(b"PAR1") and (content.endswith(b"PAR1") or b"\x00" in content):
        return iter([pl.read_parquet(content).write_ndjson().encode()])
    return None


def _zipped(content: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            yield archive.read(name)


def _decoded(content: bytes) -> Iterator[bytes]:
    """Give text in wide characters as UTF-8; without a mark nobody knows which way round it is."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        yield content.decode("utf-32", "replace").encode()
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield content.decode("utf-16", "replace").encode()
    elif b"\x00" in content:
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            yield content.decode(encoding, "replace").encode()


def _duckdb_rows(path: Path) -> Iterator[bytes]:
    """Give the rows of a database, such as a copy of the published file: it packs its columns."""
    with connect(Path(":memory:")) as connection:
        connection.execute(f"ATTACH {literal(str(path))} AS found (READ_ONLY)")
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'found'"
        ).fetchall()
        for schema, name in tables:
            rows = connection.execute(f'SELECT * FROM found."{schema}"."{name}"')
            while batch := rows.fetchmany(_ROWS_AT_ONCE):
                yield "\n".join("\t".join(map(str, row)) for row in batch).encode()
        connection.execute("DETACH found")
