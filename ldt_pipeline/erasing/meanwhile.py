"""Somebody is erased while a list is being made: what was read before may get into its place after.

What belongs here: finding that out, for whoever writes people's data from the published file into
other files. What doesn't: writing them, and doing away with those that lie there (`exported.py`).

An erasure enters the person into its book, then replaces the published file, then deletes exports. So a
file that is in its place before the published one is replaced is found by the erasure, and of one that is
there after that, this tells.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.swap import identity


class ErasedMeanwhileError(Exception):
    """A file was taken away again, as somebody in it was erased while it was made."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody on the list was erased while it was written, so the file is deleted: make it "
            "again."
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The published file as it was before it was opened."""

    raw_dir: Path
    published_path: Path
    identity: str

    @classmethod
    def begin(cls, settings: Settings) -> Reading:
        """Note which file it is; to be done before it is opened."""
        path = settings.published_path
        return cls(raw_dir=settings.raw_dir, published_path=path, identity=_identity(path))

    def is_outdated_for(self, participants: Collection[str]) -> bool:
        """Whether somebody of these, who weren't redacted in the file, was erased since it was read.

        Raises:
            DamagedExtractError: The book of erasures can't be read.
        """
        if _identity(self.published_path) == self.identity:
            return False
        # Hardly ever needed, and half as long to import as all that makes a list.
        from ldt_pipeline.erasing.book import Book  # noqa: PLC0415
        from ldt_pipeline.raw import RawStore  # noqa: PLC0415

        book = Book.read(RawStore(str(self.raw_dir)))
        return any(
            each in book.erased["participants"] or each in book.redacted["participants"]
            for each in participants
        )


def _identity(path: Path) -> str:
    try:
        return identity(path)
    except FileNotFoundError:
        return ""
