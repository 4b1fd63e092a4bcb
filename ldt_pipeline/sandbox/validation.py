"""Reading a query string against the operation's table, strictly.

What belongs here: turning the pairs of a query string into values, refusing everything that the
operation doesn't list. What doesn't: which parameters there are (`operations`), and whether a
cursor or an id exists (`answers`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ldt_pipeline.sandbox.instants import parse_instant
from ldt_pipeline.sandbox.operations import (
    LARGEST_PAGE,
    SMALLEST_PAGE,
    USUAL_PAGE,
    Operation,
    Parameter,
)
from ldt_pipeline.sandbox.problems import BadParameter
from ldt_pipeline.sandbox.selection import Order, Window

_LONGEST_VALUE = 2_000


@dataclass(slots=True)
class Query:
    """A query string that was understood."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    instants: dict[str, float] = field(default_factory=dict[str, float])
    size: int = USUAL_PAGE
    order: Order = Order()  # noqa: RUF009 - frozen
    extended: bool = False

    def window(self, name: str) -> Window:
        """The bounds that were given for `createdAt` or `updatedAt`."""
        return Window(self.instants.get(f"{name}[after]"), self.instants.get(f"{name}[before]"))


def read_query(operation: Operation, pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the query string of a request.

    Args:
        operation: What is asked for.
        pairs: The names and values, decoded, in the order sent.

    Returns:
        The values by meaning.

    Raises:
        BadParameter: Something is unknown, repeated, malformed or contradictory.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    query = Query()
    for name, value in pairs:
        parameter = known.get(name)
        if parameter is None:
            raise BadParameter(name, "is not a parameter of this operation")
        if name in query.texts:
            raise BadParameter(name, "is given more than once")
        if len(value) > _LONGEST_VALUE:
            raise BadParameter(name, "is too long")
        query.texts[name] = value
        _read_value(query, parameter, value)
    if "page[after]" in query.texts and "page[before]" in query.texts:
        raise BadParameter("page[before]", "can't be combined with page[after]")
    if "sort[updatedAt]" in query.texts and "sort[createdAt]" in query.texts:
        raise BadParameter("sort[createdAt]", "can't be combined with sort[updatedAt]")
    return query


def _read_value(query: Query, parameter: Parameter, value: str) -> None:
    name = parameter.name
    match parameter.kind:
        case "instant":
            try:
                query.instants[name] = parse_instant(value)
            except ValueError:
                raise BadParameter(name, "must be a date-time such as "
                                   f"{parameter.example}") from None  # fmt: skip
        case "size":
            if not (value.isascii() and value.isdigit()):
                raise BadParameter(name, "must be a whole number")
            if not SMALLEST_PAGE <= int(value) <= LARGEST_PAGE:
                raise BadParameter(name, f"must lie between {SMALLEST_PAGE} and {LARGEST_PAGE}")
            query.size = int(value)
        case "direction":
            if value not in parameter.choices:
                raise BadParameter(name, "must be 1 or -1")
            column = "updated" if name == "sort[updatedAt]" else "created"
            query.order = Order(column, descending=value == "-1")
        case "flag":
            if value not in ("true", "false"):
                raise BadParameter(name, "must be true or false")
            query.extended = value == "true"
        case "choice":
            if value not in parameter.choices:
                raise BadParameter(name, f"must be one of {', '.join(parameter.choices)}")
        case "cursor" | "text":
            pass
