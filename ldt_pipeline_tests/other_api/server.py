"""HTTP around the operations: HTTP/1.1 with keep-alive, on the standard library."""

from __future__ import annotations

import base64
import codecs
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from ldt_pipeline_tests.other_api.dataset import Dataset, Record
from ldt_pipeline_tests.other_api.operations import NotFoundError, Operations
from ldt_pipeline_tests.other_api.paging import BadRequestError
from ldt_pipeline_tests.other_api.readings import Readings

Logged = tuple[str, str, dict[str, str], int]
BeforeRequest = Callable[[str, str, Mapping[str, str]], None]

_PREFIX = "/v0"
_EMPTY_ANSWERS: dict[str, Any] = {
    "null": None,
    "object": {},
    "null_data": {"data": None},
    "no_data": {"data": []},
}
_CHUNK = 1_000


class OtherApi:
    """A server for the length of a `with` block.

    Args:
        dataset: The records; change them at any time.
        readings: How the open questions are read.
        before_request: Called with method, path and query before each answer is computed, in the
            server's thread: the place to move data in the middle of a walk, at the same point in
            every run.
    """

    def __init__(
        self,
        dataset: Dataset,
        readings: Readings | None = None,
        *,
        before_request: BeforeRequest | None = None,
    ) -> None:
        self.dataset = dataset
        self.readings = readings or Readings()
        self.before_request = before_request
        self.api_key = _api_key()
        self.requests: list[Logged] = []
        """Method, path (without /v0), query and status of each request, as they were answered."""
        self._operations = Operations(dataset, self.readings)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """The URL that paths are appended to."""
        if self._server is None:
            raise RuntimeError("The server is not running: use it in a `with` block.")
        return f"http://127.0.0.1:{self._server.server_address[1]}{_PREFIX}"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            self._thread.join()
            server.server_close()
            server.close_connections()

    def put(self, collection: str, record: Record) -> Record:
        """See `Dataset.put`."""
        return self.dataset.put(collection, record)

    def delete(self, collection: str, record_id: str) -> None:
        """See `Dataset.delete`."""
        self.dataset.delete(collection, record_id)

    def touch(
        self, collection: str, record_id: str, *, at: datetime | None = None, **changes: Any
    ) -> Record:
        """See `Dataset.touch`."""
        return self.dataset.touch(collection, record_id, at=at, **changes)

    def handle(
        self, *, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        """Give status and JSON value for a request, and log it."""
        parts = urlsplit(target)
        path = parts.path.removeprefix(_PREFIX)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            if headers.get("Authorization") != f"Bearer {self.api_key}":
                status, value = 401, "Unauthorized"
            else:
                if self.before_request is not None:
                    self.before_request(method, path, query)
                self._check_encoding(parts.query)
                sent = json.loads(body) if body else {}
                status, value = 200, self._operations.answer(method, path, query, sent)
        except BadRequestError as error:
            status, value = 400, str(error)
        except NotFoundError as error:
            status, value = self.readings.missing_status, str(error)
            if self.readings.missing_answer in _EMPTY_ANSWERS:
                status, value = 200, _EMPTY_ANSWERS[self.readings.missing_answer]
        except Exception as error:  # A bug here must reach the test that met it.
            status, value = 500, repr(error)
        self.requests.append((method, path, query, status))
        if status != 200:
            value = {"statusCode": status, "message": value}
        return status, value

    def _check_encoding(self, query: str) -> None:
        if self.readings.encoded_brackets_only and ("[" in query or "]" in query):
            raise BadRequestError("Brackets must be percent-encoded.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: OtherApi) -> None:
        self.api = api
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def close_connections(self) -> None:
        """End connections that clients keep alive, so that their threads end."""
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        readings = self.server.api.readings
        status, value = self.server.api.handle(
            method=self.command, target=self.path, headers=self.headers, body=body
        )
        if readings.latency:
            time.sleep(readings.latency)
        text = json.dumps(value, indent=2 if readings.pretty else None, ensure_ascii=False)
        content = (codecs.BOM_UTF8 if readings.byte_order_mark else b"") + text.encode()
        self.send_response_only(status)
        if readings.date_header:
            self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if readings.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = gzip.compress(content, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        if readings.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            content = _chunked(content)
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  http.server's names.

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: `OtherApi.requests` is the log."""


def _chunked(content: bytes) -> bytes:
    chunks = [content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _api_key() -> str:
    """Make a key that looks like the real ones: a JWT, with claims that anybody can read."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"organiserId": "org_other", "iat": 1_700_000_000})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join([*encoded, "c2lnbmF0dXJlLW9mLXRoZS1vdGhlci1hcGk"])
