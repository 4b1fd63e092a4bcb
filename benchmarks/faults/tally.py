"""What a scenario found, and the table of it.

What belongs here: counting, adding and printing. What doesn't: finding (the scenarios).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec


@dataclass(kw_only=True)
class Tally:
    """The figures of some runs of one scenario.

    `faults` counts what happened to them by kind, `kept` the runs that failed with a sentence and
    left the previous publication as it was, `disagreements` says each thing that must not be.
    """

    scenario: str
    mode: str
    runs: int = 0
    kept: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter[str])
    notes: Counter[str] = field(default_factory=Counter[str])
    disagreements: list[str] = field(default_factory=list[str])

    def add(self, other: Tally) -> None:
        """Add the figures of more runs."""
        self.runs += other.runs
        self.kept += other.kept
        self.seconds += other.seconds
        self.faults += other.faults
        self.notes += other.notes
        self.disagreements += other.disagreements

    def write(self, path: Path) -> None:
        """Keep it in a file, which is there whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".tmp")
        building.write_bytes(msgspec.json.encode(self))
        building.replace(path)

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Read one that was kept.

        Raises:
            msgspec.ValidationError: The file holds something else.
        """
        # The only type here that msgspec doesn't know is Counter.
        return msgspec.json.decode(
            path.read_bytes(), type=cls, dec_hook=lambda _, value: Counter(value)
        )

    def note_failure(self, sentence: str) -> None:
        """Count why a sync failed, by its sentence without the numbers in it."""
        self.notes[re.sub(r"\d+", "…", sentence.strip().removeprefix("Error: "))[:160]] += 1

    def note_erasure(self) -> None:
        """Count a sync that failed after it had erased whom the API had redacted."""
        self.notes["a failed sync that had erased somebody, and nothing else"] += 1

    def object_to(self, where: str, offences: Iterable[str]) -> bool:
        """Note what must not be, and say it at once; tells whether there was any."""
        found = [f"{where}: {offence}" for offence in offences]
        for each in found:
            print(f"    {each}", flush=True)
        self.disagreements += found
        return bool(found)


def table(tallies: Iterable[Tally]) -> str:
    """Write the table that the bench ends with."""
    rows = [
        ("scenario", "how", "runs", "faults met", "failed, previous kept", "disagreements", "time"),
        *(
            (
                each.scenario,
                each.mode,
                f"{each.runs:,}",
                f"{each.faults.total():,}",
                f"{each.kept:,}",
                f"{len(each.disagreements):,}",
                f"{each.seconds / 60:.1f} min",
            )
            for each in tallies
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
