"""A raw store and its warehouse, small enough to be compacted many times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldt_pipeline import compacting
from ldt_pipeline.compacting import Compacted, compact
from ldt_pipeline.erasing.due import what_is_due
from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import connect, open_warehouse
from ldt_pipeline.warehouse.load import load_pending, pending
from ldt_pipeline.warehouse.schema import create_or_check
from ldt_pipeline_tests.warehouse.histories import Extract, contents, write

ENTRY = (
    '{"id":"%s","eventId":"e1","raceId":"r1","createdAt":"2025-01-01T00:00:00Z",'
    '"updatedAt":"2025-01-0%dT00:00:00Z","fields":[{"label":"Note","value":"%s"}]}'
)


class Account:
    def __init__(self, folder: Path, history: list[Extract]) -> None:
        self.settings = Settings(_env_file=None, data_dir=folder / "data")  # type: ignore[call-arg]
        self.store = RawStore(str(self.settings.raw_dir))
        write(self.store, history)
        self.load()

    def load(self) -> None:
        with open_warehouse(self.settings.warehouse_path) as connection:
            load_pending(connection, self.store)

    def compact(self, **options: Any) -> Compacted:
        return compact(self.settings, self.store, **options)

    def contents(self) -> dict[str, list[Any]]:
        with open_warehouse(self.settings.warehouse_path) as connection:
            assert pending(connection, self.store) == []
            return contents(connection)

    def rebuilt(self, path: Path) -> dict[str, list[Any]]:
        path.unlink(missing_ok=True)
        with connect(path) as connection:
            create_or_check(connection)
            load_pending(connection, self.store)
            return contents(connection)

    def unfinished(self) -> int:
        with open_warehouse(self.settings.warehouse_path) as connection:
            return what_is_due(connection, self.store, self.settings).unfinished

    def files(self) -> list[Path]:
        return sorted(path for path in self.settings.raw_dir.rglob("*") if path.is_file())


class Forgetful(compacting._Dropping):
    """Loses a line on the way."""

    def needed(self, part: Any) -> set[int]:
        return (super().needed(part) or set()) - {2}


def simple(folder: Path) -> Account:
    return Account(
        folder,
        [
            Extract(
                "participants", "2025-01", (ENTRY % ("a", 1, "first"), ENTRY % ("b", 1, "other"))
            ),
            Extract("participants", "2025-01", (ENTRY % ("a", 2, "second"),)),
            Extract("participants", "2025-01", (ENTRY % ("a", 3, "third"), "{}")),
            Extract("applications", "2025-01", (ENTRY % ("a", 1, "applied"),)),
            Extract(DELETIONS, "participants", ('{"id":"b"}',)),
        ],
    )


def lines_of(account: Account) -> set[bytes]:
    content = b"".join(
        line
        for manifest in account.store.manifests()
        for batch in account.store.read(manifest, batch_records=9)
        for line in batch
    )
    return {word for word in (b"first", b"second", b"third", b"other") if word in content}
