"""A server that answers with whatever bytes a test wants, one answer per connection."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Self

Answer = bytes | Callable[[socket.socket], None]
"""Bytes to send before the connection is closed, or what to do with it."""


def answer(
    body: bytes | object = b"", *, status: str = "200 OK", cut: int = 0, **headers: str
) -> bytes:
    """Give an answer; `cut` bytes of its body are announced and never sent."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content[: len(content) - cut]


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(connection: socket.socket) -> None:
    """Never answer: wait until the client has had enough."""
    connection.recv(1)


class Scripted:
    """The server; the last answer is given for ever. `requests` holds what was received."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopped = threading.Event()
        self.requests: list[str] = []

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.address}/v0"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopped.set()
        socket.create_connection(self._socket.getsockname()).close()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if self._stopped.is_set():
                    return
                received = b""
                while b"\r\n\r\n" not in received:
                    received += connection.recv(65536)
                self.requests.append(received.decode())
                place = min(len(self.requests), len(self._answers)) - 1
                todo = self._answers[place]
                if callable(todo):
                    todo(connection)
                else:
                    connection.sendall(todo)
