"""What was left behind: extracts that others replaced, and files of writers that were killed.

What belongs here: finding and deleting what doesn't count, so that no copy of a record lies where
nobody looks. What doesn't: anything that counts. Only a local folder has leftovers of killed
writers; on a bucket, an object appears whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from upath import UPath

from ldt_pipeline.raw.extract_files import DATA_SUFFIX, MANIFEST_SUFFIX
from ldt_pipeline.raw.files import TEMPORARY_PREFIX, is_abandoned
from ldt_pipeline.raw.generations import base_of, newest_generations
from ldt_pipeline.raw.store import RawStore


def superseded(store: RawStore) -> list[UPath]:
    """Give the manifests of extracts that a newer generation replaced, by listing alone."""
    paths = {path.name.removesuffix(MANIFEST_SUFFIX): path for path in store.all_manifest_paths()}
    newest = newest_generations(paths)
    return [path for name, path in paths.items() if newest[base_of(name)] != name]


def remove_superseded(store: RawStore) -> int:
    """Delete extracts that were replaced; gives their number."""
    found = superseded(store)
    for path in found:
        remove_extract(path)
    return len(found)


def remove_extract(manifest_path: UPath) -> None:
    """Delete an extract: the data first, as without its manifest nobody would find it again."""
    name = manifest_path.name.removesuffix(MANIFEST_SUFFIX)
    (manifest_path.parent / f"{name}{DATA_SUFFIX}").unlink(missing_ok=True)
    manifest_path.unlink(missing_ok=True)


def remove_abandoned(root: Path, *, pattern: str = "**/*") -> int:
    """Delete what killed writers left under a folder; gives the number of files."""
    count = 0
    for path in list(_unfinished(root, pattern)):
        if is_abandoned(path) and not _counts(path):
            path.unlink(missing_ok=True)
            count += 1
    return count


def _unfinished(root: Path, pattern: str) -> Iterator[Path]:
    if not root.exists():
        return
    for path in root.glob(pattern):
        is_data = path.name.endswith(DATA_SUFFIX) and not _counts(path)
        if (path.name.startswith(TEMPORARY_PREFIX) or is_data) and path.is_file():
            yield path


def _counts(path: Path) -> bool:
    """Whether a manifest speaks for a file of data; asked again once nobody writes it."""
    name = path.name.removesuffix(DATA_SUFFIX)
    return path.name != name and (path.parent / f"{name}{MANIFEST_SUFFIX}").exists()
