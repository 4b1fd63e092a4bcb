"""When a request is sent again: the policy of urllib3's `Retry`, and what it leaves open.

What belongs here: which answers pass by themselves, and how long to wait. What doesn't: sending
(`client.py`), and writes, which nothing here repeats (`writes.py`).
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

from urllib3.exceptions import InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})

_AFTER_MOST_SECONDS = 120
"""A server that asks for an hour is asked again after two minutes: a run must end some day."""


class Patience(Retry):
    """`Retry` that reads a date in `Retry-After` by the clock of the server that wrote it.

    Ours, or the server's, may be hours off: a date would mean the longest wait, or none.
    """

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Give the seconds to wait, None where the answer doesn't say."""
        until = _seconds(response.headers.get("Retry-After"))
        answered = _seconds(response.headers.get("Date"))
        if until is None or answered is None:
            return super().get_retry_after(response)
        return self.parse_retry_after(str(max(until - answered, 0)))


def patience(*, retries: int, backoff_factor: float) -> Patience:
    """Give the policy: so many retries, at growing distances."""
    return Patience(
        total=retries,
        status_forcelist=RETRIED_STATUSES,
        backoff_factor=backoff_factor,
        backoff_jitter=backoff_factor,
        backoff_max=30,
        retry_after_max=_AFTER_MOST_SECONDS,
    )


def wait_asked_for(response: BaseHTTPResponse) -> float:
    """Give the seconds that a server asks to wait; 0 where it doesn't, or not so that it can be read."""
    try:
        return patience(retries=0, backoff_factor=0).get_retry_after(response) or 0
    except InvalidHeader:
        return 0


def _seconds(date: str | None) -> int | None:
    try:
        parts = parsedate_tz(date) if date else None
        return None if parts is None else int(mktime_tz(parts))
    except (ValueError, OverflowError):
        return None
