"""One request at a time: connection, key, retries, typed errors.

What belongs here: everything between an operation of the catalogue and the bytes of its answer.
What doesn't: following cursors (`paging.py`), reading an answer's envelope (`answers.py`), and
anything that is written to disk.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from ldt_pipeline.api.answers import Page, parse_found, parse_list, parse_page
from ldt_pipeline.api.catalogue import Answer, Operation
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
from ldt_pipeline.api.keys import expiry_of, refuse_expired, refused_key
from ldt_pipeline.api.limits import ANSWER_BYTES_MOST, ID_CHARACTERS_MOST
from ldt_pipeline.api.retrying import RETRIED_STATUSES, patience, wait_asked_for

_logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 120.0
_UNREACHABLE_RETRIES = 4
"""Nobody listens, or nobody knows the host: a mistyped address should not take minutes to say so."""


class _BearerAuthentication(AuthBase):
    """Adds the key to a request. Given as `auth`, so that no `.netrc` can replace it."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def __repr__(self) -> str:
        return "<bearer key>"


@dataclass(frozen=True)
class _Received:
    status: int
    body: bytes
    raw: BaseHTTPResponse
    server_time: dt.datetime | None


class Client:
    """Sends requests to the API: at most `max_in_flight` at once, from any number of threads.

    The key is kept inside the authentication object alone: it appears in no `repr`. A server that asks
    to wait for longer than `waits_most` seconds is not asked again.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        max_in_flight: int = 4,
        retries: int = 8,
        waits_most: float = math.inf,
        backoff_factor: float = 0.5,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.max_in_flight = max_in_flight
        self.requests_sent = 0
        self._count_lock = threading.Lock()
        self._has_warned_of_size = False
        self._in_flight = threading.BoundedSemaphore(max_in_flight)
        self._timeouts = (_CONNECT_SECONDS, read_seconds)
        self._waits_most = waits_most
        self._retry = patience(retries=retries, backoff_factor=backoff_factor)
        self._expires_at = expiry_of(api_key)
        self._session = requests.Session()
        self._session.auth = _BearerAuthentication(api_key)
        self._session.headers["Accept"] = "application/json"
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=max_in_flight, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __repr__(self) -> str:
        return f"Client(base_url={self.base_url!r}, max_in_flight={self.max_in_flight})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get_page(
        self,
        operation: Operation,
        *,
        record_id: str | None = None,
        parameters: Mapping[str, str],
    ) -> Page:
        """Get one page of a list.

        One that holds more than `page[size]` is warned of once: totals prove a list whole all the same.

        Raises:
            ApiError: See the subclasses.
        """
        if operation.answer is not Answer.PAGES:
            raise ValueError(f"{operation.name} does not answer in pages.")
        page: Page = self._get(operation, record_id, parameters, parse_page)
        size = int(parameters.get("page[size]", 0))
        if size and len(page.records) > size and not self._has_warned_of_size:
            self._has_warned_of_size = True
            _logger.warning(
                f"GET {self.describe(operation, record_id)} gave {len(page.records)} records where "
                f"page[size]={size} asked for fewer: the API does not obey page[size]. Lists are "
                "read to their ends all the same."
            )
        return page

    def get_list(self, operation: Operation, *, record_id: str) -> list[bytes]:
        """Get a list that is not paged, each record as its bytes.

        Raises:
            ApiError: See the subclasses.
        """
        if operation.answer is not Answer.LIST:
            raise ValueError(f"{operation.name} does not answer with a whole list.")
        return self._get(operation, record_id, {}, parse_list)

    def get_record(
        self,
        operation: Operation,
        *,
        record_id: str,
        parameters: Mapping[str, str] | None = None,
    ) -> bytes:
        """Get one record as its bytes.

        Raises:
            NotFoundError: There is none.
            ApiError: See the other subclasses.
        """
        if operation.answer is not Answer.RECORD or operation.is_write:
            raise ValueError(f"{operation.name} does not read one record.")
        return self._get(operation, record_id, parameters or {}, parse_found)

    def _get(
        self,
        operation: Operation,
        record_id: str | None,
        parameters: Mapping[str, str],
        parse: Any,
    ) -> Any:
        """Send a GET until it is answered in full, by the policy of urllib3's `Retry`.

        `Retry` is driven from here, not from the adapter, as some failures show only in the body:
        one that is cut off, or a proxy's page of HTML with status 200.
        """
        unknown = [name for name in parameters if not operation.accepts(name)]
        if unknown:
            raise ValueError(f"{operation.name} has no parameter {', '.join(unknown)}.")
        refuse_expired(self._expires_at)
        where = self.describe(operation, record_id)
        if operation.takes_id and not _is_askable(record_id or ""):
            raise NotFoundError(f"The API has nothing at GET {where}: this is no id.")
        path = operation.path.replace("{id}", quote(record_id or "", safe=""))
        url = self.base_url + path
        retry = self._retry
        while True:
            received: _Received | None = None
            unreachable = False
            try:
                received = self._send(url, parameters)
                error = _error_of(received, where, of_one=operation.takes_id)
                if error is None:
                    return parse(received.body, where=where, server_time=received.server_time)
            except requests.exceptions.SSLError as failure:
                raise ConnectionFailedError(
                    f"GET {where}: no secure connection to the API's host "
                    f"({type(failure).__name__}). Check LDT_API_BASE_URL and the certificates."
                ) from None
            except ResponseFormatError as failure:
                error = failure
            except ValueError as failure:
                # Of a header that can't be sent, whose text would repeat the key.
                raise InvalidRequestError(
                    f"GET {where} could not be sent ({type(failure).__name__}). Check LDT_API_KEY "
                    "and LDT_API_BASE_URL for characters that don't belong there."
                ) from None
            except (requests.exceptions.RequestException, HTTPError, OSError) as failure:
                unreachable = is_unreachable(failure)
                error = ConnectionFailedError(
                    f"GET {where} failed {_times(len(retry.history) + 1)} "
                    f"({_cause(failure)}). Check the network and LDT_API_BASE_URL, then try again."
                )
            if not _is_worth_retrying(error):
                raise error from None
            is_over = unreachable and len(retry.history) >= _UNREACHABLE_RETRIES
            if is_over or (received and wait_asked_for(received.raw) > self._waits_most):
                raise error from None
            try:
                retry = retry.increment("GET", path, error=error)
            except MaxRetryError:
                raise error from None
            _logger.info("GET %s: trying again after: %s", where, type(error).__name__)
            try:
                retry.sleep(received.raw if received else None)
            except InvalidHeader:  # a Retry-After that is neither seconds nor a date
                retry.sleep(None)

    def exchange_once(
        self,
        operation: Operation,
        *,
        record_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, bytes, float | None]:
        """Send a request once, whatever comes of it: for writes, which nothing here may repeat.

        Gives the status, the body, and the seconds that `Retry-After` asks for. `writes.py` says
        what a failure means.

        Raises:
            NotFoundError: The id can't be one; nothing was sent.
            AuthenticationError: The key has expired; nothing was sent.
            requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError: On the way.
        """
        refuse_expired(self._expires_at)
        if operation.takes_id and not _is_askable(record_id or ""):
            raise NotFoundError(f"{operation.method} {operation.path}: this is no id.")
        url = self.base_url + operation.path.replace("{id}", quote(record_id or "", safe=""))
        received = self._send(url, parameters or {}, method=operation.method, body=body)
        return received.status, received.body, self._retry.get_retry_after(received.raw)

    def _send(
        self,
        url: str,
        parameters: Mapping[str, str],
        *,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
    ) -> _Received:
        with self._in_flight:
            with self._count_lock:
                self.requests_sent += 1
            response = self._session.request(
                method,
                url,
                json=body,
                params=dict(parameters),
                timeout=self._timeouts,
                stream=True,
                # The key must reach no other host, and a redirect of an API is a wrong address.
                allow_redirects=False,
            )
            try:
                raw = cast("BaseHTTPResponse", response.raw)
                # One read of everything: requests' own `.content` reads in pieces of 10 KB. It ends
                # where the limit is passed, however much a few packed bytes would unpack to.
                content = raw.read(ANSWER_BYTES_MOST + 1, decode_content=True)
            finally:
                response.close()
        return _Received(
            status=response.status_code,
            body=content,
            raw=raw,
            server_time=_parse_date(response.headers.get("Date")),
        )

    def describe(self, operation: Operation, record_id: str | None) -> str:
        """Give a path as an error may show it."""
        # An id may come from the API itself: what is not plain is not repeated in a text.
        shown = (
            record_id
            if record_id and record_id.replace("-", "").replace("_", "").isalnum()
            else "…"
        )
        return operation.path.replace("{id}", shown)


def _is_askable(record_id: str) -> bool:
    """Whether an id can be a piece of a path."""
    # Dots, and nothing at all, vanish from a path on the way: another list would answer.
    return record_id not in ("", ".", "..") and len(record_id) <= ID_CHARACTERS_MOST


def _error_of(received: _Received, where: str, *, of_one: bool) -> ApiError | None:
    error = _error_of_status(received.status, where, of_one=of_one)
    if error is not None or len(received.body) <= ANSWER_BYTES_MOST:
        return error
    return ResponseTooLargeError(
        f"GET {where} gave more than {ANSWER_BYTES_MOST // 1024**2} MB, once unpacked, which no "
        "list of this API should: it was not read to its end, and nothing of it was stored. Check "
        "LDT_API_BASE_URL, and tell your contact at Let's Do This."
    )


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


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _cause(failure: Exception) -> str:
    """Name what broke, without its text: that may repeat a whole URL or body."""
    inner = failure
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = cast("Exception", inner.__cause__ or inner.__context__)
    names = dict.fromkeys((type(failure).__name__, type(inner).__name__))
    return ", ".join(names)


def _is_worth_retrying(error: ApiError) -> bool:
    kinds = RateLimitedError | ServerError | ConnectionFailedError | ResponseFormatError
    return isinstance(error, kinds) and not isinstance(error, ResponseTooLargeError)


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


def _parse_date(header: str | None) -> dt.datetime | None:
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
