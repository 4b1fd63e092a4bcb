"""What happens to an account between two syncs, or in the middle of one: seeded, and all of it real.

What belongs here: entries, edits, moves, deletions, redactions, late commits, applications,
partners and groups, in rough proportion. What doesn't: when they happen (the scenarios).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ldt_pipeline.sandbox import SandboxAccount

_FEWEST_PARTICIPANTS = 40

DELETIONS, LATE, SLOW, GROUPS = "deletions", "late", "slow", "groups"
"""What no timestamp tells of in time: records that go; rows that appear hours or months after the
instant that they bear, or seconds after it; and groups, which have no timestamps. The rest is in
every mix. One row that is late and one that goes keep the total: where both may happen, only
reading the list whole finds them."""


def make_account(chances: random.Random, *, participants: int = 180) -> SandboxAccount:
    """Make up a small account; its clock is the machine's, as at the real API."""
    return SandboxAccount(
        participants,
        seed=chances.randrange(1 << 30),
        applications=participants // 5,
        history_years=1,
        events=2,
        partners=6,
    )


def change(  # noqa: PLR0912 - a list of what may happen, nothing more
    account: SandboxAccount, chances: random.Random, kinds: Collection[str]
) -> None:
    """Change one thing; `kinds` allows what no timestamp tells of."""
    someone = account.random_participant_id(chances)
    group = account.random_group_id(chances)
    race = account.random_race_id(chances)
    draw = chances.random()
    if someone is None or draw < 0.22:
        account.add_participant(race_id=race)
    elif draw < 0.30 and group is not None:
        account.add_participant(group_id=group)
    elif draw < 0.52:
        account.update_participant(someone, bib_number=f"{chances.randrange(1, 9_999):04d}")
    elif draw < 0.60:
        account.update_participant(someone, race_id=race)
    elif draw < 0.64:
        account.update_participants([someone, *account.participant_ids()[:5]])
    elif draw < 0.68:
        account.redact_participant(someone)
    elif draw < 0.74:
        change_application(account, chances, kinds)
    elif draw < 0.78:
        change_partner(account, chances)
    elif draw < 0.88 and DELETIONS in kinds:
        if len(account.participant_ids()) > _FEWEST_PARTICIPANTS:
            account.delete_participant(someone)
    elif draw < 0.92 and LATE in kinds:
        commit_late(account, chances, seconds=(400, 100_000, 5_000_000))
    elif draw < 0.96 and SLOW in kinds:
        commit_late(account, chances, seconds=(0.2, 1, 5, 20))
    elif group is not None and GROUPS in kinds:
        account.resize_group(group, account.true_claims(group) + chances.randrange(30))
    else:
        account.update_participant(someone)


def change_application(
    account: SandboxAccount, chances: random.Random, kinds: Collection[str]
) -> None:
    """Approve, change or withdraw an application."""
    ids = account.application_ids()
    if not ids:
        return
    chosen = chances.choice(ids)
    draw = chances.random()
    if draw < 0.3 and DELETIONS in kinds:
        account.delete_application(chosen)
    elif draw < 0.6 and (account.application(chosen) or {}).get("participantId") is None:
        try:
            account.approve_application(chosen)
        except ValueError:  # approved already: its participant has been deleted since
            account.update_application(chosen)
    else:
        account.update_application(chosen)


def change_partner(account: SandboxAccount, chances: random.Random) -> None:
    """Add a partner, or rename one."""
    ids = account.partner_ids()
    if not ids or chances.random() < 0.3:
        account.add_partner(name=f"Charity {chances.randrange(1_000_000)}")
    else:
        account.update_partner(chances.choice(ids), name=f"Charity {chances.randrange(1_000_000)}")


def commit_late(
    account: SandboxAccount, chances: random.Random, *, seconds: tuple[float, ...]
) -> None:
    """Let a row appear that bears an instant which a sync may have passed."""
    back = timedelta(seconds=chances.choice(seconds))
    account.insert_late_participant(
        updated_at=datetime.now(UTC) - back, race_id=account.random_race_id(chances)
    )


@dataclass
class Moved:
    """How much was changed."""

    changes: int = 0


@contextmanager
def moving(
    account: SandboxAccount,
    chances: random.Random,
    *,
    changes_per_second: float,
    kinds: Collection[str],
) -> Generator[Moved]:
    """Change the account from a thread of its own for as long as the block runs."""
    moved = Moved()
    stop = threading.Event()
    failures: list[BaseException] = []

    def move() -> None:
        try:
            while not stop.wait(chances.expovariate(changes_per_second)):
                change(account, chances, kinds)
                moved.changes += 1
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=move, name="moving", daemon=True)
    thread.start()
    try:
        yield moved
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
