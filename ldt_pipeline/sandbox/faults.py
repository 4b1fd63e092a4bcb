"""What goes wrong on purpose: which fault a request meets, chosen by chance or ordered by a test.

What belongs here: the kinds of fault, their rates, and choosing. What doesn't: doing it to a
connection (`server`) or to a list (`answers`).
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Fault = Literal[
    "throttled_seconds",
    "throttled_date",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "reset",
    "hang",
    "truncated",
    "html",
    "broken_json",
    "repeated_page",
    "shifted_page",
    "wrong_total",
    "missing_total",
    "looping_cursor",
    "key_refused",
    "reset_after_write",
    "http_502_after_write",
    "hang_after_write",
]

ALL_FAULTS: tuple[Fault, ...] = get_args(Fault)

# Those that the same request, sent again, gets past. The rest lie to a client that trusts them.
PASSING_FAULTS: tuple[Fault, ...] = (
    "throttled_seconds",
    "throttled_date",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "reset",
    "hang",
    "truncated",
    "html",
    "broken_json",
)

# Faults that only a page of a list can have; other requests are spared.
PAGE_FAULTS: tuple[Fault, ...] = (
    "repeated_page",
    "shifted_page",
    "wrong_total",
    "missing_total",
    "looping_cursor",
)


# Faults that come when a write has had its effect: whoever asked can't know that it had. The passing
# ones above come before the effect, but for `hang` (a late one), `truncated` and `broken_json`.
WRITE_FAULTS: tuple[Fault, ...] = (
    "reset_after_write",
    "http_502_after_write",
    "hang_after_write",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """How often which fault happens.

    Attributes:
        rates: The probability of each fault, per request; together at most 1.
        seed: Chooses the sequence of faults.
        retry_after_seconds: What a 429 asks the caller to wait.
        hang_seconds: How long a request hangs before it is answered after all.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict[Fault, float])
    seed: int = 0
    retry_after_seconds: int = 1
    hang_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            if name not in ALL_FAULTS:
                raise ValueError(f"{name} is no fault; known are {', '.join(ALL_FAULTS)}")
            if not 0 <= rate <= 1:
                raise ValueError(f"the rate of {name} must lie between 0 and 1")
        if sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError("the rates of all faults together are more than 1")

    @classmethod
    def passing(cls, rate: float, *, seed: int = 0, hang_seconds: float = 1.0) -> Faults:
        """Faults that a retry gets past, which together happen at `rate`."""
        share = rate / len(PASSING_FAULTS)
        return cls(dict.fromkeys(PASSING_FAULTS, share), seed=seed, hang_seconds=hang_seconds)

    @classmethod
    def every(cls, rate: float, *, seed: int = 0, hang_seconds: float = 1.0) -> Faults:
        """All faults of reads, lying pages too, which together happen at `rate`."""
        faults: list[Fault] = [fault for fault in ALL_FAULTS if fault not in WRITE_FAULTS]
        share = rate / len(faults)
        return cls(dict.fromkeys(faults, share), seed=seed, hang_seconds=hang_seconds)


@dataclass(slots=True)
class _Order:
    """A fault that a test asked for."""

    fault: Fault
    left: int
    path_contains: str
    after_requests: int
    method: str | None


class FaultPicker:
    """Chooses the fault of each request."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._orders: deque[_Order] = deque()
        self.faults = faults
        self.use(faults)

    def use(self, faults: Faults) -> None:
        """Go by other rates from now on."""
        with self._lock:
            self.faults = faults
            self._random = random.Random(f"{faults.seed}/faults")  # noqa: S311 - repeatable

    def order(
        self,
        fault: Fault,
        *,
        times: int = 1,
        path_contains: str = "",
        after_requests: int = 0,
        method: str | None = None,
    ) -> None:
        """Make the next requests fail.

        Args:
            fault: How.
            times: How many of them.
            path_contains: Only those whose path holds this.
            after_requests: How many of those to let pass first.
            method: Only requests of this method.
        """
        if fault not in ALL_FAULTS:
            raise ValueError(f"{fault} is no fault; known are {', '.join(ALL_FAULTS)}")
        with self._lock:
            self._orders.append(_Order(fault, times, path_contains, after_requests, method))

    def forget_orders(self) -> None:
        """Let nothing fail any more but by chance."""
        with self._lock:
            self._orders.clear()

    def pick(self, path: str, *, paged: bool, method: str = "GET") -> Fault | None:
        """The fault of a request, or None: what is ordered comes first, then chance."""
        with self._lock:
            for order in self._orders:
                if order.path_contains not in path or order.method not in (None, method):
                    continue
                if not _suits(order.fault, paged=paged, method=method):
                    continue
                if order.after_requests > 0:
                    order.after_requests -= 1
                    continue
                order.left -= 1
                if order.left == 0:
                    self._orders.remove(order)
                return order.fault
            if not self.faults.rates:
                return None
            draw = self._random.random()
            for fault, rate in self.faults.rates.items():
                draw -= rate
                if draw < 0:
                    return fault if _suits(fault, paged=paged, method=method) else None
            return None

    def number(self, lowest: int, highest: int) -> int:
        """A number for a fault that needs one: by how much, how many."""
        with self._lock:
            return self._random.randint(lowest, highest)


def _suits(fault: Fault, *, paged: bool, method: str) -> bool:
    """Whether a request of this kind can have this fault."""
    if fault in WRITE_FAULTS:
        return method != "GET"
    return paged or fault not in PAGE_FAULTS
