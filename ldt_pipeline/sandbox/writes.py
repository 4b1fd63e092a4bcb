"""The effects of writes: from a path and a body to a changed account and the bytes of an answer.

What belongs here: which ids have to exist, what changes, and what is answered. What doesn't: the
form of a body (`bodies`), HTTP (`server`), and what goes wrong on purpose (`faults`).

Nothing tells two equal requests apart, as in the real API: a creation that is sent twice creates
twice, and a claim link that is sent twice is e-mailed twice.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ldt_pipeline.sandbox.account import SandboxAccount
from ldt_pipeline.sandbox.bodies import read_body
from ldt_pipeline.sandbox.operations import Operation
from ldt_pipeline.sandbox.problems import BadBody, NotFound
from ldt_pipeline.sandbox.validation import Query
from ldt_pipeline.sandbox.written import SentLink


class Writes:
    """Performs the writing operations on one account."""

    def __init__(self, account: SandboxAccount) -> None:
        self._account = account

    def perform(self, operation: Operation, identifier: str, query: Query, sent: bytes) -> bytes:
        """Change the account, and give the body that answers.

        Args:
            operation: What is asked for.
            identifier: The id in the path, if the path has one.
            query: The query string, understood.
            sent: The body of the request.

        Raises:
            NotFound: The id in the path is unknown.
            BadBody: The body breaks a rule, or names what doesn't exist.
        """
        body = read_body(operation.body, sent) if operation.body is not None else {}
        with self._account.lock:
            match operation.name:
                case "createPartner":
                    answer = self._account.create_partner(body)
                case "updatePartnerById":
                    partner_id = self._partner_id(identifier, query.texts.get("externalId"))
                    self._account.update_partner(partner_id, **body)
                    answer = self._account.partner(partner_id) or {}
                case "createClaimLink":
                    answer = self._send_link(identifier, body)
                case "createReservedEntryGroup":
                    answer = self._create_group(identifier, body)
                case "updateReservedEntryGroupById":
                    answer = self._update_group(identifier, body)
                case "deleteReservedEntryGroupById":
                    self._known_group(identifier)
                    self._account.delete_group(identifier)
                    answer = {}
                case name:
                    raise ValueError(f"{name} is no write")
        return msgspec.json.encode(answer)

    def _partner_id(self, identifier: str, kind: str | None) -> str:
        found = (
            self._account.find_partner(identifier, kind)
            if kind is not None
            else self._account.partner(identifier)
        )
        if found is None:
            raise NotFound(f"There is no partner {identifier}")
        return found["id"]

    def _known_group(self, identifier: str) -> dict[str, Any]:
        group = self._account.group(identifier)
        if group is None:
            raise NotFound(f"There is no reserved entry group {identifier}")
        return group

    def _send_link(self, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
        partner_id = self._partner_id(identifier, None)
        group_id = body.get("reservedEntryId")
        if group_id is not None:
            group = self._account.group(group_id)
            if group is None or group["partnerId"] != partner_id:
                raise BadBody("body.reservedEntryId", "is no group of this partner")
        self._account.sent_links.append(SentLink(partner_id, group_id, body.get("emailAddress")))
        return {}

    def _create_group(self, event_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self._check_tickets(event_id, body)
        partner_id = body.get("partnerId")
        if partner_id is not None and self._account.partner(partner_id) is None:
            raise BadBody("body.partnerId", "is no partner")
        return self._account.create_group(event_id, body)

    def _update_group(self, group_id: str, body: dict[str, Any]) -> dict[str, Any]:
        event_id = self._known_group(group_id)["eventId"]
        if "tickets" in body:
            self._check_tickets(event_id, body)
        return self._account.change_group(group_id, body)

    def _check_tickets(self, event_id: str, body: dict[str, Any]) -> None:
        tickets = self._account.tickets(event_id)
        if tickets is None:
            raise NotFound(f"There is no event {event_id}")
        known = {ticket["id"] for ticket in tickets}
        asked = [ticket["ticketId"] for ticket in body["tickets"]]
        for number, ticket_id in enumerate(asked):
            if ticket_id not in known:
                raise BadBody(f"body.tickets[{number}].ticketId", "is no ticket of this event")
        if len(set(asked)) < len(asked):
            raise BadBody("body.tickets", "names a ticket twice")
