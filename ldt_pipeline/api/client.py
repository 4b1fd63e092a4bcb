"""One request at a time: connection, key, retries.

What belongs here: everything between an operation of the catalogue and the bytes of its answer.
What doesn't: what a failure means (`failures.py`), following cursors (`paging.py`), reading an
answer's envelope (`answers.py`), and anything that is written to disk.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError
from urllib3.response import BaseHTTPResponse

from ldt_pipeline.api.answers import Page, parse_found, parse_list, parse_page
from ldt_pipeline.api.catalogue import Answer, Operation
from ldt_pipeline.api.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    ResponseFormatError,
)
from ldt_pipeline.api.failures import (
    cause_of,
    error_of_answer,
    is_unreachable,
    is_worth_retrying,
)
from ldt_pipeline.api.keys import expiry_of, refuse_expired
from ldt_pipeline.api.limits import ANSWER_BYTES_MOST, ID_CHARACTERS_MOST
from ldt_pipeline.api.retrying import patience, wait_asked_for
from ldt_pipeline.instants import with_zone

_Answer = TypeVar("_Answer")
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
        page = self._get(operation, record_id, parameters, _page)
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
        return self._get(
            operation, record_id, {}, lambda got, where: parse_list(got.body, where=where)
        )

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
        return self._get(
            operation,
            record_id,
            parameters or {},
            lambda got, where: parse_found(got.body, where=where),
        )

    def _get(
        self,
        operation: Operation,
        record_id: str | None,
        parameters: Mapping[str, str],
        parse: Callable[[_Received, str], _Answer],
    ) -> _Answer:
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
        url = self._url(operation, record_id)
        retry = self._retry
        while True:
            received: _Received | None = None
            unreachable = False
            try:
                received = self._send(url, parameters)
                error = error_of_answer(
                    received.status, len(received.body), where, of_one=operation.takes_id
                )
                if error is None:
                    return parse(received, where)
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
                    f"({cause_of(failure)}). Check the network and LDT_API_BASE_URL, then try again."
                )
            if not is_worth_retrying(error):
                raise error from None
            is_over = unreachable and len(retry.history) >= _UNREACHABLE_RETRIES
            if is_over or (received and wait_asked_for(received.raw) > self._waits_most):
                raise error from None
            try:
                retry = retry.increment("GET", url, error=error)
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
        url = self._url(operation, record_id)
        received = self._send(url, parameters or {}, method=operation.method, body=body)
        return received.status, received.body, self._retry.get_retry_after(received.raw)

    def _url(self, operation: Operation, record_id: str | None) -> str:
        return self.base_url + operation.path.replace("{id}", quote(record_id or "", safe=""))

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


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _page(received: _Received, where: str) -> Page:
    return parse_page(received.body, where=where, server_time=received.server_time)


def _is_askable(record_id: str) -> bool:
    """Whether an id can be a piece of a path."""
    # Dots, and nothing at all, vanish from a path on the way: another list would answer.
    return record_id not in ("", ".", "..") and len(record_id) <= ID_CHARACTERS_MOST


def _parse_date(header: str | None) -> dt.datetime | None:
    if header is None:
        return None
    try:
        return with_zone(parsedate_to_datetime(header))
    except ValueError:
        return None
