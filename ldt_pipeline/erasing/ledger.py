"""The ledger of exports: who received which entries, when, and in which file.

What belongs here: entering an export, and asking who received somebody. What doesn't: personal data
(the ledger has ids alone), and writing exports (`cli/exports.py`).

It is a store of extracts of its own, beside the raw store: an export is one extract, an id a line.

An export is entered before anything of it is handed out, so that nobody receives a person whom an
erasure doesn't know of, and marked once all of its files are in place. One without the mark may have
reached its recipient or not: it counts for whom to tell, and never alone for what somebody has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from upath import UPath

from ldt_pipeline.instants import now
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.files import write_durably
from ldt_pipeline.raw.quarantine import all_set_aside, past_damage

FEED = "exports"
NOT_NAMED = "(not named)"
"""The recipient of an export that was made without `--recipient`."""

_BATCH_RECORDS = 10_000
_NUMBER = "number"
_IN_PLACE = "in_place"
"""The folder of marks: an empty file for each export, by its id."""


def _number(manifest: Manifest) -> int:
    return int(manifest.source.get(_NUMBER, "0"))


def _in_order(ledger: RawStore) -> list[Manifest]:
    """Give the entries in the order in which they were made, wherever the clock has gone since."""
    return sorted(ledger.manifests(FEED), key=_number)


class Sent(msgspec.Struct, omit_defaults=True):
    """A participant in an export.

    Attributes:
        id: The participant.
        digest: A keyed digest of the row that the recipient has; empty where nobody will ask for
            what changed since, and where the row that they have is from an earlier export.
        bib: The bib in that row.
        in_file: Whether the row is in the file: one of changes has not all that the recipient has.
        gone: Whether the file says that the entry was withdrawn.
    """

    id: str
    digest: str = ""
    bib: str | None = None
    in_file: bool = True
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One export: who received it, when it was made (as text, UTC), and the file."""

    recipient: str
    exported_at: str
    file: str

    @property
    def sentence(self) -> str:
        """Say it to whoever has to tell the recipient."""
        return f"{self.recipient}: {self.file} of {self.exported_at}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An export as it was entered.

    Attributes:
        export_id: Its id.
        about: What is written down about it.
        sent: By participant, in the order of the list, what the recipient has by it: whom it said
            to be gone, they don't have.
    """

    export_id: str
    about: Mapping[str, str]
    sent: dict[str, Sent]


@dataclass(frozen=True, kw_only=True)
class Last:
    """The last export of a race's list of a day (empty where it was of all days), and its size."""

    race_id: str
    on: str
    participants: int


def enter(
    ledger_dir: Path,
    *,
    table: str,
    ids: Iterable[str | Sent],
    recipient: str | None,
    file: str,
    about: dict[str, str],
) -> str:
    """Enter an export before it is handed out; gives its id.

    Args:
        ledger_dir: Where the ledger lies.
        table: The table that was exported, such as start_list.
        ids: The participants in it, or more of each of them.
        recipient: Who it is for.
        file: Where it went: a path, or a word for standard output.
        about: What was asked for, such as the race.
    """
    store = RawStore(str(ledger_dir))
    earlier = past_damage(store, lambda: store.manifests(FEED))
    number = max(map(_number, earlier), default=0) + 1
    with store.writer(
        feed=FEED,
        partition_key="table",
        partition=table,
        extracted_at=now(),
        source={"recipient": recipient or NOT_NAMED, "file": file, **about, _NUMBER: str(number)},
    ) as writer:
        for each in ids:
            line = each if isinstance(each, Sent) else Sent(id=each)
            writer.append(msgspec.json.encode(line))
    return writer.commit().extract_id


def mark_in_place(ledger_dir: Path, export_id: str) -> None:
    """Note that all files of an export are in place: changes are told from what was in it."""
    write_durably(UPath(ledger_dir) / FEED / _IN_PLACE / export_id, b"")


def received(ledger_dir: Path, ids: Collection[str]) -> dict[str, list[Receipt]]:
    """Give the exports that each of these participants was in; whoever was in none is left out.

    One whose entry is damaged may have had any of them in it. The entry is set aside.
    """
    ledger = RawStore(str(ledger_dir))
    wanted = set(ids)
    if not wanted:
        return {}
    found = past_damage(ledger, lambda: _received(ledger, wanted))
    for each in all_set_aside(ledger):
        receipt = Receipt(
            recipient="(unknown)",
            exported_at="an unknown time",
            file=f"an export whose entry in the ledger was damaged ({each.extract_id})",
        )
        for record_id in wanted:
            found.setdefault(record_id, []).append(receipt)
    return found


def _received(ledger: RawStore, wanted: set[str]) -> dict[str, list[Receipt]]:
    found: dict[str, list[Receipt]] = {}
    for manifest in ledger.manifests(FEED):
        receipt = Receipt(
            recipient=manifest.source.get("recipient", NOT_NAMED),
            exported_at=f"{manifest.extracted_at:%Y-%m-%d %H:%M}",
            file=manifest.source.get("file", ""),
        )
        in_file = {each.id for each in _sent(ledger, manifest) if each.in_file}
        for record_id in wanted & in_file:
            found.setdefault(record_id, []).append(receipt)
    return found


def _sent(ledger: RawStore, manifest: Manifest) -> list[Sent]:
    """Read one export's lines."""
    # All of it before anything is believed: its checksum is known at the end.
    batches = list(ledger.read(manifest, batch_records=_BATCH_RECORDS))
    decoder = msgspec.json.Decoder(Sent)
    return [decoder.decode(line) for batch in batches for line in batch]


@dataclass(frozen=True, kw_only=True)
class InFile:
    """Who may be in a file that was exported.

    Attributes:
        ids: Whoever the last export said that it put there, and those since of which nobody knows
            whether they got there.
        ids_beside: Whoever an export said to be gone: they may be in a file beside it.
    """

    ids: set[str]
    ids_beside: set[str]


def who_is_in(ledger_dir: Path) -> dict[str, InFile]:
    """Give who may be in each file; entries that can't be read are left out, and set aside."""
    ledger = RawStore(str(ledger_dir))
    return past_damage(ledger, lambda: _who_is_in(ledger))


def _who_is_in(ledger: RawStore) -> dict[str, InFile]:
    found: dict[str, InFile] = {}
    for manifest in _in_order(ledger):
        file, sent = manifest.source.get("file", ""), _sent(ledger, manifest)
        before = found.get(file) or InFile(ids=set(), ids_beside=set())
        earlier = set[str]() if _is_in_place(ledger, manifest) else before.ids
        found[file] = InFile(
            ids={each.id for each in sent if each.in_file} | earlier,
            ids_beside={each.id for each in sent if each.gone} | before.ids_beside,
        )
    return found


def _is_in_place(ledger: RawStore, manifest: Manifest) -> bool:
    return (ledger.root / FEED / _IN_PLACE / manifest.extract_id).exists()


def last_sent(
    ledger_dir: Path,
    *,
    recipient: str | None,
    about: Mapping[str, str],
    or_on: Collection[str] = (),
) -> list[Entry]:
    """Give what a recipient may have of exports of one kind.

    Args:
        ledger_dir: Where the ledger lies.
        recipient: Who received it.
        about: What the export was of: all of it has to be the same.
        or_on: What `on` may be instead.

    Returns:
        The last export that is in place, and after it those that were begun since, of which nobody
        knows whether their files arrived. Nothing, where none is in place, or a later one is damaged.
    """
    ledger = RawStore(str(ledger_dir))
    wanted = {name: {value} for name, value in about.items()}
    wanted["recipient"] = {recipient or NOT_NAMED}
    if or_on:
        wanted["on"] = {about["on"], *or_on}
    found = past_damage(ledger, lambda: _last_sent(ledger, wanted))
    if found and any(each.extract_id > found[0].export_id for each in all_set_aside(ledger)):
        return []  # a later one is damaged: nobody knows what they have by it
    return found


def _last_sent(ledger: RawStore, wanted: Mapping[str, Collection[str]]) -> list[Entry]:
    found: list[Manifest] = []
    for manifest in reversed(_in_order(ledger)):
        if all(manifest.source.get(name) in values for name, values in wanted.items()):
            found.append(manifest)
            if _is_in_place(ledger, manifest):
                return [_entry(ledger, each) for each in reversed(found)]
    return []


def _entry(ledger: RawStore, manifest: Manifest) -> Entry:
    return Entry(
        export_id=manifest.extract_id,
        about=manifest.source,
        sent={each.id: each for each in _sent(ledger, manifest) if not each.gone},
    )


def last_of_each(ledger_dir: Path, *, recipient: str | None, made_by: str) -> list[Last]:
    """Give the last export to a recipient of each race, day and layout, in place or not.

    Args:
        ledger_dir: Where the ledger lies.
        recipient: Who it is for.
        made_by: Who made it, as it was entered.
    """
    ledger = RawStore(str(ledger_dir))
    wanted = {"recipient": recipient or NOT_NAMED, "made_by": made_by}
    found: dict[tuple[str, str, str], Last] = {}
    for manifest in past_damage(ledger, lambda: _in_order(ledger)):
        source = manifest.source
        if all(source.get(name) == value for name, value in wanted.items()):
            race_id, on = source.get("race_id", ""), source.get("on", "")
            found[race_id, on, source.get("preset", "")] = Last(
                race_id=race_id, on=on, participants=manifest.records
            )
    return list(found.values())


def receipts(ledger_dir: Path) -> list[dict[str, object]]:
    """Give every export, the oldest first, as rows of the table `exports`.

    One whose entry can't be read is left out, and set aside.
    """
    ledger = RawStore(str(ledger_dir))
    return [
        {
            "export_id": each.extract_id,
            "exported_at": each.extracted_at,
            "table_name": each.partition,
            "race_id": each.source.get("race_id"),
            "preset": each.source.get("preset"),
            "is_changes": each.source.get("kind") == "changes",
            "participants": each.records,
            "recipient": each.source.get("recipient"),
            "file": each.source.get("file"),
        }
        for each in past_damage(ledger, lambda: ledger.manifests(FEED))
    ]
