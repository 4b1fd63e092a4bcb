"""The published file without personal data: its tables, and its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ldt_pipeline.tables import TABLES, VIEWS, Personal
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline_tests.other_api import Dataset, OtherApi, make_dataset
from ldt_pipeline_tests.syncing import Account

WITHOUT = [each for each in TABLES.values() if each.anonymous is None]
WITH = [each for each in TABLES.values() if each.anonymous is not None]


def personal_dataset() -> Dataset:
    """Give an account in which every column that can be personal holds text of its own."""
    dataset = make_dataset(3, participants=40, applications=20, mass_update=5, tickets=3)
    numbers = itertools.count(100_000)

    def unique(what: str) -> str:
        return f"Zq{what}{next(numbers)}"

    for collection in ("participants", "applications"):
        for record in dataset.live(collection):
            if record["gdprRedacted"]:
                continue
            dataset.put(collection, {**record, **_entry(unique)})
    for collection, text in (
        ("partners", {"defaultMarketing": "Mk", "specificMarketings": "Sm"}),
        ("reserved_entries", {"settings": "Se", "description": "De"}),
        ("tickets", {"inner": "Ti"}),
    ):
        for record in dataset.live(collection):
            changes: dict[str, Any] = {key: {"note": unique(mark)} for key, mark in text.items()}
            if "description" in text:
                changes["description"] = unique("De")
                changes["tickets"] = [{"ticketId": "1", "note": unique("Rt")}]
            if collection == "partners":
                names = ("id", "name", "email", "phone")
                changes["contacts"] = [{name: unique(name) for name in names} | {"role": "boss"}]
            dataset.put(collection, {**record, **changes})
    return dataset


def _entry(unique: Any) -> dict[str, Any]:
    labels = ("First name", "Last name", "Email address", "Mobile number", "Gender", "Club")
    more = ("Nationality", "Emergency contact name", "Emergency contact number", "Medical notes")
    answers = {label: unique("An") for label in (*labels, *more)}
    answers["Date of birth"] = date(1970, 1, 2).isoformat()
    fields = [{"id": None, "label": label, "value": value} for label, value in answers.items()]
    booker = {name: unique("Bo") for name in ("id", "firstName", "lastName", "email", "phone")}
    return {
        "fields": fields,
        "booker": booker,
        "bookingId": unique("Bk"),
        "transactionId": unique("Tr"),
        "bookingCodesUsed": {"codes": [unique("Co")]},
        "reservedEntryUrl": f"https://claim.example/{unique('Ur')}",
        "tags": [unique("Ta")],
        "statusDetails": [{"status": "CANCELLED", "reason": unique("St"), "date": None}],
        "tracking": {"clickId": unique("Tk")},
        "raceDayDetails": {"note": unique("Rd")},
        "resultSubmission": {"note": unique("Rs")},
        "course": {"note": unique("Cs")},
        "eventLocation": {"note": unique("Lo")},
    }


@pytest.fixture(scope="module")
def api() -> Iterator[OtherApi]:
    with OtherApi(personal_dataset()) as api:
        yield api


@pytest.fixture(scope="module")
def whole(api: OtherApi, tmp_path_factory: pytest.TempPathFactory) -> Account:
    account = Account.of(tmp_path_factory.mktemp("whole"), api)
    account.sync()
    return account


@pytest.fixture(scope="module")
def anonymous(api: OtherApi, tmp_path_factory: pytest.TempPathFactory) -> Account:
    account = Account.of(tmp_path_factory.mktemp("anonymous"), api, publish_personal_data=False)
    account.sync()
    return account


def personal_values(account: Account) -> dict[tuple[str, str], set[str]]:
    """Give what each personal column holds, piece by piece."""
    return {
        (table.name, name): {
            piece
            for (value,) in account.rows(
                f'SELECT "{name}"::VARCHAR FROM {table.name} WHERE "{name}" IS NOT NULL'
            )
            for piece in value.replace("[", " ").replace('"', " ").replace("'", " ").split()
            if "Zq" in piece
        }
        for table in WITH
        for name in table.personal_columns
    }


def objects(path: Path) -> dict[str, str]:
    with connect(path, read_only=True) as connection:
        return dict(
            connection.execute(
                "SELECT table_name, table_type FROM information_schema.tables "
                "WHERE table_schema = 'main'"
            ).fetchall()
        )


def test_each_table_has_one_without_people_beside_it(whole: Account) -> None:
    found = objects(whole.settings.published_path)
    expected = {each.name: "BASE TABLE" for each in TABLES.values()}
    expected |= {each.anonymous.name: "VIEW" for each in WITH if each.anonymous}
    assert found == expected | dict.fromkeys(VIEWS, "VIEW")
    for table in WITH:
        assert table.anonymous
        rows = whole.rows(f"DESCRIBE {table.anonymous.name}")
        assert [row[0] for row in rows] == list(table.anonymous.schema)
        names = ", ".join(f'"{name}"' for name in table.anonymous.schema)
        both = [f"SELECT {names} FROM {name}" for name in (table.name, table.anonymous.name)]
        assert sorted(map(repr, whole.rows(both[0]))) == sorted(map(repr, whole.rows(both[1])))


def test_a_notebook_that_attaches_the_file_reads_them_too(whole: Account) -> None:
    with duckdb.connect() as notebook:
        notebook.execute(f"ATTACH '{whole.settings.published_path}' AS any_name (READ_ONLY)")
        assert notebook.execute("FROM any_name.start_list_anonymous LIMIT 1").fetchall()


def test_views_and_their_columns_are_described(whole: Account) -> None:
    views = dict(whole.rows("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"))
    assert len(views) == len(WITH) + len(VIEWS)
    assert all("personal data" in views[each.anonymous.name] for each in WITH if each.anonymous)
    assert whole.rows(
        "SELECT count(*) FROM duckdb_columns() WHERE comment IS NULL AND NOT internal"
    ) == [(0,)]


def test_a_file_without_personal_data_has_the_other_tables_alone(anonymous: Account) -> None:
    found = objects(anonymous.settings.published_path)
    names = [each.name for each in WITHOUT] + [each.anonymous.name for each in WITH]  # type: ignore[union-attr]
    assert found == dict.fromkeys(names, "BASE TABLE") | dict.fromkeys(VIEWS, "VIEW")
    for name in names:
        assert anonymous.rows(f"SELECT count(*) FROM {name}")


def test_its_rows_are_the_same(whole: Account, anonymous: Account) -> None:
    for table in WITH:
        assert table.anonymous
        names = [name for name in table.anonymous.schema if name not in ("read_at",)]
        query = f"SELECT {', '.join(names)} FROM {table.anonymous.name}"
        assert sorted(map(repr, whole.rows(query))) == sorted(map(repr, anonymous.rows(query)))


def test_its_bytes_hold_nobody(whole: Account, anonymous: Account) -> None:
    values = personal_values(whole)
    untested = {
        f"{table}.{column}"
        for (table, column), found in values.items()
        if not found and kind_of(table, column) is not Personal.BIRTH  # dates are no text
    }
    # Nobody was erased here, nothing handed out, and each participant has one version alone.
    empty = {"erasures.recipients", "exports.recipient", "exports.file"}
    empty |= {"start_list_changes.before", "start_list_changes.after"}
    assert untested <= empty
    pieces = {piece.strip(",:{}()") for found in values.values() for piece in found}
    with_people = whole.settings.published_path.read_bytes()
    assert sum(piece.encode() in with_people for piece in pieces) > len(pieces) / 2, "can't tell"
    content = anonymous.settings.published_path.read_bytes()
    assert b"Zq" not in content
    assert [piece for piece in pieces if piece.encode() in content] == []


def kind_of(table: str, name: str) -> Personal | None:
    return next(each.personal for each in TABLES[table].columns if each.name == name)


def test_nothing_that_can_be_selected_is_personal(anonymous: Account) -> None:
    for name in objects(anonymous.settings.published_path):
        assert "Zq" not in repr(anonymous.rows(f"FROM {name}"))


def test_changing_ones_mind_publishes_anew(api: OtherApi, tmp_path: Path) -> None:
    """At the next sync, although the API has no news: nobody wants to wait for some."""
    account = Account.of(tmp_path, api)
    account.sync()
    held = duckdb.connect(str(account.settings.published_path), read_only=True)
    assert account.sync().published is False
    account = Account.of(tmp_path, api, publish_personal_data=False)
    assert account.sync().published is True
    assert b"Zq" not in account.settings.published_path.read_bytes()
    assert account.sync().published is False
    assert held.execute("SELECT count(*) FROM start_list").fetchall(), "whoever has it keeps it"
    held.close()
    assert Account.of(tmp_path, api).sync().published is True
    assert account.rows("SELECT count(*) FROM start_list") != [(0,)]
