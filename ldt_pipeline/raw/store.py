"""The extracts under one root: `<feed>/<key>=<value>/<extract>.ndjson.zst`, each with a manifest.

What belongs here: which extracts there are, which of them count, and in which order; what was read
of a feed. What doesn't: the files of one extract (`extract_files.py`), what is in a record, and when
to read which list (`feeds/`). Paths are universal: a local folder, or a bucket.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec
import zstandard
from upath import UPath

from ldt_pipeline.private_files import make_private
from ldt_pipeline.raw.extract_files import (
    MANIFEST_SUFFIX,
    DamagedExtractError,
    ExtractWriter,
    HashingFile,
    ReplacedExtractError,
    data_name,
    decode_manifest,
    encode,
    line_batches,
    manifest_name,
    new_id,
    partition_folder,
)
from ldt_pipeline.raw.files import write_durably
from ldt_pipeline.raw.generations import base_of, newest_generations, next_generation
from ldt_pipeline.raw.manifests import ListTotal, Manifest, NotFound, Part, Unlisted, Walk

PACK_SUFFIX = "-pack"
"""How ids of compacted extracts end (before their generation)."""
_WALKS = "walks"
_TOTAL = "total.json"
_NOT_FOUND = "not_found.json"
_UNLISTED = "unlisted.json"
_LISTINGS_MOST = 5
_Kind = TypeVar("_Kind", Walk, ListTotal, NotFound, Unlisted)
_logger = logging.getLogger(__name__)


class RawStore:
    """The extracts under one root."""

    def __init__(self, root: UPath | str) -> None:
        self.root = UPath(root)

    def writer(
        self,
        *,
        feed: str,
        partition_key: str,
        partition: str,
        extracted_at: dt.datetime,
        source: dict[str, str],
    ) -> ExtractWriter:
        """Begin an extract in a partition; nothing of it counts before it is committed."""
        if isinstance(self.root, Path):
            make_private(self.root)
        manifest = Manifest(
            feed=feed,
            partition_key=partition_key,
            partition=partition,
            extract_id=new_id(extracted_at),
            extracted_at=extracted_at,
            records=0,
            bytes=0,
            sha256="",
            source=source,
        )
        return ExtractWriter(self._folder(manifest), manifest)

    def writer_of(self, manifest: Manifest) -> ExtractWriter:
        """Begin an extract that is described already, but for what its records will be."""
        return ExtractWriter(self._folder(manifest), manifest)

    def manifest_path(self, manifest: Manifest) -> UPath:
        """Give where an extract's manifest lies, or would."""
        return self._folder(manifest) / manifest_name(manifest)

    def replaced_manifest_paths(self) -> list[UPath]:
        """Give the manifests of extracts that lie there although a compacted one replaced them."""
        paths = self._existing(None)
        replaced = _replaced(paths)
        return [path for name, path in paths.items() if base_of(name) in replaced]

    def rewriter(self, manifest: Manifest) -> ExtractWriter:
        """Begin an extract that takes the place of another one when it is committed.

        It is for the same records, line by line: each may be put differently, none may go. The
        other one stays on the disk until it is deleted with `leftovers.remove_superseded`.
        """
        replacing = msgspec.structs.replace(
            manifest, extract_id=next_generation(manifest.extract_id), records=0, bytes=0, sha256=""
        )
        return ExtractWriter(self._folder(replacing), replacing)

    def extract_ids(self, feed: str | None = None) -> set[str]:
        """Give the ids of every extract that counts, by listing alone."""
        return {path.name.removesuffix(MANIFEST_SUFFIX) for path in self._manifest_paths(feed)}

    def manifests(
        self, feed: str | None = None, *, without: set[str] | None = None
    ) -> list[Manifest]:
        """Give the manifests of a feed, or of all, in the order in which extracts are loaded.

        `without` names ids of extracts to leave out, unread.
        """
        return self._manifests(lambda: self._manifest_paths(feed), without or set())

    def manifests_in(self, feed: str, partition_key: str, partition: str) -> list[Manifest]:
        """Give the manifests of one partition, in the order in which extracts are loaded."""
        folder = partition_folder(partition_key, partition)
        return self._manifests(lambda: self._manifest_paths(feed, folder), set())

    def _manifests(
        self, list_paths: Callable[[], Iterable[UPath]], without: set[str]
    ) -> list[Manifest]:
        for _ in range(_LISTINGS_MOST):
            with suppress(FileNotFoundError):  # replaced since it was listed
                return self._decoded(list_paths(), without)
        return self._decoded(list_paths(), without)

    def _decoded(self, paths: Iterable[UPath], without: set[str]) -> list[Manifest]:
        found = [
            decode_manifest(path)
            for path in paths
            if path.name.removesuffix(MANIFEST_SUFFIX) not in without
        ]
        return sorted(found, key=lambda each: (each.extracted_at, each.extract_id))

    def read(self, manifest: Manifest, *, batch_records: int) -> Iterator[list[bytes]]:
        """Give an extract's records in batches, in order.

        Raises:
            DamagedExtractError: The file is missing, was changed, or holds another number of
                records; batches given before the error must not be used.
            ReplacedExtractError: It was compacted since its manifest was read.
        """
        path = self._folder(manifest) / data_name(manifest)
        if not path.exists():
            # It may have been rewritten, line by line, since its manifest was read.
            manifest = self._successor(manifest) or manifest
            path = self._folder(manifest) / data_name(manifest)
        count = 0
        hashing = None
        try:
            with path.open("rb") as file:
                hashing = HashingFile(file)
                for batch in line_batches(hashing, batch_records):
                    count += len(batch)
                    yield batch
        except (FileNotFoundError, zstandard.ZstdError) as error:
            if base_of(manifest.extract_id) in _replaced(self._existing(manifest.feed)):
                raise ReplacedExtractError(
                    f"Extract {manifest.extract_id} of {manifest.feed} was compacted while it was "
                    "to be read. Do it again: the compacted one is read then."
                ) from None
            raise self._damaged(manifest, type(error).__name__) from None
        if hashing.digest.hexdigest() != manifest.sha256 or count != manifest.records:
            raise self._damaged(manifest, "its checksum or number of records differs")

    def write_walk(self, walk: Walk, *, name: str | None = None) -> None:
        """Record a proved walk. `name` replaces an earlier one of this name."""
        write_durably(self.root / walk.feed / _WALKS / f"{name or walk.walk_id}.json", encode(walk))

    def walk(self, feed: str, name: str) -> Walk | None:
        """Give the walk that was recorded under a name; a record that is damaged counts as none."""
        path = self.root / feed / _WALKS / f"{name}.json"
        return _decode_or_forget(path, Walk) if path.exists() else None

    def forget_walks(self, feed: str, *, but: str) -> None:
        """Take away the records of all walks of a feed but one; extracts stay."""
        folder = self.root / feed / _WALKS
        for path in folder.glob("*.json") if folder.exists() else ():
            if path.name != f"{but}.json":
                path.unlink()

    def walks(self, feed: str) -> list[Walk]:
        """Give the proved walks of a feed, in the order in which they began.

        One whose record is damaged counts as never made: its window is read again.
        """
        folder = self.root / feed / _WALKS
        if not folder.exists():
            return []
        read = (_decode_or_forget(path, Walk) for path in folder.glob("*.json"))
        found = [each for each in read if each is not None]
        return sorted(found, key=lambda each: (each.started_at, each.walk_id))

    def write_total(self, total: ListTotal) -> None:
        """Keep what the API said that a list holds, in the place of what it said before."""
        write_durably(self.root / total.feed / _TOTAL, encode(total))

    def total(self, feed: str) -> ListTotal | None:
        """Give what the API last said that a list holds; None if it was never asked."""
        path = self.root / feed / _TOTAL
        return _decode_or_forget(path, ListTotal) if path.exists() else None

    def write_not_found(self, not_found: NotFound) -> None:
        """Keep for which partitions the API answered 404, in the place of what was kept before."""
        write_durably(self.root / not_found.feed / _NOT_FOUND, encode(not_found))

    def not_found(self, feed: str) -> NotFound:
        """Give for which partitions of a feed the API answered 404 last."""
        path = self.root / feed / _NOT_FOUND
        found = _decode_or_forget(path, NotFound) if path.exists() else None
        return found or NotFound(feed=feed, asked_at={})

    def write_unlisted(self, unlisted: Unlisted) -> None:
        """Keep which records a list lacks, in the place of what was kept before."""
        write_durably(self.root / unlisted.feed / _UNLISTED, encode(unlisted))

    def unlisted(self, feed: str) -> Unlisted:
        """Give which records a list lacked when it was last read whole, and the API gave by id."""
        path = self.root / feed / _UNLISTED
        found = _decode_or_forget(path, Unlisted) if path.exists() else None
        return found or Unlisted(feed=feed, since={})

    def has_partition(self, feed: str, partition_key: str, partition: str) -> bool:
        """Whether a partition holds any extract."""
        folder = self._partition_folder(feed, partition_key, partition)
        return folder.exists() and any(True for _ in folder.glob(f"*{MANIFEST_SUFFIX}"))

    def read_parts(
        self, manifest: Manifest, *, batch_records: int
    ) -> Iterator[tuple[Part, int, list[bytes]]]:
        """Give an extract's records in batches, each with what they are known by.

        That is the extract itself or the part of it that they were compacted from, and how many
        lines stand before them there. A blank line is a record that was dropped.

        Raises:
            DamagedExtractError: As for `read`.
        """
        origins = iter(manifest.origins)
        origin = next(origins)
        before = 0
        for batch in self.read(manifest, batch_records=batch_records):
            start = 0
            while start < len(batch):
                while before >= origin.records:
                    following = next(origins, None)
                    if following is None:
                        raise self._damaged(manifest, "it holds more records than its parts")
                    origin, before = following, 0
                end = min(len(batch), start + origin.records - before)
                yield origin, before, batch[start:end]
                before += end - start
                start = end

    def all_manifest_paths(self) -> list[UPath]:
        """Give the paths of all manifests, those of replaced extracts too."""
        if not self.root.exists():
            return []
        return list(self.root.glob(f"*/*=*/*{MANIFEST_SUFFIX}"))

    def _manifest_paths(self, feed: str | None, folder: str = "*=*") -> Iterator[UPath]:
        if not self.root.exists():
            return
        paths = self._existing(feed, folder)
        replaced = _replaced(paths)
        for base, extract_id in newest_generations(paths).items():
            if base not in replaced:
                yield paths[extract_id]

    def _existing(self, feed: str | None, folder: str = "*=*") -> dict[str, UPath]:
        return {
            path.name.removesuffix(MANIFEST_SUFFIX): path
            for path in self.root.glob(f"{feed or '*'}/{folder}/*{MANIFEST_SUFFIX}")
        }

    def _successor(self, manifest: Manifest) -> Manifest | None:
        """Give the newest generation of an extract, where there is a newer one."""
        folder = self._folder(manifest)
        base = base_of(manifest.extract_id)
        found = [
            path.name.removesuffix(MANIFEST_SUFFIX)
            for path in folder.glob(f"{base}.*{MANIFEST_SUFFIX}")
        ]
        newest = newest_generations(found).get(base, manifest.extract_id)
        if newest == manifest.extract_id:
            return None
        return decode_manifest(folder / f"{newest}{MANIFEST_SUFFIX}")

    def _folder(self, manifest: Manifest) -> UPath:
        return self._partition_folder(manifest.feed, manifest.partition_key, manifest.partition)

    def _partition_folder(self, feed: str, partition_key: str, value: str) -> UPath:
        # Ids come from the API: nothing in one may lead out of the folder.
        return self.root / feed / partition_folder(partition_key, value)

    def _damaged(self, manifest: Manifest, what: str) -> DamagedExtractError:
        folder = self._folder(manifest)
        return DamagedExtractError(
            f"Extract {manifest.extract_id} of {manifest.feed} "
            f"({manifest.partition_key}={manifest.partition}) can't be used: {what}.",
            feed=manifest.feed,
            folder=folder.name,
            extract_id=manifest.extract_id,
            reason=what,
            paths=[folder / data_name(manifest), folder / manifest_name(manifest)],
        )


def _replaced(paths: Mapping[str, UPath]) -> set[str]:
    """Give the bases of the ids of extracts that compacted ones among `paths` took the place of."""
    return {
        base
        for name in newest_generations(paths).values()
        if base_of(name).endswith(PACK_SUFFIX)
        for base in _replaced_by(paths[name])
    }


@lru_cache(maxsize=4096)
def _replaced_by(path: UPath) -> frozenset[str]:
    # An id is never given twice and its manifest never changed: what was read once stays true.
    return frozenset(base_of(each) for each in decode_manifest(path).replaces)


def _decode_or_forget(path: UPath, kind: type[_Kind]) -> _Kind | None:
    """Read a record of what was read; one that is damaged is deleted, and what it tells is read anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _logger.warning("%s is damaged (%s): what it tells of is read again.", path.name, error)
        path.unlink(missing_ok=True)
        return None
