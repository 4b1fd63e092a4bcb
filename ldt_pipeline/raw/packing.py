"""Many extracts of a partition in one file, which takes their place in one step.

What belongs here: writing the file, and the order in which it replaces the others. What doesn't:
which lines stay, and the proof that nothing is lost (`compacting.py`).

A compacted extract names its parts: the extracts that its records were in, in order, with when
they were read. So each version is still known by what it was known by. Its own id begins with
that of its newest part, and ends in `-pack`.

The file of data is written first, and doesn't count. When everything is proved, the manifest is: from
then on the compacted extract counts, and those that it replaces don't, be they there or not. So they
can be deleted at leisure, and a backup that brings them back changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from ldt_pipeline.raw.extract_files import ExtractWriter, new_id
from ldt_pipeline.raw.leftovers import remove_extract
from ldt_pipeline.raw.manifests import Manifest, Part
from ldt_pipeline.raw.store import PACK_SUFFIX, RawStore

_BATCH_RECORDS = 5_000


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A compacted extract whose data is written and which doesn't count yet."""

    manifest: Manifest
    replaces: tuple[Manifest, ...]
    writer: ExtractWriter

    @property
    def bytes_before(self) -> int:
        """What the extracts take that it replaces."""
        return sum(each.bytes for each in self.replaces)


def write_pack(
    store: RawStore, extracts: list[Manifest], lines: Iterable[tuple[Part, Iterator[bytes]]]
) -> Pack:
    """Write the data of a compacted extract; nothing of it counts before `put_in_place`.

    Args:
        store: The raw store.
        extracts: What it is to replace: extracts of one partition, in the order of loading.
        lines: Their parts in order, each with its lines; a blank one for each that is dropped.
    """
    newest = extracts[-1]
    oldest_at = [each.oldest_updated_at for each in extracts if each.oldest_updated_at]
    newest_at = [each.newest_updated_at for each in extracts if each.newest_updated_at]
    writer = store.writer_of(
        msgspec.structs.replace(
            newest,
            extract_id=new_id(newest.extracted_at) + PACK_SUFFIX,
            records=0,
            bytes=0,
            sha256="",
            oldest_updated_at=min(oldest_at, default=None),
            newest_updated_at=max(newest_at, default=None),
            source={"compacted": str(len(extracts))},
            parts=(),
            replaces=tuple(_replaced_by(extracts)),
        )
    )
    parts: list[Part] = []
    with writer:
        for part, records in lines:
            count = 0
            for record in records:
                writer.append(record)
                count += 1
            parts.append(msgspec.structs.replace(part, records=count))
        manifest = writer.finish_data(tuple(parts))
    return Pack(manifest=manifest, replaces=tuple(extracts), writer=writer)


def _replaced_by(extracts: list[Manifest]) -> Iterator[str]:
    """Give the ids of extracts, and of what they replaced: a backup may bring that back, too."""
    for each in extracts:
        yield each.extract_id
        yield from each.replaces


def put_in_place(store: RawStore, packs: list[Pack]) -> None:
    """Let compacted extracts count, and delete those that they were made from."""
    for pack in packs:
        pack.writer.count(pack.manifest)
    finish(store)


def discard(store: RawStore, packs: Iterable[Pack]) -> None:
    """Take the data of compacted extracts away again."""
    for pack in packs:
        pack.writer.release()
        remove_extract(store.manifest_path(pack.manifest))


def finish(store: RawStore) -> int:
    """Delete the extracts that compacted ones have taken the place of; gives their number."""
    paths = store.replaced_manifest_paths()
    for path in paths:
        remove_extract(path)
    return len(paths)


def parts_of(
    store: RawStore, manifest: Manifest
) -> Iterator[tuple[Part, Iterator[tuple[int, bytes]]]]:
    """Give an extract's parts, each with its numbered lines (from 1), which must be used in order."""
    batches = store.read_parts(manifest, batch_records=_BATCH_RECORDS)
    waiting: list[tuple[Part, int, list[bytes]]] = []

    def lines(part: Part) -> Iterator[tuple[int, bytes]]:
        while True:
            if not waiting:
                following = next(batches, None)
                if following is None:
                    return
                waiting.append(following)
            origin, before, records = waiting[0]
            if origin.extract_id != part.extract_id:
                return
            waiting.pop()
            yield from enumerate(records, start=before + 1)

    for part in manifest.origins:
        yield part, lines(part)
