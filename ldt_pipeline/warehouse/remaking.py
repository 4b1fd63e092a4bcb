"""Deleting the warehouse, so that it is made anew from the raw store.

What belongs here: whether it may go, and that it goes within its lock. What doesn't: loading it
again (`load.py`), and when (`runner.py`, `defs/`).
"""

from __future__ import annotations

from pathlib import Path

from ldt_pipeline.erasing.healing import require_book
from ldt_pipeline.raw import RawStore
from ldt_pipeline.warehouse.connection import (
    DamagedWarehouseError,
    damage_note,
    opened,
    warehouse_lock,
)
from ldt_pipeline.warehouse.schema import OutdatedWarehouseError
from ldt_pipeline.warehouse.swap import remove_database


def remove_warehouse(path: Path, store: RawStore) -> None:
    """Delete the warehouse, whatever it is like.

    Raises:
        DamagedExtractError: The book of erasures can't be read, and it may be the only copy.
    """
    require_book(store)
    with warehouse_lock(path):
        _remove(path)


def remove_unusable_warehouse(path: Path, store: RawStore) -> bool:
    """Delete the warehouse if it is damaged or of another version; gives whether it was.

    It is looked at within the lock: another process may have made it anew in the meantime.

    Raises:
        DamagedExtractError: The book of erasures can't be read, and it may be the only copy.
    """
    with warehouse_lock(path):
        try:
            with opened(path):
                return False
        except (DamagedWarehouseError, OutdatedWarehouseError):
            require_book(store)
            _remove(path)
            return True


def _remove(path: Path) -> None:
    remove_database(path)
    damage_note(path).unlink(missing_ok=True)
