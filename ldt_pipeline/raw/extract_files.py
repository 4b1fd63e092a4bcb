"""The files of one extract: data, manifest, their names, and what is damaged about them.

What belongs here: file names, compression, checksums, and the order of writing. What doesn't: which
extracts there are and which of them count (`store.py`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast
from urllib.parse import quote

import msgspec
import zstandard
from upath import UPath

from ldt_pipeline.instants import now
from ldt_pipeline.raw.files import durable_file, hold, write_durably
from ldt_pipeline.raw.manifests import ListTotal, Manifest, NotFound, Part, Unlisted, Walk

DATA_SUFFIX = ".ndjson.zst"
MANIFEST_SUFFIX = ".manifest.json"
_FOLDER_NAME_MOST = 150
_COMPRESSION_LEVEL = 1
"""Half the processor time of level 3, for files that are a twelfth larger."""
_WRITTEN_AT_ONCE = 256 * 1024
"""Bytes that are compressed at once: walkers write side by side, and each call lets another one in."""


class DamagedExtractError(Exception):
    """An extract's file does not hold what its manifest says, or the manifest can't be read.

    `folder` is its partition as `<key>=<value>`; `paths` are its files, the manifest last.
    """

    def __init__(
        self,
        text: str,
        *,
        feed: str = "",
        folder: str = "",
        extract_id: str = "",
        reason: str = "",
        paths: Sequence[UPath] = (),
    ) -> None:
        super().__init__(text)
        self.feed = feed
        self.folder = folder
        self.extract_id = extract_id
        self.reason = reason
        self.paths = paths


class ReplacedExtractError(Exception):
    """An extract was compacted into another one since its manifest was read. Nothing is lost."""


class ExtractWriter:
    """One extract being written. Nothing of it counts before `commit`.

    As a context manager it takes away what was written where the block fails. A block that ends well
    leaves it open: `commit` comes after it.
    """

    def __init__(self, folder: UPath, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._files = ExitStack()
        # Until the manifest is there, the file alone must not pass for one that a kill left.
        self._held = ExitStack()
        self._file = self._files.enter_context(durable_file(folder / data_name(manifest)))
        if isinstance(folder, Path):
            self._held.callback(os.close, hold(self._file.fileno()))
        self._hashing = HashingFile(self._file)
        self._stream: zstandard.ZstdCompressionWriter | None = self._begin_frame()
        self._lines: list[bytes] = []
        self._waiting = 0
        self._records = 0
        self._oldest = manifest.oldest_updated_at
        self._newest = manifest.newest_updated_at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abandon(error)

    @property
    def extract_id(self) -> str:
        """The id that the extract will have."""
        return self._manifest.extract_id

    @property
    def records(self) -> int:
        """How many records were added."""
        return self._records

    def append(self, record: bytes, updated_at: dt.datetime | None = None) -> None:
        """Add one record, which holds no line break."""
        self._lines.append(record)
        self._waiting += len(record)
        self._records += 1
        if self._waiting >= _WRITTEN_AT_ONCE:
            self._write_lines()
        if updated_at is not None:
            if self._oldest is None or updated_at < self._oldest:
                self._oldest = updated_at
            if self._newest is None or updated_at > self._newest:
                self._newest = updated_at

    def commit(self) -> Manifest:
        """Put the file in its place, then its manifest: from here on the extract counts."""
        manifest = self.finish_data()
        self.count(manifest)
        return manifest

    def finish_data(self, parts: tuple[Part, ...] = ()) -> Manifest:
        """Put the file in its place, without its manifest; gives what that is to say."""
        self.rest()
        self._files.close()
        return msgspec.structs.replace(
            self._manifest,
            records=self._records,
            bytes=self._hashing.written,
            sha256=self._hashing.digest.hexdigest(),
            oldest_updated_at=self._oldest,
            newest_updated_at=self._newest,
            parts=parts or self._manifest.parts,
        )

    def rest(self) -> None:
        """Give back what compressing takes, more than a megabyte, until the next record comes."""
        self._write_lines()
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def _begin_frame(self) -> zstandard.ZstdCompressionWriter:
        # A file may hold several: they are read as one.
        return zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).stream_writer(
            cast("BinaryIO", self._hashing), closefd=False
        )

    def _write_lines(self) -> None:
        if self._lines:
            self._stream = self._stream or self._begin_frame()
            self._stream.write(b"\n".join((*self._lines, b"")))
        self._lines.clear()
        self._waiting = 0

    def count(self, manifest: Manifest) -> None:
        """Write the manifest: from here on the extract counts."""
        with self._held:
            write_durably(self._folder / manifest_name(manifest), encode(manifest))

    def release(self) -> None:
        """Give the file up, whose manifest won't be written."""
        self._held.close()

    def abandon(self, error: BaseException) -> None:
        """Take away what was written."""
        with self._held, suppress(type(error)):  # the block that wrote the file raises it again
            self._files.__exit__(type(error), error, error.__traceback__)


def decode_manifest(path: UPath) -> Manifest:
    """Read a manifest.

    Raises:
        DamagedExtractError: It can't be read, or is that of another extract.
    """
    extract_id = path.name.removesuffix(MANIFEST_SUFFIX)
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad_manifest(path, f"its manifest can't be read ({error})") from None
    folder = f"{manifest.partition_key}={_partition_name(manifest.partition)}"
    if (manifest.extract_id, manifest.feed, folder) != (
        extract_id,
        path.parent.parent.name,
        path.parent.name,
    ):
        # A flipped bit in a name leaves good JSON: the file of another extract would be read.
        raise _bad_manifest(path, "its manifest is that of another extract")
    return manifest


def _bad_manifest(path: UPath, reason: str) -> DamagedExtractError:
    extract_id = path.name.removesuffix(MANIFEST_SUFFIX)
    return DamagedExtractError(
        f"Extract {extract_id} ({path.parent.name}) can't be used: {reason}.",
        feed=path.parent.parent.name,
        folder=path.parent.name,
        extract_id=extract_id,
        reason=reason,
        paths=[path.parent / f"{extract_id}{DATA_SUFFIX}", path],
    )


def line_batches(file: HashingFile, batch_records: int) -> Iterator[list[bytes]]:
    """Decompress a file and cut it into lines, so many at a time."""
    reader = zstandard.ZstdDecompressor().stream_reader(
        cast("BinaryIO", file), read_across_frames=True
    )
    rest = b""
    batch: list[bytes] = []
    while chunk := reader.read(1 << 22):
        *lines, rest = (rest + chunk).split(b"\n")
        batch.extend(lines)
        while len(batch) >= batch_records:
            yield batch[:batch_records]
            batch = batch[batch_records:]
    if rest:
        batch.append(rest)
    if batch:
        yield batch


class HashingFile:
    """A file that hashes and counts what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.written = 0

    def write(self, data: bytes) -> int:
        """Write, hash and count."""
        self.digest.update(data)
        self.written += len(data)
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        """Read and hash."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


def new_id(moment: dt.datetime | None = None) -> str:
    """Give an id that sorts by time and is never given twice."""
    return f"{(moment or now()).astimezone(dt.UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"


def data_name(manifest: Manifest) -> str:
    """Give the name of an extract's file of records."""
    return manifest.extract_id + DATA_SUFFIX


def manifest_name(manifest: Manifest) -> str:
    """Give the name of an extract's manifest."""
    return manifest.extract_id + MANIFEST_SUFFIX


def partition_folder(partition_key: str, value: str) -> str:
    """Give the name of a partition's folder."""
    return f"{partition_key}={_partition_name(value)}"


def _partition_name(value: str) -> str:
    name = quote(value, safe="")
    return name if len(name) <= _FOLDER_NAME_MOST else hashlib.sha256(name.encode()).hexdigest()


def encode(value: Manifest | Walk | ListTotal | NotFound | Unlisted) -> bytes:
    """Write a record of what was read, as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
