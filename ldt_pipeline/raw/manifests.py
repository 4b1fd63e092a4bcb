"""What is written beside the records: an extract's manifest, and the record of a proved walk.

An extract counts only once its manifest is there. A walk counts as coverage (its window need not
be read again) only once its record is there, which is written after all of its manifests.
"""

from __future__ import annotations

import datetime as dt

import msgspec

DELETIONS = "deletions"
"""The feed of tombstones: one line for each id that the API says it no longer has."""

ERASURES = "erasures"
"""The feed of erasures: whose data was taken away, by id, with when and why; and nothing else."""

FORMAT = 1


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An extract that was put into a compacted one: what its records are known by."""

    extract_id: str
    extracted_at: dt.datetime
    records: int
    """Lines, in the order of the parts. A line that was dropped is left blank, and counts."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One extract: where it came from, and what its file must hold."""

    format: int = FORMAT
    feed: str
    partition_key: str
    partition: str
    extract_id: str
    extracted_at: dt.datetime
    """When the walk began that read it (UTC); of two equal versions, the later one wins."""
    records: int
    bytes: int
    """Size of the compressed file."""
    sha256: str
    """Of the compressed file."""
    oldest_updated_at: dt.datetime | None = None
    newest_updated_at: dt.datetime | None = None
    source: dict[str, str] = {}
    """The operation and the parameters that were asked; never the key."""
    parts: tuple[Part, ...] = ()
    """What a compacted extract was made from; empty for all others."""
    replaces: tuple[str, ...] = ()
    """The ids of the extracts that a compacted one takes the place of; compacted ones, too, and what
    these had taken the place of."""

    @property
    def origins(self) -> tuple[Part, ...]:
        """The extracts that the records are known by: the parts, or the extract itself."""
        return self.parts or (
            Part(extract_id=self.extract_id, extracted_at=self.extracted_at, records=self.records),
        )


class ListTotal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the API last said that a list holds, when that agreed with what we held.

    It lets a rebuild from raw alone be checked like a sync.
    """

    format: int = FORMAT
    feed: str
    total: int | None
    created_before: dt.datetime | None
    asked_at: dt.datetime


class Unlisted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Since when a list, read whole, lacks records that the API still gives, by their ids."""

    format: int = FORMAT
    feed: str
    since: dict[str, dt.datetime]


class NotFound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the API last answered 404 for a list that was read before, by partition.

    The list stays as it was; that it was asked for is known, so that it isn't asked for all the time.
    So it is with those in `left_out`, which a setting has us not ask for.
    """

    format: int = FORMAT
    feed: str
    asked_at: dict[str, dt.datetime]
    left_out: tuple[str, ...] = ()


class Walk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A walk of a list by `updatedAt` that was proved complete."""

    format: int = FORMAT
    walk_id: str
    feed: str
    after: dt.datetime | None
    before: dt.datetime | None
    """The window `[after, before)`; without `before` it is a tail: everything from `after` on."""
    started_at: dt.datetime
    """When its first page was answered, by the server's clock."""
    newest_updated_at: dt.datetime | None
    newest_seen_at: dt.datetime | None = None
    """For a tail: when `newest_updated_at` was first seen, by the clock of `started_at`."""
    total: int | None
    distinct: int
    proved_by: str
    walks: int
    extracts: tuple[str, ...]
