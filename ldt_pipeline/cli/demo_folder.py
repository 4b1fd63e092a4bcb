"""The folder of the demo: whose data it holds, so that made-up people and real ones never mix.

What belongs here: the marker file, and emptying a folder that has it. What doesn't: the demo.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ldt_pipeline.cli.command import CommandError

_MARKER = "demo.json"
_CONTENTS = (
    *("raw", "dagster", "ldt.duckdb", "ldt.duckdb.wal"),
    *("warehouse.duckdb", "warehouse.duckdb.wal"),
)


@dataclass(frozen=True, kw_only=True)
class DemoAccount:
    """Which made-up account a folder holds. `made_by` tells of the code that makes it up."""

    participants: int
    seed: int
    now: str
    made_by: str

    @property
    def moment(self) -> dt.datetime:
        """When the account's history ends."""
        return dt.datetime.fromisoformat(self.now)


def is_demo_folder(folder: Path) -> bool:
    """Whether the folder holds a demo's data."""
    return (folder / _MARKER).exists()


def prepare(folder: Path, *, participants: int, seed: int, fresh: bool) -> DemoAccount:
    """Give the account that the folder holds or will hold; another one's data is cleared away.

    Raises:
        CommandError: It holds data of something else than a demo.
    """
    held = _read(folder)
    wanted = DemoAccount(
        participants=participants,
        seed=seed,
        now=dt.datetime.now(dt.UTC).replace(second=0, microsecond=0).isoformat(),
        made_by=_fingerprint(),
    )
    if held is None and not is_demo_folder(folder):
        if any((folder / name).exists() for name in _CONTENTS):
            raise CommandError(
                f"{folder} holds data that is not a demo's, and made-up people must not get into "
                "it. Set LDT_DATA_DIR to another folder for the demo, or unset it."
            )
    elif held is not None and not fresh and _is_same(held, wanted):
        return held
    else:
        _clear(folder)
    _write(folder, wanted)
    return wanted


def _is_same(held: DemoAccount, wanted: DemoAccount) -> bool:
    return (held.participants, held.seed, held.made_by) == (
        wanted.participants,
        wanted.seed,
        wanted.made_by,
    )


def _read(folder: Path) -> DemoAccount | None:
    try:
        account = DemoAccount(**json.loads((folder / _MARKER).read_text(encoding="utf-8")))
        account.moment  # noqa: B018 - a marker without a readable instant is none
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    return account


def _write(folder: Path, account: DemoAccount) -> None:
    from upath import UPath

    from ldt_pipeline.raw.files import write_durably

    write_durably(UPath(folder / _MARKER), json.dumps(asdict(account), indent=2).encode())


def _clear(folder: Path) -> None:
    """Take away what a demo wrote, and nothing else that may be there."""
    for name in _CONTENTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _fingerprint() -> str:
    """Give a digest of the code that makes accounts up: other code makes other people."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1] / "sandbox"
    for path in sorted(package.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
