"""What a request that failed means, as an error with a sentence, and whether it may pass by itself.

What belongs here: statuses, and what breaks on the way. What doesn't: sending, and sending again
(`client.py`), and writes, of which it matters most whether they had their effect (`writes.py`).
"""

from __future__ import annotations

from typing import cast

import requests
from urllib3.exceptions import NewConnectionError

from ldt_pipeline.api.errors import (
    ApiError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    ResponseFormatError,
    ResponseTooLargeError,
    ServerError,
)
from ldt_pipeline.api.keys import refused_key
from ldt_pipeline.api.limits import ANSWER_BYTES_MOST
from ldt_pipeline.api.retrying import RETRIED_STATUSES


def error_of_answer(status: int, size: int, where: str, *, of_one: bool) -> ApiError | None:
    """Give what is wrong with an answer to a GET, by its status and its bytes; None where nothing is.

    `of_one` says that it was asked about one record, event or race, which may not be there.
    """
    error = _error_of_status(status, where, of_one=of_one)
    if error is not None or size <= ANSWER_BYTES_MOST:
        return error
    return ResponseTooLargeError(
        f"GET {where} gave more than {ANSWER_BYTES_MOST // 1024**2} MB, once unpacked, which no "
        "list of this API should: it was not read to its end, and nothing of it was stored. Check "
        "LDT_API_BASE_URL, and tell your contact at Let's Do This."
    )


def _error_of_status(status: int, where: str, *, of_one: bool) -> ApiError | None:
    if status == requests.codes.ok:
        return None
    if status in (401, 403):
        return refused_key(where, status)
    if status in (404, 410):
        # A list of the whole account is always there, if only as an empty one.
        advice = "" if of_one else " Check LDT_API_BASE_URL: this list exists for every account."
        return NotFoundError(f"The API has nothing at GET {where} (status {status}).{advice}")
    if status == requests.codes.too_many_requests:
        return RateLimitedError(
            f"The API kept refusing GET {where} as one request too many (status 429). "
            "Lower LDT_MAX_CONCURRENCY, or try again later."
        )
    if status in RETRIED_STATUSES:
        return ServerError(
            f"The API kept failing at GET {where} (status {status}). Try again later; if it "
            "goes on, tell your contact at Let's Do This."
        )
    if 300 <= status < 400:
        return InvalidRequestError(
            f"GET {where} was redirected (status {status}), which is not followed, so that the "
            "key reaches no other host. Check LDT_API_BASE_URL."
        )
    return InvalidRequestError(
        f"The API did not accept GET {where} (status {status}). Run `ldt check` to see whether "
        "the API has changed."
    )


def is_worth_retrying(error: ApiError) -> bool:
    """Whether the same request may fare better a little later."""
    kinds = RateLimitedError | ServerError | ConnectionFailedError | ResponseFormatError
    return isinstance(error, kinds) and not isinstance(error, ResponseTooLargeError)


def is_unreachable(failure: BaseException | None) -> bool:
    """Whether no connection was made: then nothing can have been sent."""
    while failure is not None:
        if isinstance(failure, NewConnectionError):
            return True
        reason = getattr(failure, "reason", None)
        failure = (
            failure.__cause__
            or failure.__context__
            or (reason if isinstance(reason, BaseException) else None)
        )
    return False


def cause_of(failure: Exception) -> str:
    """Name what broke, without its text: that may repeat a whole URL or body."""
    inner = failure
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = cast("Exception", inner.__cause__ or inner.__context__)
    names = dict.fromkeys((type(failure).__name__, type(inner).__name__))
    return ", ".join(names)
