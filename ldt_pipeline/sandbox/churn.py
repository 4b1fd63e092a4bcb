"""Making an account live: random changes, at a rate, while it is served.

What belongs here: what happens in a real account over a day, in rough proportion. What doesn't:
how a change is made (`changes`). The sequence of changes follows from the seed; their times don't.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldt_pipeline.sandbox.account import SandboxAccount

_TICK_SECONDS = 0.02


class Churn:
    """Changes an account from a thread of its own, between `start` and `stop`."""

    def __init__(self, account: SandboxAccount, *, changes_per_second: float, seed: int) -> None:
        self._account = account
        self._rate = changes_per_second
        self._random = random.Random(f"{seed}/churn")  # noqa: S311 - repeatable on purpose
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-churn", daemon=True)
        self.changes = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the change in hand."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopped.wait(min(_TICK_SECONDS, 1 / self._rate)):
            due = int((time.monotonic() - began) * self._rate)
            while self.changes < due and not self._stopped.is_set():
                random_change(self._account, self._random)
                self.changes += 1


def random_change(account: SandboxAccount, rng: random.Random) -> None:
    """Make one change such as a real account sees: mostly edits and entries, rarely an end."""
    # In one piece: a write must not delete what was just chosen.
    with account.lock:
        _change(account, rng)


def _change(account: SandboxAccount, rng: random.Random) -> None:
    participant_id = account.random_participant_id(rng)
    group_id = account.random_group_id(rng)
    draw = rng.random()
    if participant_id is None or draw < 0.20:
        race_id = account.random_race_id(rng)
        if race_id is not None:
            account.add_participant(race_id=race_id)
    elif draw < 0.25:
        if group_id is not None:
            account.add_participant(group_id=group_id)
    elif draw < 0.80:
        account.update_participant(participant_id)
    elif draw < 0.88:
        account.update_participant(participant_id, bib_number=f"{rng.randrange(1, 99_999):05d}")
    elif draw < 0.93:
        account.delete_participant(participant_id)
    elif draw < 0.95:
        account.redact_participant(participant_id)
    elif group_id is not None:
        account.resize_group(group_id, account.true_claims(group_id) + rng.randrange(30))
