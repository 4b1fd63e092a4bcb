"""Whatever happened before, in whatever order: nothing personal stays, and nobody else is touched."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ldt_pipeline.erasing.book import Reason
from ldt_pipeline.erasing.due import Subject, what_is_due
from ldt_pipeline.erasing.erase import erase
from ldt_pipeline.raw import DELETIONS, RawStore
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import connect, open_warehouse
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline.warehouse.schema import create_or_check
from ldt_pipeline_tests.erasing.everywhere import find
from ldt_pipeline_tests.warehouse.histories import contents

START = datetime(2025, 1, 31, 23, 59, tzinfo=UTC)
IDS = ["anna", "bert", "carl"]
ENTRIES = {
    "participants": ("participants", "2025-01"),
    "race_participants": ("participants", "r1"),
    "applications": ("applications", "2025-01"),
}


@dataclass
class Account:
    """A data folder, and what was ever written into it."""

    folder: Path
    secrets: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    redacted: set[tuple[str, str]] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)
    extracts: int = 0
    records: int = 0

    @property
    def settings(self) -> Settings:
        return Settings(_env_file=None, data_dir=self.folder / "data")  # type: ignore[call-arg]

    @property
    def store(self) -> RawStore:
        return RawStore(str(self.settings.raw_dir))

    @property
    def gone(self) -> set[tuple[str, str]]:
        return self.redacted | self.asked

    def write(self, feed: str, records: list[tuple[str, int, bool, bool]]) -> None:
        """Write an extract as it would be without any erasure; and once more into a twin."""
        entity, partition = ENTRIES[feed]
        lines = [self._line(entity, *record) for record in records]
        for folder in (self.settings.raw_dir, self.folder / "twin"):
            writer = RawStore(str(folder)).writer(
                feed=feed,
                partition_key="race_id" if feed == "race_participants" else "updated_in",
                partition=partition,
                extracted_at=START + timedelta(minutes=self.extracts),
                source={},
            )
            for line in lines:
                writer.append(line)
            writer.commit()
        self.extracts += 1

    def delete(self, entity: str, record_id: str) -> None:
        for folder in (self.settings.raw_dir, self.folder / "twin"):
            writer = RawStore(str(folder)).writer(
                feed=DELETIONS,
                partition_key="of",
                partition=entity,
                extracted_at=START + timedelta(minutes=self.extracts),
                source={},
            )
            writer.append(json.dumps({"id": record_id}).encode())
            writer.commit()
        self.extracts += 1

    def load(self) -> None:
        with open_warehouse(self.settings.warehouse_path) as connection:
            load_pending(connection, self.store)

    def rebuild(self) -> None:
        self.settings.warehouse_path.unlink(missing_ok=True)
        self.load()

    def erase(self, *subjects: tuple[str, str]) -> None:
        self.asked |= set(subjects)
        erase(
            self.settings.model_copy(update={"deleted_retention_days": 100_000}),
            self.store,
            [Subject(entity=entity, id=each, reason=Reason.ASKED) for entity, each in subjects],
        )

    def _line(
        self, entity: str, record_id: str, second: int, has_instant: bool, redacted: bool
    ) -> bytes:
        self.records += 1
        record: dict[str, Any] = {
            "id": record_id,
            "eventId": "e1",
            "raceId": "r1",
            "createdAt": START.isoformat(),
            "bibNumber": str(second),
        }
        if has_instant:
            record["updatedAt"] = (START + timedelta(seconds=second)).isoformat()
        if redacted:
            self.redacted.add((entity, record_id))
            record["gdprRedacted"] = True
        # A redacted record must not have any of this: it goes all the same.
        texts = {
            "mail": f"{record_id}{self.records}@secret{entity}.example",
            "name": f"Q{record_id}w{self.records}{entity[0]}z Secret",
            "note": f"longer secret of {record_id} {self.records} {entity}, which no page inlines",
        }
        self.secrets.setdefault((entity, record_id), set()).update(texts.values())
        record["booker"] = {"email": texts["mail"], "name": texts["name"]}
        record["fields"] = [{"label": "Medical", "value": texts["note"]}]
        record["unheardOf"] = {"by": texts["mail"]}
        return json.dumps(record).encode()


records = st.tuples(st.sampled_from(IDS), st.integers(0, 3), st.booleans(), st.integers(0, 5))
actions = st.one_of(
    st.tuples(
        st.just("write"), st.sampled_from(list(ENTRIES)), st.lists(records, min_size=1, max_size=4)
    ),
    st.tuples(
        st.just("write"), st.sampled_from(list(ENTRIES)), st.lists(records, min_size=1, max_size=4)
    ),
    st.tuples(st.just("load")),
    st.tuples(st.just("rebuild")),
    st.tuples(st.just("restore")),
    st.tuples(
        st.just("delete"), st.sampled_from(["participants", "applications"]), st.sampled_from(IDS)
    ),
    st.tuples(
        st.just("erase"), st.sampled_from(["participants", "applications"]), st.sampled_from(IDS)
    ),
    st.tuples(st.just("erase")),
)


def play(account: Account, history: list[tuple[Any, ...]]) -> None:
    backup = account.folder / "backup"
    for action in history:
        match action:
            case ("write", feed, found):
                account.write(feed, [(each[0], each[1], each[2], each[3] == 0) for each in found])
                shutil.rmtree(backup, ignore_errors=True)
                shutil.copytree(account.settings.raw_dir, backup)
            case ("load",):
                account.load()
            case ("rebuild",):
                account.rebuild()
            case ("restore",):
                if backup.exists():
                    shutil.copytree(backup, account.settings.raw_dir, dirs_exist_ok=True)
            case ("delete", entity, record_id):
                account.delete(entity, record_id)
            case ("erase", entity, record_id):
                account.erase((entity, record_id))
            case _:
                account.erase()


@pytest.mark.slow
@settings(
    max_examples=12,
    phases=[Phase.generate],  # an account is made for each attempt: shrinking takes minutes
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(actions, min_size=3, max_size=9))
def test_erased_at_any_point(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Any, ...]]
) -> None:
    account = Account(tmp_path_factory.mktemp("history"))
    play(account, [*history, ("load",), ("erase",)])
    assert_gone(account)
    assert_others_are_untouched(account)
    assert_rebuilt_equals(account)


def assert_gone(account: Account) -> None:
    secrets = set[str]().union(*(account.secrets.get(each, set()) for each in account.gone))
    assert find(account.folder / "data", secrets) == {}
    with open_warehouse(account.settings.warehouse_path) as connection:
        assert len(what_is_due(connection, account.store, account.settings)) == 0 or any(
            each.reason is Reason.DELETED
            for each in what_is_due(connection, account.store, account.settings).subjects
        )
        for entity, record_id in account.gone & set(account.secrets):
            key = f"{entity[:-1]}_id"
            rows = connection.execute(
                f"SELECT gdpr_redacted, booker_email FROM tidy.{entity} WHERE {key} = ?",
                [record_id],
            ).fetchall()
            assert rows == [(True, None)]


def assert_others_are_untouched(account: Account) -> None:
    """They have the rows that they would have, had nobody been erased; and their bytes."""
    twin = account.folder / "twin"
    twin.mkdir(exist_ok=True)
    with connect(account.folder / "twin.duckdb") as connection:
        create_or_check(connection)
        load_pending(connection, RawStore(str(twin)))
        expected = contents(connection)
    with open_warehouse(account.settings.warehouse_path) as connection:
        found = contents(connection)
    for entity in ("participants", "applications"):
        gone = {record_id for of, record_id in account.gone if of == entity}
        for name in (entity, f"{entity[:-1]}_answers"):
            assert [row for row in found[name] if row[0] not in gone] == [
                row for row in expected[name] if row[0] not in gone
            ]
        # A stub and no more than a stub: each of them is still counted.
        assert {row[0] for row in found[entity]} == {row[0] for row in expected[entity]}
    kept = set[str]().union(
        *(texts for each, texts in account.secrets.items() if each not in account.gone)
    )
    assert {text for hits in find(twin, kept).values() for text in hits} == {
        text for hits in find(account.settings.raw_dir, kept).values() for text in hits
    }


def assert_rebuilt_equals(account: Account) -> None:
    with open_warehouse(account.settings.warehouse_path) as connection:
        before = contents(connection)
    with connect(account.folder / "rebuilt.duckdb") as connection:
        create_or_check(connection)
        load_pending(connection, account.store)
        after = contents(connection)
        assert connection.execute("SELECT count(*) FROM ops.erasures_due").fetchall() == [(0,)]
    for name, rows in before.items():
        assert after[name] == rows, name


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """The control: before anything is erased, every secret is found, in more than one place."""
    account = Account(tmp_path)
    account.write("participants", [("anna", 1, True, False), ("bert", 1, True, False)])
    account.load()
    secrets = account.secrets["participants", "anna"]
    found = find(tmp_path / "data", secrets)
    assert {text for hits in found.values() for text in hits} == secrets
    assert {name.split("/")[0] for name in found} == {"raw", "warehouse.duckdb"}
    account.erase(("participants", "anna"))
    assert_gone(account)
    assert_others_are_untouched(account)
    assert_rebuilt_equals(account)
