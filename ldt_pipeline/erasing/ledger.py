"""The ledger of exports: who received which entries, when, and in which file.

What belongs here: entering an export, and asking who received somebody. What doesn't: personal data
(the ledger has ids alone), and writing exports (`cli/exports.py`).

It is a store of extracts of its own, beside the raw store: an export is one extract, an id a line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ldt_pipeline.instants import now
from ldt_pipeline.raw import RawStore

FEED = "exports"
NOT_NAMED = "(not named)"
"""The recipient of an export that was made without `--recipient`."""

_BATCH_RECORDS = 10_000


class _Line(msgspec.Struct):
    id: str


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


def enter(
    ledger_dir: Path,
    *,
    table: str,
    ids: Iterable[str],
    recipient: str | None,
    file: str,
    about: dict[str, str],
) -> None:
    """Enter an export before it is handed out.

    Args:
        ledger_dir: Where the ledger lies.
        table: The table that was exported, such as start_list.
        ids: The participants in it.
        recipient: Who it is for.
        file: Where it went: a path, or a word for standard output.
        about: What was asked for, such as the race.
    """
    writer = RawStore(str(ledger_dir)).writer(
        feed=FEED,
        partition_key="table",
        partition=table,
        extracted_at=now(),
        source={"recipient": recipient or NOT_NAMED, "file": file, **about},
    )
    try:
        for each in ids:
            writer.append(msgspec.json.encode({"id": each}))
    except BaseException as error:
        writer.abandon(error)
        raise
    writer.commit()


def received(ledger_dir: Path, ids: Collection[str]) -> dict[str, list[Receipt]]:
    """Give the exports that each of these participants was in; whoever was in none is left out."""
    ledger = RawStore(str(ledger_dir))
    wanted = set(ids)
    decoder = msgspec.json.Decoder(_Line)
    found: dict[str, list[Receipt]] = {}
    for manifest in ledger.manifests(FEED) if wanted else ():
        receipt = Receipt(
            recipient=manifest.source.get("recipient", NOT_NAMED),
            exported_at=f"{manifest.extracted_at:%Y-%m-%d %H:%M}",
            file=manifest.source.get("file", ""),
        )
        for batch in ledger.read(manifest, batch_records=_BATCH_RECORDS):
            for record_id in wanted.intersection(decoder.decode(line).id for line in batch):
                found.setdefault(record_id, []).append(receipt)
    return found
