"""The book of erasures: whose data has to be gone, as the raw store's erasures feed tells it.

What belongs here: reading and writing the feed, and which form of a record is stored. What doesn't:
what a form keeps (`forms.py`), and doing away with what is stored already (`erase.py`).

The feed lies in the raw store because the warehouse can be lost: it holds ids, instants and reasons,
and nothing else. It lists people, one line each; and, for retention, instants: entries of races that
started before the newest of them have lost what is personal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from ldt_pipeline.api.paging import Record, record_of
from ldt_pipeline.erasing import forms
from ldt_pipeline.instants import now
from ldt_pipeline.raw import ERASURES, Manifest, RawStore

ENTITIES = ("participants", "applications")
"""What can be erased, by the tidy table that it is in."""

PEOPLE = "people"
"""The partition of the feed that tells of people: who is erased together is entered in one file, so
that nobody of them is left out where this is killed."""

RACES = "races"
"""The partition of the feed that tells of whole races that lie long ago."""

_BATCH_RECORDS = 10_000
_NOW = dt.datetime.max.replace(tzinfo=dt.UTC)
"""Later than any erasure: what the API shows now."""


class Reason(StrEnum):
    """Why something was erased."""

    ASKED = "asked"
    """Somebody said so with `ldt erase` or the job `erase`."""
    REDACTED = "redacted"
    """The API says that the person asked to be forgotten."""
    DELETED = "deleted"
    """The API dropped the record, longer ago than deleted records are kept."""
    RETENTION = "retention"
    """The race lies longer ago than personal data is kept."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One line of the feed: a person, or (with `before` alone) all races before an instant."""

    entity: str = ""
    """What the id is one of; where it doesn't say so, an older version wrote it: the partition does."""
    id: str = ""
    event_id: str | None = None
    race_id: str | None = None
    before: dt.datetime | None = None
    reason: Reason
    erased_at: dt.datetime
    recipients: tuple[str, ...] = ()
    """Who had received an export with the person in it, and has to be told."""


@dataclass
class Book:
    """Whose records are stored in which form."""

    erased: dict[str, set[str]] = field(default_factory=lambda: {each: set() for each in ENTITIES})
    """Ids of which nothing but a stub may stay, by entity."""
    redacted: dict[str, set[str]] = field(
        default_factory=lambda: {each: set() for each in ENTITIES}
    )
    """Ids of whom the API shows a redacted record, which may stay."""
    deleted: dict[str, dict[str, dt.datetime]] = field(
        default_factory=lambda: {each: {} for each in ENTITIES}
    )
    """Ids that the API dropped, with when what was read of them until then was erased."""
    before: dt.datetime | None = None
    """Entries of races that started before this have lost what is personal."""

    @classmethod
    def read(cls, store: RawStore) -> Book:
        """Read the feed.

        Raises:
            DamagedExtractError: It can't be read: nobody knows then who must not be stored.
        """
        book = cls()
        for manifest in store.manifests(ERASURES):
            for erasure in read_erasures(store, manifest):
                book.add(erasure.entity or manifest.partition, erasure)
        return book

    def add(self, entity: str, erasure: Erasure) -> None:
        """Take a line of the feed in."""
        if erasure.before is not None:
            self.before = max(filter(None, (self.before, erasure.before)))
        elif erasure.reason is Reason.REDACTED:
            self.redacted[entity].add(erasure.id)
        elif erasure.reason is Reason.DELETED:
            last = self.deleted[entity].get(erasure.id, erasure.erased_at)
            self.deleted[entity][erasure.id] = max(last, erasure.erased_at)
        else:
            self.erased[entity].add(erasure.id)

    def knows(self, entity: str, record_id: str) -> bool:
        """Whether somebody is in the book, with a record of this kind."""
        return any(record_id in kind[entity] for kind in (self.erased, self.redacted, self.deleted))

    def ids(self, entity: str) -> list[str]:
        """Give everybody who is in the book, with a record of this kind."""
        return [*self.erased[entity], *self.redacted[entity], *self.deleted[entity]]

    def form(
        self, entity: str, record_id: str | None, body: bytes, extracted_at: dt.datetime
    ) -> bytes:
        """Give a record in the form in which it may be stored: nearly always as it is.

        Args:
            entity: What it is a record of.
            record_id: Its id, where one is known.
            body: Its bytes.
            extracted_at: When it was read from the API.
        """
        if entity not in ENTITIES:
            return body
        if record_id is not None:
            if record_id in self.erased[entity]:
                return forms.stub(body, record_id)
            gone = self.deleted[entity].get(record_id)
            if gone is not None and extracted_at <= gone:
                return forms.stub(body, record_id, is_redacted=False)
        if forms.is_redacted(body):
            return forms.redacted(body)
        if record_id is not None and record_id in self.redacted[entity]:
            return forms.stub(body, record_id)
        if self.before is not None and forms.race_starts_before(body, self.before):
            return forms.kept(body)
        return body

    def stored(self, entity: str, record: Record) -> Record:
        """Give a record that was read from the API as it may be stored.

        What it is known by in a walk (id and last change) stays; the hash is that of what is
        stored, so that what is held compares equal with what is read again.
        """
        body = self.form(entity, record.id, record.body, _NOW)
        if body is record.body or body == record.body:
            return record
        changed = record_of(body)
        return msgspec.structs.replace(
            changed, id=record.id, identity=record.identity, updated_at=record.updated_at
        )

    def form_of_line(self, entity: str, body: bytes, extracted_at: dt.datetime) -> bytes:
        """Give a line of the raw store in the form in which it may stay there."""
        record_id = forms.identity_of(body)
        if record_id is None and not forms.is_readable(body):
            named = (each for each in self.ids(entity) if forms.names_id(body, each))
            record_id = next(named, None)
        return self.form(entity, record_id, body, extracted_at)


def read_erasures(store: RawStore, manifest: Manifest) -> list[Erasure]:
    """Read one extract of the feed.

    Raises:
        DamagedExtractError: It can't be read.
    """
    # All of it before anything is believed: its checksum is known at the end.
    lines = [
        line
        for batch in store.read(manifest, batch_records=_BATCH_RECORDS)
        for line in batch
        if line
    ]
    decoder = msgspec.json.Decoder(Erasure)
    return [decoder.decode(line) for line in lines]


def write_erasures(store: RawStore, partition: str, erasures: Iterable[Erasure]) -> Manifest:
    """Enter erasures into the feed, all or none. From here on they are never stored again."""
    with store.writer(
        feed=ERASURES,
        partition_key="of",
        partition=partition,
        extracted_at=now(),
        source={},
    ) as writer:
        for each in erasures:
            writer.append(msgspec.json.encode(each))
    return writer.commit()
