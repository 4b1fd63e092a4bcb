"""The readings: each question that `API.md` leaves open, with the answers a server could give.

The defaults are the plainest server that fits the documentation. A misspelt reading is an error:
a test that silently ran against the default would prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin, get_type_hints

NESTED_KEYS: frozenset[str] = frozenset(
    {
        "waves",
        "fields",
        "booker",
        "originalTicketPrice",
        "bookingCodesUsed",
        "partnerMarketingOptIns",
        "tags",
        "statusDetails",
        "tracking",
        "raceDayDetails",
        "resultSubmission",
        "distances",
        "course",
        "eventLocation",
        "reservedEntryPartnerExternalIds",
        "externalIds",
        "contacts",
        "defaultMarketing",
        "specificMarketings",
        "tickets",
        "settings",
        "price",
    }
)
"""Every key whose value is an object or a list."""

EndOfList = Literal[
    "null",
    "absent",
    "empty_string",
    "false",
    "last_cursor_again",
    "next_equals_first",
    "always_new_cursor",
    "wraps_around",
]
Totals = Literal["right", "text", "missing", "null", "remaining", "of_list"]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """How this server reads the open questions."""

    end_of_list: EndOfList = "null"
    """What `next` is on the last page. `last_cursor_again`: the last record's cursor, then an
    empty page with that same cursor. `next_equals_first`: the odd form of the documented sample.
    `always_new_cursor`: empty pages for ever, each with another cursor. `wraps_around`: the list
    begins again, for ever, with cursors that were never seen before."""

    after_inclusive: bool = False
    """Whether `…[after]` includes the instant itself."""
    before_inclusive: bool = False
    """Whether `…[before]` includes the instant itself."""
    bounds_in_seconds: bool = False
    """Whether both sides are cut to whole seconds before they are compared."""
    narrows_by_change: bool = True
    """Whether `updatedAt[…]` does anything, which is documented."""
    narrows_by_creation: bool = True
    """Whether `createdAt[…]` does anything."""
    unmade: Literal["first", "nowhere"] = "first"
    """Where records without `createdAt` are: before all others, or, as SQL has it, in no window, and
    last in either order."""

    unchanged: Literal["first", "in_no_window", "nowhere"] = "first"
    """Where records without `updatedAt` are: before all others, or the same but in no window, or, as SQL
    has it, in no window, and last in either order."""

    cursors: Literal["opaque", "record_id", "offset"] = "opaque"
    """`opaque` keeps the place in the order that it was made for. `record_id` is the id of a
    record, whose place is looked up when the cursor comes back: a record that was updated since
    takes the walk along. `offset` is a JSON number: records shift when others move."""
    deleted_cursor: Literal["continue", "bad_request"] = "continue"
    """A `record_id` cursor of a record that is gone: go on from where it was, or status 400."""

    default_order: Literal["insertion", "shuffled", "random"] = "insertion"
    """The order without `sort`: `shuffled` is odd but steady, `random` is new for every request."""
    obeys_sort: bool = True
    """Whether `sort[…]` does anything; else each list comes in its default order."""
    ties: Literal["by_id", "insertion", "random"] = "by_id"
    """The order among equal sort values; `random` is new for every request."""

    total_results: Totals = "right"
    """`remaining`: only what comes after the cursor is counted. `of_list`: windows are passed over."""
    roster_totals: Totals | None = None
    """The same for the rosters (an event's applications, a race's participants), if different."""

    max_page_size: int = 500
    """A smaller cap than the documented 500 is applied without a word."""
    obeys_page_size: bool = True
    """Whether `page[size]` does anything; else each page has 100 records, or as many as the cap."""
    timestamps: Literal["z_milliseconds", "offset", "microseconds", "seconds"] = "z_milliseconds"
    """`seconds` cuts fractions off in what is sent, not in what is compared."""

    waves: Literal["objects", "titles", "strings"] = "objects"
    fields: tuple[str, str] | Literal["mapping"] = ("label", "value")
    """Keys of question and answer, such as `("question", "answer")` or `("key", "values")` (the
    latter with a list), or one object with the questions as keys."""
    tags: Literal["strings", "objects"] = "strings"
    booker: Literal["split_name", "full_name"] = "split_name"
    prices: Literal["number", "text", "bare"] = "number"
    """`bare`: the number alone, in place of an object with amount and currency."""
    tickets: Literal["id_title", "ticket_id_name"] = "id_title"
    group_tickets: Literal["objects", "strings"] = "objects"
    nested_nulls: frozenset[str] = frozenset()
    """Nested keys that are null in every record, for example `NESTED_KEYS`."""
    missing_keys: frozenset[str] = frozenset()
    """Top-level keys that no record has (`id` and `updatedAt` are always there)."""
    null_elements: bool = False
    """Whether lists inside records begin with a null."""
    numbers_as_text: bool = False
    text_as_numbers: bool = False
    """Whether text that looks like a whole number is one: ids, bibs, answers."""
    extra_keys: bool = False
    """Whether objects at all levels have keys that nobody has heard of."""
    extend_metadata_hides: bool = False
    """Whether names, race and course come only with `extendMetadata=true`."""

    pretty: bool = False
    """Whether the JSON is spread over lines."""
    gzip: bool = False
    """Whether bodies are compressed for clients that accept it."""
    chunked: bool = False
    """Whether bodies come in chunks, without Content-Length."""
    date_header: bool = True
    latency: float = 0.0
    """Seconds before an answer begins."""

    unknown_parent: Literal["not_found", "empty"] = "not_found"
    """What the lists of an event or race that nobody has heard of are."""
    missing_status: int = 404
    """The status for a record that is not, or no longer, there."""
    missing_answer: Literal["message", "null", "object", "null_data", "no_data"] = "message"
    """What comes with it; an empty answer comes with status 200 instead."""
    empty_list: Literal["list", "null", "absent"] = "list"
    """What `data` is in an answer without records; absent only where there is a `page`."""
    byte_order_mark: bool = False
    """Whether bodies begin with one."""
    strict_params: bool = False
    """Status 400 on a parameter that is not listed for the operation."""
    roster_windows: bool = True
    """Whether rosters take windows, as the other lists do; status 400 if not."""
    encoded_brackets_only: bool = False
    """Status 400 on brackets that are not percent-encoded."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            if get_origin(hints[field.name]) is Literal:
                allowed = get_args(hints[field.name])
                value = getattr(self, field.name)
                if value not in allowed:
                    raise ValueError(f"{field.name}={value!r} is none of {', '.join(allowed)}.")
