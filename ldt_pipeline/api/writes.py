"""Writes: each sent once, with an outcome that is certain or said to be unclear.

What belongs here: the six operations that change something at Let's Do This, and what an answer to
one of them means. What doesn't: deciding what to write, and what to do after an unclear failure
(`ldt_pipeline/allocations`).

The API has no idempotency keys, so nothing here is ever sent again. An error other than
`UnclearWriteError` means that the write had no effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ssl import SSLCertVerificationError
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from ldt_pipeline.api.answers import parse_record
from ldt_pipeline.api.catalogue import (
    CREATE_CLAIM_LINK,
    CREATE_PARTNER,
    CREATE_RESERVED_ENTRY_GROUP,
    DELETE_RESERVED_ENTRY_GROUP,
    UPDATE_PARTNER,
    UPDATE_RESERVED_ENTRY_GROUP,
    Answer,
    Operation,
)
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    ResponseFormatError,
    UnclearWriteError,
)
from ldt_pipeline.api.failures import is_unreachable

Body = Mapping[str, Any]


class ThrottledWriteError(RateLimitedError):
    """The API refused a write as one request too many: it had no effect.

    The seconds to wait are in `wait_seconds`, or None where it does not say.
    """

    def __init__(self, text: str, wait_seconds: float | None = None) -> None:
        super().__init__(text, wait_seconds)
        self.wait_seconds = wait_seconds

    def __str__(self) -> str:
        return str(self.args[0])


def create_partner(client: Client, body: Body) -> bytes:
    """Create a partner; gives its record as bytes.

    Raises:
        UnclearWriteError: It may be there or not.
        ApiError: It is not there.
    """
    return _write(client, CREATE_PARTNER, body=body)


def update_partner(
    client: Client, partner_id: str, body: Body, *, external: str | None = None
) -> bytes:
    """Set what the body names of a partner; gives its record as bytes.

    Args:
        client: The connection.
        partner_id: Its id, or its id elsewhere.
        body: Fields by the API's names.
        external: Whose id `partner_id` is: `enthuse`, `justGiving` or `londonMarathon`.

    Raises:
        UnclearWriteError: It may be changed or not.
        ApiError: It is as it was.
    """
    parameters = {"externalId": external} if external else {}
    return _write(client, UPDATE_PARTNER, record_id=partner_id, parameters=parameters, body=body)


def create_claim_link(client: Client, partner_id: str, body: Body) -> None:
    """Have a claim link made, and e-mailed where the body names an address.

    Raises:
        UnclearWriteError: The e-mail may be on its way or not; nothing can tell.
        ApiError: Nothing was sent.
    """
    _write(client, CREATE_CLAIM_LINK, record_id=partner_id, body=body)


def create_group(client: Client, event_id: str, body: Body) -> bytes:
    """Create a reserved entry group under an event; gives its record as bytes.

    Raises:
        UnclearWriteError: It may be there or not.
        ApiError: It is not there.
    """
    return _write(client, CREATE_RESERVED_ENTRY_GROUP, record_id=event_id, body=body)


def update_group(client: Client, group_id: str, body: Body) -> bytes:
    """Set what the body names of a reserved entry group; gives its record as bytes.

    Raises:
        UnclearWriteError: It may be changed or not.
        ApiError: It is as it was.
    """
    return _write(client, UPDATE_RESERVED_ENTRY_GROUP, record_id=group_id, body=body)


def delete_group(client: Client, group_id: str) -> None:
    """Delete a reserved entry group.

    Raises:
        UnclearWriteError: It may be there still or not.
        NotFoundError: It was not there.
        ApiError: It is there still.
    """
    _write(client, DELETE_RESERVED_ENTRY_GROUP, record_id=group_id)


def _write(
    client: Client,
    operation: Operation,
    *,
    record_id: str | None = None,
    parameters: Mapping[str, str] | None = None,
    body: Body | None = None,
) -> bytes:
    where = f"{operation.method} {client.describe(operation, record_id)}"
    try:
        status, content, wait_seconds = client.exchange_once(
            operation, record_id=record_id, parameters=parameters, body=body
        )
    except (requests.exceptions.RequestException, HTTPError, OSError) as failure:
        raise _broken(failure, where) from None
    _refuse_status(status, where, wait_seconds)
    try:
        if operation.answer is not Answer.RECORD:
            # Nothing of it is relied on but that it isn't a page that a proxy put in its place.
            if content.strip():
                json.loads(content)
            return content
        return parse_record(content, where=where)
    except (ResponseFormatError, ValueError, RecursionError):
        raise UnclearWriteError(
            f"{where}: the answer (status {status}, {len(content)} bytes) can't be read; it may "
            "have had its effect or not."
        ) from None


def _broken(failure: Exception, where: str) -> ApiError:
    if _is_certificate_refused(failure):
        return ConnectionFailedError(
            f"{where}: no secure connection to the API's host; nothing was sent. Check "
            "LDT_API_BASE_URL and the certificates."
        )
    if is_unreachable(failure):
        return ConnectionFailedError(
            f"{where}: the API could not be reached; nothing was sent. Check the network and "
            "LDT_API_BASE_URL, then try again."
        )
    return UnclearWriteError(
        f"{where}: the connection broke before the answer ({type(failure).__name__}); it may "
        "have had its effect or not."
    )


def _is_certificate_refused(failure: BaseException | None) -> bool:
    """Whether the host's certificate was refused: then nothing can have been sent.

    Other errors of TLS come in the middle of a connection too, after a request was taken.
    """
    while failure is not None:
        if isinstance(failure, SSLCertVerificationError):
            return True
        # requests and urllib3 hold the cause as an argument or as a `reason`, not as a cause.
        inner = (getattr(failure, "reason", None), *failure.args)
        failure = next((each for each in inner if isinstance(each, BaseException)), None)
    return False


def _refuse_status(status: int, where: str, wait_seconds: float | None) -> None:
    if 200 <= status < 300:
        return
    if status >= 500 or status == 408:
        raise UnclearWriteError(
            f"{where}: the API failed (status {status}); it may have had its effect or not."
        )
    if status in (401, 403):
        raise AuthenticationError(
            f"The API refused the key for {where} (status {status}); nothing was changed. It may "
            "be mistyped, expired, revoked, or not be allowed to write: create a new one under "
            "settings / credentials in your Let's Do This account and set LDT_API_KEY."
        )
    if status in (404, 410):
        raise NotFoundError(f"The API has nothing at {where} (status {status}).")
    if status == 429:
        raise ThrottledWriteError(
            f"The API refused {where} as one request too many (status 429); nothing was changed. "
            "Try again later.",
            wait_seconds,
        )
    raise InvalidRequestError(
        f"The API did not accept {where} (status {status}); nothing was changed. Run `ldt check` "
        "to see whether the API has changed."
    )
