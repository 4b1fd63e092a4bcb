"""Page cursors, in either of two styles, and the envelope around a page.

What belongs here: turning the place of a record into a cursor and back. What doesn't: finding the
records (`index`). An opaque cursor carries the whole place, so nothing that happens to the record
moves the walk. A cursor that is a record's id means "wherever that record is now": when the record
changes in the middle of a walk, the walk jumps with it, and when it is deleted, the walk is lost.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import msgspec

from ldt_pipeline.sandbox.problems import BadParameter
from ldt_pipeline.sandbox.selection import Order, Position

CursorStyle = Literal["opaque", "record_id"]
ListEnd = Literal["null", "absent", "empty", "again"]


class _Place(msgspec.Struct, array_like=True):
    """What an opaque cursor holds."""

    column: Literal["created", "updated"]
    descending: bool
    # What SQLite can compare with: anything beyond was never a cursor of ours.
    instant: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


def opaque_cursor(order: Order, position: Position) -> str:
    """A cursor that says where it is, to those who know how to read it."""
    place = _Place(order.column, order.descending, position.instant, position.number)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_opaque_cursor(name: str, cursor: str, order: Order) -> Position:
    """The place that an opaque cursor stands for.

    Args:
        name: The parameter that held it, for the message.
        cursor: The cursor.
        order: The order of the list that it is used on.

    Raises:
        BadParameter: It is no cursor of ours, or one of a list in another order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=_Place
        )
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise BadParameter(name, "is not a known cursor") from None
    if (place.column, place.descending) != (order.column, order.descending):
        raise BadParameter(name, "belongs to a list in another order")
    return Position(place.instant, place.number)


def page_object(
    *,
    total: int,
    cursors: tuple[str, str] | None,
    earlier: bool,
    later: bool,
    used: str | None,
    list_end: ListEnd,
) -> dict[str, Any]:
    """The `page` of an answer.

    Args:
        total: How many records the list holds over all pages.
        cursors: Those of the page's first and last record; None on an empty page.
        earlier: Whether there are records before the page.
        later: Whether there are records after it.
        used: The cursor that the caller sent.
        list_end: What `next` is when nothing follows: null, left out, an empty text, or the last
            cursor again, which leads to an empty page.
    """
    first, last = cursors or (None, None)
    page: dict[str, Any] = {
        "totalResults": total,
        "first": first,
        "last": last,
        "prev": first if earlier else None,
        "next": last if later else None,
    }
    if not later:
        match list_end:
            case "absent":
                del page["next"]
            case "empty":
                page["next"] = ""
            case "again":
                page["next"] = last or used
            case "null":
                pass
    return page
