"""The operations, from `API.md`: which path does what, with which parameters.

Each takes a request and gives a status and a JSON value; `server.py` knows about HTTP.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from ldt_pipeline_tests.other_api.dataset import Dataset, Record
from ldt_pipeline_tests.other_api.paging import BadRequestError, Pager
from ldt_pipeline_tests.other_api.readings import Readings
from ldt_pipeline_tests.other_api.shapes import render

LIST_PARAMS = frozenset(
    {
        *(f"{field}[{end}]" for field in ("createdAt", "updatedAt") for end in ("after", "before")),
        *(f"page[{name}]" for name in ("size", "after", "before")),
        "sort[updatedAt]",
        "sort[createdAt]",
    }
)
EXTEND = frozenset({"extendMetadata"})
EXTERNAL = frozenset({"externalId"})
EXTERNAL_KINDS = frozenset({"enthuse", "justGiving", "londonMarathon"})


class NotFoundError(Exception):
    """There is no such record, or no such path."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an operation gets to see."""

    record_id: str
    query: Mapping[str, str]
    body: Mapping[str, Any]


Answer = Callable[[Request], Any]


class Operations:
    """Every operation of the API over one dataset."""

    def __init__(self, dataset: Dataset, readings: Readings) -> None:
        self._dataset = dataset
        self._readings = readings
        self._pager = Pager(dataset, readings)
        none: frozenset[str] = frozenset()
        self._routes: list[tuple[str, re.Pattern[str], frozenset[str], Answer]] = [
            (method, re.compile(path.replace("{id}", "(?P<id>[^/]+)")), params, answer)
            for method, path, params, answer in (
                ("GET", "/applications", LIST_PARAMS | EXTEND, self._list("applications")),
                ("GET", "/applications/{id}", EXTEND, self._one("applications")),
                ("GET", "/events/{id}/applications", LIST_PARAMS | EXTEND, self._event_roster),
                ("GET", "/participants", LIST_PARAMS | EXTEND, self._list("participants")),
                ("GET", "/participants/{id}", EXTEND, self._one("participants")),
                (
                    "GET",
                    "/races/{id}/participants",
                    LIST_PARAMS | EXTEND | {"eventOccurrenceId"},
                    self._race_roster,
                ),
                (
                    "GET",
                    "/partners/{id}",
                    EXTERNAL,
                    lambda request: self._show(self._partner(request)),
                ),
                ("PATCH", "/partners/{id}", EXTERNAL, self._update_partner),
                ("GET", "/partners", LIST_PARAMS | {"search"}, self._list("partners")),
                ("POST", "/partners", none, self._create_partner),
                ("POST", "/partners/{id}/claim-link", none, self._create_claim_link),
                ("GET", "/reserved-entries/{id}", none, self._one("reserved_entries")),
                ("PATCH", "/reserved-entries/{id}", none, self._update_group),
                ("DELETE", "/reserved-entries/{id}", none, self._delete_group),
                ("GET", "/events/{id}/reserved-entries", none, self._of_event("reserved_entries")),
                ("POST", "/events/{id}/reserved-entries", none, self._create_group),
                ("GET", "/events/{id}/tickets", none, self._of_event("tickets")),
            )
        ]

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]
    ) -> Any:
        """Give the JSON value of a good answer.

        Raises:
            NotFoundError: The path or the record is not there.
            BadRequestError: The request makes no sense.
        """
        for known, pattern, params, answer in self._routes:
            if known == method and (match := pattern.fullmatch(path)):
                unknown = set(query) - params
                if unknown and self._readings.strict_params:
                    raise BadRequestError(f"Unknown parameters: {', '.join(sorted(unknown))}.")
                record_id = unquote(match.groupdict().get("id", ""))
                return answer(Request(record_id=record_id, query=query, body=body))
        raise NotFoundError(f"{method} {path} is not there.")

    def _show(self, record: Record, query: Mapping[str, str] | None = None) -> Any:
        extended = (query or {}).get("extendMetadata") == "true"
        return render(record, readings=self._readings, extended=extended)

    def _envelope(self, records: list[Record], request: Request, about: Any = None) -> Any:
        shown: dict[str, Any] = {"data": [self._show(record, request.query) for record in records]}
        if not records and self._readings.empty_list == "null":
            shown["data"] = None
        if about is not None:
            shown["page"] = about
            if not records and self._readings.empty_list == "absent":
                del shown["data"]
        if self._readings.extra_keys:
            shown["meta"] = {"requestId": str(uuid.uuid4())}
        return shown

    def _list(self, collection: str) -> Answer:
        def answer(request: Request) -> Any:
            text = request.query.get("search", "").casefold() if collection == "partners" else ""
            page = self._pager.page(
                collection,
                request.query,
                belongs=(lambda record: text in str(record.get("name")).casefold())
                if text
                else None,
                belongs_key=text,
            )
            return self._envelope(page.records, request, page.about)

        return answer

    def _check_windows(self, request: Request) -> None:
        if not self._readings.roster_windows and any(
            "At[" in name for name in request.query if "sort" not in name
        ):
            raise BadRequestError("No windows here.")

    def _event_roster(self, request: Request) -> Any:
        self._check_windows(request)
        event_id = request.record_id
        self._check_parent(known=self._dataset.knows_event(event_id))
        page = self._pager.page(
            "applications",
            request.query,
            belongs=lambda record: str(record.get("eventId")) == event_id,
            belongs_key=f"event {event_id}",
            totals=self._readings.roster_totals,
        )
        return self._envelope(page.records, request, page.about)

    def _race_roster(self, request: Request) -> Any:
        self._check_windows(request)
        race_id, occurrence = request.record_id, request.query.get("eventOccurrenceId")
        self._check_parent(known=self._dataset.knows_race(race_id))
        page = self._pager.page(
            "participants",
            request.query,
            belongs=lambda record: (
                str(record.get("raceId")) == race_id
                and (not occurrence or str(record.get("eventOccurrenceId")) == occurrence)
            ),
            belongs_key=f"race {race_id} {occurrence}",
            totals=self._readings.roster_totals,
        )
        return self._envelope(page.records, request, page.about)

    def _of_event(self, collection: str) -> Answer:
        def answer(request: Request) -> Any:
            self._check_parent(known=self._dataset.knows_event(request.record_id))
            records = self._dataset.live(collection)
            return self._envelope(
                [record for record in records if str(record.get("eventId")) == request.record_id],
                request,
            )

        return answer

    def _check_parent(self, *, known: bool) -> None:
        if not known and self._readings.unknown_parent == "not_found":
            raise NotFoundError("There is no such event or race.")

    def _one(self, collection: str) -> Answer:
        return lambda request: self._show(
            self._existing(collection, request.record_id), request.query
        )

    def _existing(self, collection: str, record_id: str) -> Record:
        record = self._dataset.get(collection, record_id)
        if record is None:
            raise NotFoundError("There is no such record.")
        return record

    def _partner(self, request: Request) -> Record:
        kind = request.query.get("externalId")
        if not kind:
            return self._existing("partners", request.record_id)
        if kind not in EXTERNAL_KINDS:
            raise BadRequestError("externalId is none of the known kinds.")
        for record in self._dataset.live("partners"):
            if (record.get("externalIds") or {}).get(kind) == request.record_id:
                return record
        raise NotFoundError("There is no such partner.")

    def _update_partner(self, request: Request) -> Any:
        allowed = {
            "name",
            "description",
            "externalIds",
            "defaultMarketing",
            "specificMarketings",
            "canCreateSubPartners",
        }
        changes = {key: value for key, value in request.body.items() if key in allowed}
        _check_name(changes)
        partner_id = self._partner(request)["id"]
        return self._show(self._dataset.touch("partners", partner_id, **changes))

    def _create_partner(self, request: Request) -> Any:
        _require(request.body, "name", "contacts")
        now = datetime.now(UTC)
        defaults = {
            "description": "",
            "type": "CHARITY",
            "externalIds": {},
            "defaultMarketing": None,
            "specificMarketings": [],
            "canCreateSubPartners": False,
        }
        record = {"id": f"p_{uuid.uuid4().hex[:11]}", **defaults, **request.body}
        return self._show(
            self._dataset.put("partners", record | {"createdAt": now, "updatedAt": now})
        )

    def _create_claim_link(self, request: Request) -> Any:
        self._existing("partners", request.record_id)
        if group_id := request.body.get("reservedEntryId"):
            self._existing("reserved_entries", group_id)
        return {"claimLink": f"https://claim.example/{uuid.uuid4().hex}"}

    def _update_group(self, request: Request) -> Any:
        allowed = {"settings", "name", "maxCapacity", "tickets", "description"}
        changes = {key: value for key, value in request.body.items() if key in allowed}
        _check_name(changes)
        self._existing("reserved_entries", request.record_id)
        return self._show(self._dataset.touch("reserved_entries", request.record_id, **changes))

    def _delete_group(self, request: Request) -> Any:
        self._existing("reserved_entries", request.record_id)
        self._dataset.delete("reserved_entries", request.record_id)
        return {}

    def _create_group(self, request: Request) -> Any:
        _require(request.body, "name", "maxCapacity", "tickets", "type")
        self._check_parent(known=self._dataset.knows_event(request.record_id))
        defaults = {"description": "", "partnerId": None, "settings": {}, "usedCapacity": 0}
        record = {
            "id": f"re_{uuid.uuid4().hex[:11]}",
            **defaults,
            **request.body,
            "eventId": request.record_id,
        }
        return self._show(self._dataset.put("reserved_entries", record))


def _require(body: Mapping[str, Any], *keys: str) -> None:
    missing = [key for key in keys if body.get(key) in (None, "", [])]
    if missing:
        raise BadRequestError(f"Missing: {', '.join(missing)}.")
    _check_name(body)


def _check_name(body: Mapping[str, Any]) -> None:
    if "name" in body and not re.match(r"^(\S).+$", str(body["name"])):
        raise BadRequestError("name does not match its pattern.")
