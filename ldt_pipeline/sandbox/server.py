"""HTTP: routes, keys, the request log, and faults as a client meets them.

What belongs here: everything that needs a connection. What doesn't: which records are given
(`answers`), which fault is whose turn (`faults`), starting and stopping (`service`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate

import msgspec
from aiohttp import web

from ldt_pipeline.sandbox.answers import Answers, Distortion
from ldt_pipeline.sandbox.faults import Fault, FaultPicker
from ldt_pipeline.sandbox.keys import KeyRing
from ldt_pipeline.sandbox.openapi import openapi_document
from ldt_pipeline.sandbox.operations import OPERATIONS, Operation
from ldt_pipeline.sandbox.problems import BadBody, NotFound, Problem
from ldt_pipeline.sandbox.validation import read_query
from ldt_pipeline.sandbox.writes import Writes

PREFIX = "/v0"
DOCUMENT_PATH = "/documentation/json"

_MOST_LOGGED_REQUESTS = 50_000
_MOST_REMEMBERED_PAGES = 16
_NOTHING_SENT = 0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request, as the server saw it; never its key.

    Attributes:
        method: GET, mostly.
        path: The path, decoded.
        query: The query string's names and values, decoded.
        raw_query: The query string as it was sent.
        status: The status of the answer; 0 if the connection was cut instead.
        fault: The fault that it met, if any.
        arrived: When it arrived, in seconds since 1970.
    """

    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    status: int
    fault: Fault | None
    arrived: float


class RequestLog:
    """The latest requests; any thread may read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[LoggedRequest] = deque(maxlen=_MOST_LOGGED_REQUESTS)

    def add(self, request: LoggedRequest) -> None:
        """Note a request that was answered."""
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[LoggedRequest]:
        """The requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()


class SandboxServer:
    """Answers HTTP requests for one account."""

    def __init__(
        self,
        *,
        answers: Answers,
        writes: Writes,
        keys: KeyRing,
        faults: FaultPicker,
        latency_ms: float,
    ) -> None:
        self._answers = answers
        self._writes = writes
        self._keys = keys
        self._faults = faults
        self.latency_ms = latency_ms
        self.log = RequestLog()
        # The latest body of each list, for pages that come twice: by path and filters.
        self._last_bodies: dict[tuple[str, ...], bytes] = {}

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application()
        for operation in OPERATIONS:
            application.router.add_route(
                operation.method, PREFIX + operation.path, self._handler(operation)
            )
        application.router.add_get(DOCUMENT_PATH, self._handler(None), allow_head=False)
        application.router.add_route("*", "/{path:.*}", self._handler(None))
        return application

    def _handler(self, operation: Operation | None) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            arrived = time.time()
            fault = None
            try:
                if request.path.startswith(PREFIX):
                    self._keys.check(request.headers.get("Authorization"))
                if operation is None:
                    response = self._elsewhere(request)
                else:
                    if self.latency_ms > 0:
                        await asyncio.sleep(self.latency_ms / 1000)
                    fault = self._faults.pick(
                        request.path, paged=operation.shape == "page", method=operation.method
                    )
                    response = await self._respond(fault, operation, request)
            except Problem as problem:
                response = _complaint(problem.status, problem.message)
            self.log.add(
                LoggedRequest(
                    request.method,
                    request.path,
                    dict(request.query),
                    request.rel_url.raw_query_string,
                    _NOTHING_SENT if fault in ("reset", "reset_after_write") else response.status,
                    fault,
                    arrived,
                )
            )
            return response

        return handle

    @staticmethod
    def _elsewhere(request: web.Request) -> web.StreamResponse:
        """The OpenAPI document, or a refusal."""
        allowed = _methods_at(request.path) or ["GET"]
        if request.method not in allowed:
            return _complaint(405, "Not with this method", Allow=", ".join(allowed))
        if request.path != DOCUMENT_PATH:
            raise NotFound(f"There is nothing at {request.path}")
        origin = f"{request.scheme}://{request.host}"
        return _json(msgspec.json.encode(openapi_document(server_url=origin + PREFIX)))

    async def _respond(
        self, fault: Fault | None, operation: Operation, request: web.Request
    ) -> web.StreamResponse:
        settings = self._faults.faults
        match fault:
            case "throttled_seconds":
                return _complaint(
                    429, "Too many requests", Retry_After=str(settings.retry_after_seconds)
                )
            case "throttled_date":
                # A date has whole seconds: one more, so that it is never in the past on arrival.
                moment = time.time() + settings.retry_after_seconds + 1
                return _complaint(
                    429, "Too many requests", Retry_After=formatdate(moment, usegmt=True)
                )
            case "http_500" | "http_502" | "http_503" | "http_504":
                return _complaint(int(fault.removeprefix("http_")), "Something went wrong")
            case "key_refused":
                return _complaint(401, "The key is not valid")
            case "html":
                return web.Response(
                    text="<!doctype html><html><body>Please wait…</body></html>",
                    content_type="text/html",
                )
            case "reset":
                return self._reset(request)
            case "hang":
                await asyncio.sleep(settings.hang_seconds)
            case _:
                pass
        sent = await self._sent(request) if operation.is_write else b""
        body = self._body(operation, request, fault, sent)
        return await self._answered(fault, request, body)

    @staticmethod
    async def _sent(request: web.Request) -> bytes:
        """The body of a write; aiohttp's own limit lies a little above the one of `bodies`."""
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise BadBody("body", "is too long") from None

    async def _answered(
        self, fault: Fault | None, request: web.Request, body: bytes
    ) -> web.StreamResponse:
        """The answer, once a write has had its effect."""
        match fault:
            case "reset_after_write":
                return self._reset(request)
            case "http_502_after_write":
                return _complaint(502, "Something went wrong")
            case "hang_after_write":
                await asyncio.sleep(self._faults.faults.hang_seconds)
            case "truncated":
                return await self._truncated(request, body)
            case _:
                pass
        return _json(body)

    def _body(
        self, operation: Operation, request: web.Request, fault: Fault | None, sent: bytes
    ) -> bytes:
        query = read_query(operation, request.query.items())
        identifier = request.match_info.get("id", "")
        if operation.is_write:
            body = self._writes.perform(operation, identifier, query, sent)
            return body[: max(1, len(body) * 2 // 3)] if fault == "broken_json" else body
        list_key = self._list_key(request)
        if fault == "repeated_page" and list_key in self._last_bodies:
            return self._last_bodies[list_key]
        body = self._answers.answer(operation, identifier, query, self._distortion(fault))
        if operation.shape == "page":
            self._last_bodies.pop(list_key, None)
            if len(self._last_bodies) >= _MOST_REMEMBERED_PAGES:
                self._last_bodies.pop(next(iter(self._last_bodies)))
            self._last_bodies[list_key] = body
        return body[: max(1, len(body) * 2 // 3)] if fault == "broken_json" else body

    def _distortion(self, fault: Fault | None) -> Distortion:
        match fault:
            case "shifted_page":
                return Distortion(skip=self._faults.number(1, 5))
            case "wrong_total":
                # Too low as often as too high: a total that is too low makes a list look whole.
                error = self._faults.number(1, 9) * self._faults.number(0, 1)
                return Distortion(added_to_total=error or -self._faults.number(1, 9))
            case "missing_total":
                return Distortion(without_total=True)
            case "looping_cursor":
                return Distortion(loops=True)
            case _:
                return Distortion()

    @staticmethod
    def _list_key(request: web.Request) -> tuple[str, ...]:
        """What two pages of one list have in common."""
        filters = sorted(
            f"{name}={value}"
            for name, value in request.query.items()
            if name not in ("page[after]", "page[before]")
        )
        return (request.path, *filters)

    @staticmethod
    def _reset(request: web.Request) -> web.StreamResponse:
        """Cut the connection the hard way: the client sees a reset, not an end."""
        transport = request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            if connection is not None:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        return web.Response()

    @staticmethod
    async def _truncated(request: web.Request, body: bytes) -> web.StreamResponse:
        """Promise a whole body, send half of it, and hang up."""
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Content-Length": str(len(body))}
        )
        response.force_close()
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


def _methods_at(path: str) -> list[str]:
    """The methods that a path takes; none where there is nothing."""
    if path == DOCUMENT_PATH:
        return ["GET"]
    parts = path.removeprefix(PREFIX).split("/")
    found: list[str] = []
    for operation in OPERATIONS:
        pattern = operation.path.split("/")
        if len(pattern) == len(parts) and all(
            each in ("{id}", part) and part
            for each, part in zip(pattern[1:], parts[1:], strict=True)
        ):
            found.append(operation.method)
    return found


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def _complaint(status: int, message: str, **headers: str) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode({"message": message}),
        content_type="application/json",
        charset="utf-8",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
