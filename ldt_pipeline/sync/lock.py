"""One sync of a data folder at a time: the second waits, and says for what.

What belongs here: the lock between processes that bring everything up to date from the command
line, and asking whether one is under way. What doesn't: the warehouse's own lock, which is held
for one step at a time and by the daemon's runs too (`warehouse/connection.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext

from filelock import FileLock, Timeout

from ldt_pipeline.private_files import PRIVATE_FILE
from ldt_pipeline.raw.files import make_folder
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import WarehouseBusyError

_WAIT_SECONDS = 3600.0
_BEGUN = "sync.begun"
"""There while somebody has the right; and after that, where who had it was killed."""


@contextmanager
def sync_lock(
    settings: Settings, say: Callable[[str], None], *, wait_seconds: float = _WAIT_SECONDS
) -> Generator[None]:
    """Hold the right to sync; the kernel gives it back when the holder dies.

    Within it the same thread may take it again. What a holder had begun that was killed is taken away.

    Raises:
        WarehouseBusyError: Another sync held it for longer than `wait_seconds`.
    """
    lock = _lock(settings)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("Waiting for another sync of this data folder to finish")
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout:
            raise WarehouseBusyError(
                f"Another sync of {settings.data_dir} has been under way for more than "
                f"{wait_seconds:.0f} s. Wait for it, or end it."
            ) from None
    try:
        with nullcontext() if lock.lock_counter > 1 else _begun(settings):
            yield
    finally:
        lock.release()


@contextmanager
def _begun(settings: Settings) -> Generator[None]:
    begun = settings.data_dir / _BEGUN
    if begun.exists():
        # Seldom needed, and it would make each quiet sync slower.
        from ldt_pipeline.leftovers import clear_leftovers  # noqa: PLC0415

        clear_leftovers(settings)
    begun.touch(mode=PRIVATE_FILE)
    try:
        yield
    finally:
        begun.unlink(missing_ok=True)


def is_syncing(settings: Settings) -> bool:
    """Whether a sync from the command line is under way."""
    lock = _lock(settings)
    if lock.is_locked:
        return True
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _lock(settings: Settings) -> FileLock:
    make_folder(settings.data_dir)
    return FileLock(settings.data_dir / "sync.lock", mode=PRIVATE_FILE, is_singleton=True)
