"""The same as a CSV, for people who live in spreadsheets: one row for each group or partner.

What belongs here: columns, and rows to the form that the YAML has and back. What doesn't: what is
allowed in that form (`checking.py`).

A row with an `event` and a `group` is a group; with an `event` alone it says that the partner has no
groups there; without an `event` it is a partner. Cells of several values are separated by `;`, and
cells of the API's own keys hold JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldt_pipeline.allocations.nodes import AllocationsFileError, Node, Place, node_of, text_of

_LISTS = ("claim_links", "tickets")
_JSON = ("contacts", "event_marketing", "external_ids", "marketing", "settings")
_PARTNER = (
    "name",
    "external_ids",
    "contacts",
    "marketing",
    "event_marketing",
    "sub_partners",
)
_GROUP = ("group_id", "group", "capacity", "tickets", "settings")
COLUMNS = ("event", "partner", *_GROUP, "type", "description", "claim_links", *_PARTNER)
"""The columns, in the order of an export; any of them may be left out."""

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(f"sep=([{_SEPARATORS}])\r?", re.IGNORECASE)
_DIGITS = re.compile(r"-?[0-9]+")
_DIGITS_MOST = 25
_ORGANISER = "(organiser)"
_RENAMED = {"name": "group", "id": "group_id"}
_KEYS = {column: key for key, column in _RENAMED.items()}
_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula: it gets an apostrophe, which is taken away in reading."""


def read_csv(path: Path) -> tuple[Node, list[str]]:
    """Read a CSV file, separated by commas, semicolons or tabs, as the nodes of a YAML file.

    A first line such as `sep=;`, which tells Excel what separates cells, tells us as well.

    Returns:
        The nodes of the rows that can be understood, and a sentence, with its place, for each other one.

    Raises:
        AllocationsFileError: The file can't be read, or a column is unknown.
    """
    text = text_of(path)
    first = text.split("\n", 1)[0]
    told = _SEPARATOR_LINE.fullmatch(first)
    delimiter = told[1] if told else max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    top = _Top(path.name)
    wrong: list[str] = []
    try:
        if told:
            next(reader)
        place = Place(path.name, reader.line_num + 1)
        header = _without_blanks_at_end([name.strip() for name in next(reader, list[str]())])
        _check_header(header, place)
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                try:
                    top.add(header, cells, Place(path.name, line))
                except AllocationsFileError as error:
                    wrong.append(str(error))
            line = reader.line_num + 1
    except csv.Error as error:
        wrong.append(f"{path.name}:{reader.line_num}: is no CSV: {error}.")
    return top.node(), wrong


def _without_blanks_at_end(cells: list[str]) -> list[str]:
    """Give the cells up to the last one that isn't blank: a spreadsheet writes columns that were emptied."""
    last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return cells[:last]


def _check_header(header: list[str], place: Place) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) < len(header) or "partner" not in header:
        what = "a column is missing or stands twice"
        if unknown:
            what = f"`{unknown[0]}` is not known" if unknown[0] else "a column without a name"
        raise AllocationsFileError(
            f"{place}: {what} in the heading; allowed are {', '.join(COLUMNS)}, and `partner` has "
            "to be there."
        )


class _Top:
    """The nodes of a file, growing row by row."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._partners: list[Node] = []
        self._events: dict[str, Node] = {}
        self._allocations: dict[tuple[str, str], Node] = {}

    def add(self, header: list[str], cells: list[str], place: Place) -> None:
        if len(_without_blanks_at_end(cells)) > len(header):
            raise AllocationsFileError(f"{place}: the row has more cells than the heading.")
        row = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
        if "event" not in row:
            self._partners.append(_partner(row, place))
            return
        event, partner = row.pop("event").strip(), row.pop("partner", "").strip()
        if not partner:
            raise AllocationsFileError(
                f"{place}: the row needs a `partner`; {_ORGANISER} stands for the organiser's own."
            )
        if event not in self._events:
            members = {"event": Node(place, event, event), "allocations": Node(place, [])}
            self._events[event] = Node(place, members)
        if (event, partner) not in self._allocations:
            reference = None if partner == _ORGANISER else partner
            allocation = Node(
                place, {"partner": Node(place, reference, partner), "groups": Node(place, [])}
            )
            self._allocations[event, partner] = allocation
            self._events[event].members["allocations"].items.append(allocation)
        if row:
            self._allocations[event, partner].members["groups"].items.append(_group(row, place))

    def node(self) -> Node:
        place = Place(self._file, 1)
        members: dict[str, Node] = {}
        if self._partners:
            members["partners"] = Node(place, self._partners)
        if self._events:
            members["events"] = Node(place, list(self._events.values()))
        return Node(place, members)


def _partner(row: Mapping[str, str], place: Place) -> Node:
    for name in row:
        if name in _GROUP:
            raise AllocationsFileError(f"{place}: `{name}` needs an `event` in the same row.")
    return Node(place, {name: _cell(name, cell, place) for name, cell in row.items()})


def _group(row: Mapping[str, str], place: Place) -> Node:
    for name in row:
        if name in _PARTNER:
            raise AllocationsFileError(f"{place}: `{name}` is for rows without an `event`.")
    return Node(
        place, {_KEYS.get(name, name): _cell(name, cell, place) for name, cell in row.items()}
    )


def _cell(name: str, cell: str, place: Place) -> Node:
    if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA):
        cell = cell[1:]
    text = cell.strip()
    if name in _JSON or (name == "tickets" and text.startswith("[")):
        return _json(name, text, place)
    if name in _LISTS:
        return node_of([each.strip() for each in text.split(";") if each.strip()], place)
    if name == "capacity" and _DIGITS.fullmatch(text):
        number = int(text[:_DIGITS_MOST])  # more of them are too many places anyway
        return Node(place, number, str(number))
    if name == "sub_partners" and text.lower() in ("true", "false"):
        return Node(place, text.lower() == "true", text)
    return Node(place, cell if name in ("description", "name", "group") else text, text)


def _json(name: str, text: str, place: Place) -> Node:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise AllocationsFileError(f"{place}: `{key}` stands in `{name}` twice.")
        return members

    try:
        value = json.loads(text, object_pairs_hook=once)
    except AllocationsFileError:
        raise
    except (ValueError, RecursionError):
        raise AllocationsFileError(f"{place}: `{name}` must be JSON.") from None
    return node_of(value, place)


def csv_text(document: Mapping[str, Any]) -> str:
    """Give the CSV that says the same as a YAML file's content."""
    rows: list[dict[str, Any]] = list(document.get("partners", []))
    for event in document.get("events", []):
        for allocation in event["allocations"]:
            start: dict[str, Any] = {
                "event": event["event"],
                "partner": allocation["partner"] or _ORGANISER,
            }
            groups: list[dict[str, Any]] = allocation["groups"]
            for group in groups:
                rows.append({**start, **{_RENAMED.get(k, k): v for k, v in group.items()}})
            if not groups:
                rows.append(start)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_written(name, row[name]) if name in row else "" for name in COLUMNS])
    return buffer.getvalue()


def _written(name: str, value: Any) -> str:
    if name in _LISTS and all(isinstance(each, str) for each in value):
        return ";".join(value)
    if name in (*_JSON, *_LISTS):
        return json.dumps(value, ensure_ascii=False)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # One that begins with an apostrophe before it gets a second, as reading takes one away.
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text
