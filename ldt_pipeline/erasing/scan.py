"""The raw store, looked through for what may not be in it any longer, and rewritten without it.

What belongs here: reading and rewriting extracts, a batch of lines at a time. What doesn't: whose
records they are and what stays of them (`book.py`, `forms.py`).

A rewritten extract has as many lines as it had, each in its place: a version is known by its
extract and line. It replaces the old extract when its manifest is there; until then the old one
counts, and at no moment neither does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ldt_pipeline.erasing import forms
from ldt_pipeline.erasing.book import ENTITIES, Book
from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.raw import Manifest, RawStore

_BATCH_RECORDS = 2_000


@dataclass(kw_only=True)
class Found:
    """What is to be rewritten: the extracts, how many records in them, and what these told.

    `ids` are of whom there was anything, and `texts` all that was personal in it, by entity. For
    entries of races that lie long ago neither is collected: there may be a million of them.
    """

    manifests: list[Manifest] = field(default_factory=list[Manifest])
    records: int = 0
    ids: dict[str, set[str]] = field(default_factory=lambda: {each: set() for each in ENTITIES})
    texts: set[str] = field(default_factory=set[str])


def look_through(
    store: RawStore, book: Book, *, progress: Callable[[int], None] | None = None
) -> Found:
    """Read every extract of entries, and tell which hold more than they may.

    Raises:
        DamagedExtractError: One can't be read, and may hold what has to go.
    """
    found = Found()
    for manifest in store.manifests():
        feed = FEEDS.get(manifest.feed)
        if feed is None or feed.entity not in ENTITIES:
            continue
        before = found.records
        for origin, _, lines in store.read_parts(manifest, batch_records=_BATCH_RECORDS):
            for line in filter(None, lines):
                form = book.form_of_line(feed.entity, line, origin.extracted_at)
                if form != line:
                    _note(line, form, feed.entity, book, found)
            if progress:
                progress(len(lines))
        if found.records > before:
            found.manifests.append(manifest)
    return found


def rewrite(store: RawStore, book: Book, manifest: Manifest) -> Manifest:
    """Rewrite one extract; from here on it takes the place of the old one.

    Raises:
        DamagedExtractError: It can't be read.
    """
    entity = FEEDS[manifest.feed].entity
    with store.rewriter(manifest) as writer:
        for origin, _, lines in store.read_parts(manifest, batch_records=_BATCH_RECORDS):
            for line in lines:
                at = origin.extracted_at
                writer.append(book.form_of_line(entity, line, at) if line else line)
    return writer.commit()


def _note(line: bytes, form: bytes, entity: str, book: Book, found: Found) -> None:
    found.records += 1
    record_id = forms.identity_of(form)
    if record_id is not None and (book.knows(entity, record_id) or forms.is_redacted(form)):
        found.ids[entity].add(record_id)
        found.texts |= forms.personal_texts(line, form)
