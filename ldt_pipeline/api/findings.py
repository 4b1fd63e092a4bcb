"""Findings of the contract check, collected: what several operations share is told once.

What belongs here: merging and wording. What doesn't: finding (`contract.py`, `contract_records.py`).
"""

from __future__ import annotations

from typing import Literal

from ldt_pipeline.api.catalogue import Operation

Severity = Literal["error", "warning", "info"]

CATALOGUE = "ldt_pipeline/api/catalogue.py"

_GRAVEST_FIRST: tuple[Severity, ...] = ("error", "warning", "info")
_NAMED_MOST = 3


class Findings:
    """Collects findings; the same one at several operations becomes one."""

    def __init__(self) -> None:
        self._places: dict[tuple[Severity, str, str], list[str]] = {}

    def add(self, severity: Severity, operation: Operation, what: str, advice: str) -> None:
        """Note what is different about an operation of the catalogue."""
        self.add_at(severity, f"{operation.method} {operation.path}", what, advice)

    def add_general(self, severity: Severity, what: str, advice: str) -> None:
        """Note what is different about the document as a whole."""
        self.add_at(severity, "The document", what, advice)

    def add_at(self, severity: Severity, place: str, what: str, advice: str) -> None:
        """Note what is different at a place."""
        places = self._places.setdefault((severity, what, advice), [])
        if place not in places:
            places.append(place)

    def merged(self) -> list[tuple[Severity, str, str]]:
        """Give severity, place and sentence of each, gravest first."""
        return [
            (severity, _together(places), _sentence(f"{_together(places)} {what}; {advice}."))
            for wanted in _GRAVEST_FIRST
            for (severity, what, advice), places in self._places.items()
            if severity == wanted
        ]


def _together(places: list[str]) -> str:
    if len(places) <= _NAMED_MOST:
        return ", ".join(places)
    return f"{', '.join(places[:_NAMED_MOST])} and {len(places) - _NAMED_MOST} more"


def _sentence(text: str) -> str:
    """Give it as one line: names come from a document that is not ours."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
