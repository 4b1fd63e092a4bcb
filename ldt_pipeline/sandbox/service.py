"""Starting and stopping the sandbox: in a thread for tests, or until interrupted for people.

What belongs here: the life of the server, and what a test may ask of it while it runs. What
doesn't: answering (`server`), and the account's own methods (`account`, `changes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from ldt_pipeline.sandbox.account import SandboxAccount
from ldt_pipeline.sandbox.answers import Answers, Style
from ldt_pipeline.sandbox.churn import Churn
from ldt_pipeline.sandbox.cursors import CursorStyle, ListEnd
from ldt_pipeline.sandbox.faults import Fault, FaultPicker, Faults
from ldt_pipeline.sandbox.keys import SANDBOX_SECRET, KeyRing, issue_key
from ldt_pipeline.sandbox.server import DOCUMENT_PATH, PREFIX, LoggedRequest, SandboxServer
from ldt_pipeline.sandbox.writes import Writes

_START_SECONDS = 30
_STOP_SECONDS = 10


class Sandbox:
    """Serves an account over HTTP from a thread of this process.

    Use it as a context manager; inside, `base_url` and `api_key` are what a client needs.
    """

    def __init__(
        self,
        account: SandboxAccount,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        latency_ms: float = 0,
        faults: Faults | None = None,
        changes_per_second: float = 0,
        cursors: CursorStyle = "opaque",
        list_end: ListEnd = "null",
        inclusive_bounds: bool = False,
        most_per_page: int | None = None,
        secret: str = SANDBOX_SECRET,
    ) -> None:
        """Prepare to serve; nothing listens yet.

        Args:
            account: What to serve. It stays the caller's, who may change it all the while.
            port: Where to listen; 0 takes a free one.
            host: The address to listen on; only this machine by default.
            latency_ms: How long every answer is held back.
            faults: What goes wrong, and how often; nothing by default.
            changes_per_second: How many random changes to make to the account while serving.
            cursors: `opaque`, or `record_id`: then a changed record takes its cursor along.
            list_end: What `next` is on the last page: `null`, `absent`, `empty` text, or the last
                cursor `again`.
            inclusive_bounds: Whether windows hold the instants that bound them.
            most_per_page: The most records on a page, whatever a caller asks for.
            secret: What keys are signed with.
        """
        self.account = account
        self._host = host
        self._port = port
        self._secret = secret
        self._keys = KeyRing(secret=secret)
        self._faults = FaultPicker(faults or Faults())
        self._server = SandboxServer(
            answers=Answers(account, Style(cursors, list_end, inclusive_bounds, most_per_page)),
            writes=Writes(account),
            keys=self._keys,
            faults=self._faults,
            latency_ms=latency_ms,
        )
        self._churn = (
            Churn(account, changes_per_second=changes_per_second, seed=account.seed)
            if changes_per_second > 0
            else None
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self.api_key = self.issue_key()

    # Addresses and keys

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What `LDT_API_BASE_URL` is to be."""
        return self.origin + PREFIX

    @property
    def document_url(self) -> str:
        """Where the OpenAPI document is."""
        return self.origin + DOCUMENT_PATH

    def issue_key(self, **claims: Any) -> str:
        """Make another key that this sandbox accepts; see `keys.issue_key` for the claims."""
        claims.setdefault("issued_at", int(self.account.now.timestamp()))
        return issue_key(secret=self._secret, **claims)

    def revoke_key(self, key: str, *, after_requests: int = 0) -> None:
        """Refuse a key from now on, or once so many more requests with it were let pass."""
        self._keys.revoke(key, after_requests=after_requests)

    def restore_key(self, key: str) -> None:
        """Accept a key again that was revoked."""
        self._keys.restore(key)

    # What tests look at and turn

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests so far, oldest first: the latest 50,000 of them.

        One that hangs is listed when it is answered.
        """
        return self._server.log.all()

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._server.log.clear()

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; may be set while serving."""
        return self._faults.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults.use(faults)

    def fail_next(
        self,
        fault: Fault,
        *,
        times: int = 1,
        path_contains: str = "",
        after_requests: int = 0,
        method: str | None = None,
    ) -> None:
        """Make coming requests meet a fault, whatever the rates say.

        Args:
            fault: Which.
            times: How many requests.
            path_contains: Only requests whose path holds this.
            after_requests: How many of those to let pass first.
            method: Only requests of this method, such as POST.
        """
        self._faults.order(
            fault,
            times=times,
            path_contains=path_contains,
            after_requests=after_requests,
            method=method,
        )

    def forget_orders(self) -> None:
        """Take back what `fail_next` asked for and has not happened yet."""
        self._faults.forget_orders()

    @property
    def latency_ms(self) -> float:
        """How long every answer is held back; may be set while serving."""
        return self._server.latency_ms

    @latency_ms.setter
    def latency_ms(self, latency_ms: float) -> None:
        self._server.latency_ms = latency_ms

    # Life

    def start(self) -> Self:
        """Listen; returns when requests are answered."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise RuntimeError(f"the sandbox did not start within {_START_SECONDS} seconds")
        if self._failure is not None:
            raise self._failure
        if self._churn is not None:
            self._churn.start()
        return self

    def stop(self) -> None:
        """Stop listening, cut what is still open, and wait until that is done."""
        if self._churn is not None:
            self._churn.stop()
        if self._loop is not None and self._stopped is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as failure:
            self._failure = failure
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        # Hanging requests are cut at the end. To aiohttp, 0 seconds would mean to wait for ever.
        runner = web.AppRunner(
            self._server.application(), access_log=None, shutdown_timeout=0.1, handle_signals=False
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
            self._port = int(runner.addresses[0][1])
            ready.set()
            await self._stopped.wait()
        finally:
            await runner.cleanup()


def serve(
    *,
    participants: int = 1000,
    seed: int = 0,
    host: str = "127.0.0.1",
    port: int = 0,
    latency_ms: float = 0,
    fault_rate: float = 0,
    fault_rates: Mapping[Fault, float] | None = None,
    changes_per_second: float = 0,
    cursors: CursorStyle = "opaque",
    list_end: ListEnd = "null",
    stop: threading.Event | None = None,
    ready: Callable[[str, str], None] | None = None,
    **account: Any,
) -> None:
    """Generate an account and serve it until interrupted.

    Args:
        participants: How many people entered.
        seed: Which account.
        host: The address to listen on; only this machine by default.
        port: Where to listen; 0 takes a free one.
        latency_ms: How long every answer is held back.
        fault_rate: How often a request meets some fault that a retry gets past.
        fault_rates: Rates of single faults by name, on top of that.
        changes_per_second: How many random changes to make to the account.
        cursors: As for `Sandbox`.
        list_end: As for `Sandbox`.
        stop: Set it to end; otherwise Ctrl-C does.
        ready: Called with the base URL and an API key as soon as requests are answered.
        **account: What else `SandboxAccount` takes, such as `now` or `events`.
    """
    rates = dict(Faults.passing(fault_rate, seed=seed).rates) if fault_rate else {}
    for fault, rate in (fault_rates or {}).items():
        rates[fault] = rates.get(fault, 0) + rate
    stop = stop or threading.Event()
    # Ctrl-C is how it ends, from the first moment to the last: also while the account is made up.
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(SandboxAccount(participants, seed=seed, **account)) as served,
        Sandbox(
            served,
            host=host,
            port=port,
            latency_ms=latency_ms,
            faults=Faults(rates, seed=seed, hang_seconds=2),
            changes_per_second=changes_per_second,
            cursors=cursors,
            list_end=list_end,
        ) as sandbox,
    ):
        if ready is not None:
            ready(sandbox.base_url, sandbox.api_key)
        # Waiting without end would not notice Ctrl-C on every platform.
        while not stop.wait(1):
            pass
