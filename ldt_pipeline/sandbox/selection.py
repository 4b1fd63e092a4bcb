"""What a caller asks of a list: which records, in which order, which page of them.

What belongs here: plain descriptions of a request for a list, and what they mean for one record.
What doesn't: reading them from a query string (`validation`) and carrying them out (`index`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

SortColumn = Literal["created", "updated"]


@dataclass(frozen=True, slots=True)
class Window:
    """Bounds on an instant, in milliseconds; None is no bound."""

    after: float | None = None
    before: float | None = None

    def holds(self, instant: int, *, inclusive: bool) -> bool:
        """Whether the instant lies inside."""
        if inclusive:
            return (self.after is None or instant >= self.after) and (
                self.before is None or instant <= self.before
            )
        return (self.after is None or instant > self.after) and (
            self.before is None or instant < self.before
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of a table: all of those for which every given condition holds.

    Attributes:
        created: Bounds on `createdAt`.
        updated: Bounds on `updatedAt`.
        scope: The race of participants or the event of applications.
        tickets: The tickets of an edition.
        search: A piece of a partner's name, case folded.
        inclusive: Whether a bound itself belongs to the window.
    """

    created: Window = Window()
    updated: Window = Window()
    scope: int | None = None
    tickets: tuple[int, ...] | None = None
    search: str | None = None
    inclusive: bool = False

    def conditions(self) -> tuple[list[str], list[Any]]:
        """The same as SQL conditions, with the values that they bind."""
        above, below = (">=", "<=") if self.inclusive else (">", "<")
        possible: tuple[tuple[str, Any], ...] = (
            ("scope = ?", self.scope),
            (f"created {above} ?", self.created.after),
            (f"created {below} ?", self.created.before),
            (f"updated {above} ?", self.updated.after),
            (f"updated {below} ?", self.updated.before),
            ("instr(search, ?) > 0", self.search),
        )
        conditions = [text for text, value in possible if value is not None]
        values = [value for _, value in possible if value is not None]
        if self.tickets is not None:
            conditions.append(f"ticket IN ({', '.join('?' * len(self.tickets))})")
            values.extend(self.tickets)
        return conditions, values

    def holds(self, row: Sequence[Any]) -> bool:
        """Whether a row that starts (number, created, updated, scope, ticket) is selected."""
        return (
            self.created.holds(row[1], inclusive=self.inclusive)
            and self.updated.holds(row[2], inclusive=self.inclusive)
            and (self.scope is None or row[3] == self.scope)
            and (self.tickets is None or row[4] in self.tickets)
        )


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: an instant, then the record's number, both in one direction.

    A caller that names no order gets the newest first: the least helpful of the likely ones, so
    that forgetting to ask shows.
    """

    column: SortColumn = "created"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an ordered list: next to the record with this key, whether or not it exists."""

    instant: int
    number: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of an ordered list: so many records after, or before, a position."""

    size: int = 100
    position: Position | None = None
    backwards: bool = False
