"""Text from strangers, through the whole pipeline: it stays text, wherever it goes.

Ids, names and answers that would be SQL, paths, formulas, markup or a terminal's commands if
anything took them for such. The tables hold what was served; what is printed obeys nobody.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ldt_pipeline.api.errors import ResponseTooLargeError
from ldt_pipeline.api.limits import RECORD_BYTES_MOST
from ldt_pipeline.cli.exports import defuse
from ldt_pipeline.cli.text import clean
from ldt_pipeline.defs.metadata import preview
from ldt_pipeline_tests.cli.conftest import Ran, run_ldt
from ldt_pipeline_tests.other_api import Dataset, OtherApi, make_dataset
from ldt_pipeline_tests.syncing import Account, published_rows

TEXTS = (
    *("../../etc/passwd", "..\\..\\x", "/etc/passwd", "a/b", "%2e%2e%2f", "~root", "CON", "."),
    *("'; DROP TABLE start_list; --", "x' OR '1'='1", '"quoted"', "$1", "?", "{id}", "%s"),
    *('=HYPERLINK("http://x.example";"open")', "+cmd|' /C calc'!A0", "@SUM(A1:A9)", "-1+1"),
    *("\t=1+1", "Jo;=1+1", "<script>alert(1)</script>", "[x](javascript:alert(1))", "**b**"),
    *("https://evil.example/login", "| a | b |", "`x`", "![](http://x.example/p.png)"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "\r\nInjected: yes", "a\nb", "a\u2028b"),
    *("\u202egnp.exe", "\u2066x\u2069", "zero\u200bwidth", "\ufeffbom", "\U000e0041tag", "\x7f"),
    *("nul\x00l", "...", "a...b", "[a...b]", "a,b", "*", " lead", "trail ", "\u00a0", "%00", "%"),
    *("null", "NaN", "true", "1e999", "-0", "007", "\u0661\u0662", "é", "日本語", "🏃‍♀️", "x" * 900),
    *("${LDT_API_KEY}", "{{ 7*7 }}", "%(levelname)s", "{0.__class__}", "\\u0000", "\\", "'", '"'),
)
"""What an id, a name or an answer could be, if somebody meant ill or a keyboard broke."""

HOSTILE = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)).map("".join),
)
IDS = HOSTILE.filter(lambda text: text.replace("\0", "").strip() not in ("", ".", ".."))


def expected(text: str) -> str | None:
    """Give what a table holds of a text: all but NUL, which no database takes; null for nothing."""
    return text.replace("\0", "") or None


def trimmed(text: str | None) -> str | None:
    """Give an answer without the blanks around it, which nobody means."""
    return (text or "").strip() or None


def hostile_account(texts: list[str], ids: list[str]) -> Dataset:
    """Give a small account in which ids and texts are taken from these, over and over."""
    dataset = make_dataset(3, participants=6, applications=3, mass_update=1, tickets=1)
    hostile = Dataset()
    ids = list({each.replace(chr(0), ""): each for each in ids}.values())
    new: dict[str, str] = {}

    def renamed(old: Any, *, kind: str) -> Any:
        if old is None:
            return None
        place = new.setdefault(f"{kind} {old}", str(len(new)))
        number = int(place)
        # Each id is unique: the second time round, a number tells them apart.
        return ids[number] if number < len(ids) else f"{ids[number % len(ids)]}{number}"

    position = 0

    def text() -> str:
        nonlocal position
        position += 1
        return texts[position % len(texts)]

    for collection in ("participants", "applications"):
        for record in dataset.live(collection):
            fields = [{**each, "value": text()} for each in record["fields"]]
            hostile.put(
                collection,
                {
                    **record,
                    "id": renamed(record["id"], kind=collection),
                    "eventId": renamed(record["eventId"], kind="event"),
                    "raceId": renamed(record["raceId"], kind="race"),
                    "eventName": text(),
                    "raceName": text(),
                    "bibNumber": text(),
                    "reservedEntryGroupName": text(),
                    "tags": [text(), text()],
                    "fields": fields,
                },
            )
    for collection, kind in (
        ("partners", "partner"),
        ("reserved_entries", "group"),
        ("tickets", "t"),
    ):
        for record in dataset.live(collection):
            changes: dict[str, Any] = {"id": renamed(record["id"], kind=kind)}
            for key in ("name", "title", "description"):
                if key in record:
                    changes[key] = text()
            if "eventId" in record:
                changes["eventId"] = renamed(record["eventId"], kind="event")
            hostile.put(collection, {**record, **changes})
    return hostile


def can_be_asked_for(event_id: str) -> bool:
    """Tables hold no NUL, so an id with one can't be asked for; and some pieces of a path vanish."""
    return chr(0) not in event_id and event_id not in {"", ".", ".."}


def assert_equals_served(path: Path, dataset: Dataset) -> None:
    for collection, key in (("participants", "participant_id"), ("applications", "application_id")):
        served = {
            tuple(
                expected(record[name])
                for name in ("id", "eventId", "raceId", "eventName", "raceName")
            )
            for record in dataset.live(collection)
        }
        found = published_rows(
            path, f"SELECT {key}, event_id, race_id, event_name, race_name FROM {collection}"
        )
        assert set(found) == served
        answers = {
            (expected(record["id"]), place, trimmed(expected(field["value"])))
            for record in dataset.live(collection)
            for place, field in enumerate(record["fields"])
        }
        child = f"{collection[:-1]}_answers"
        found = published_rows(path, f"SELECT {key}, position, answer FROM {child}")
        assert {(row[0], row[1], trimmed(row[2])) for row in found} == answers
    for collection, table, column in (
        ("partners", "partners", "partner_id, name"),
        ("reserved_entries", "reserved_entry_groups", "reserved_entry_group_id, name"),
        ("tickets", "tickets", "ticket_id, title"),
    ):
        events = {record["eventId"] for record in dataset.live("participants")}
        events |= {record["eventId"] for record in dataset.live("applications")}
        served = {
            (expected(record["id"]), expected(record.get("name", record.get("title"))))
            for record in dataset.live(collection)
            if "eventId" not in record
            or (record["eventId"] in events and can_be_asked_for(record["eventId"]))
        }
        assert set(published_rows(path, f"SELECT {column} FROM {table}")) == served


@pytest.mark.slow
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure is plain enough as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(HOSTILE, min_size=5, max_size=30), st.lists(IDS, min_size=6, max_size=30))
def test_tables_hold_what_was_served(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ids: list[str]
) -> None:
    dataset = hostile_account(texts, ids)
    folder = tmp_path_factory.mktemp("hostile")
    with OtherApi(dataset) as api:
        account = Account.of(folder / "data", api)
        account.sync()
        assert_equals_served(account.settings.published_path, dataset)
        assert account.sync().published is False
    assert [path.name for path in folder.iterdir()] == ["data"], "nothing leads out of the folder"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    ids = [text for text in TEXTS if text not in (".", "..") and text.strip()]
    return hostile_account(list(TEXTS), ids)


@pytest.fixture(scope="module")
def synced(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """`ldt sync` of all of them at once, through Dagster."""
    folder = tmp_path_factory.mktemp("hostile")
    with OtherApi(dataset) as api:
        environment = {
            "LDT_API_KEY": api.api_key,
            "LDT_API_BASE_URL": api.base_url,
            "LDT_DATA_DIR": str(folder / "data"),
        }
        ran = run_ldt("--verbose", "sync", folder=folder, settings=environment)
        again = run_ldt("sync", folder=folder, settings=environment)
        checked = run_ldt("--verbose", "check", folder=folder, settings=environment)
    assert (again.status, again.err) == (0, "")
    assert_harmless(again.out + checked.out + checked.err)
    return folder, ran


def assert_harmless(printed: str) -> None:
    r"""See that a terminal obeys nothing in a text but line feeds (and the CR before them)."""
    text = printed.replace("\r\n", "\n").replace("\n", "")
    assert clean(text) == text


def published(folder: Path) -> Path:
    return folder / "data" / "ldt.duckdb"


def ldt(folder: Path, *arguments: str) -> Ran:
    return run_ldt(*arguments, folder=folder, settings={"LDT_DATA_DIR": str(folder / "data")})


@pytest.mark.slow
def test_a_sync_through_dagster(synced: tuple[Path, Ran], dataset: Dataset) -> None:
    folder, ran = synced
    assert ran.status == 0, ran.err
    assert_harmless(ran.out + ran.err)
    assert_equals_served(published(folder), dataset)
    assert {path.name for path in folder.iterdir()} == {"data"}
    ours = {
        *("raw", "alive", "dagster", "organiser.json", "confirmed.json", "sync.lock"),
        *("warehouse.duckdb", "warehouse.lock", "ldt.duckdb"),
    }
    assert {path.name for path in (folder / "data").iterdir()} == ours


def test_start_lists(synced: tuple[Path, Ran], dataset: Dataset) -> None:
    folder, _ = synced
    races = sorted({expected(record["raceId"]) for record in dataset.live("participants")})
    for race in races:
        shown = ldt(folder, "start-list", "--", race)
        assert shown.status == 0, shown.err
        assert_harmless(shown.out + shown.err)
        exported = ldt(folder, "start-list", "--format", "csv", "--", race)
        assert_harmless(exported.out + exported.err)
        for row in csv.reader(io.StringIO(exported.out, newline="")):
            assert [cell for cell in row if defuse(cell) != cell] == []
        as_json = ldt(folder, "start-list", "--format", "json", "--", race)
        assert_harmless(as_json.out)
        held = published_rows(
            published(folder), "SELECT participant_id, first_name, club, race_id FROM start_list"
        )
        listed = [
            (row["participant_id"], row["first_name"], row["club"], row["race_id"])
            for row in json.loads(as_json.out)
        ]
        assert sorted(map(repr, listed)) == sorted(repr(row) for row in held if row[3] == race)


def test_allocations_and_what_is_not_there(synced: tuple[Path, Ran]) -> None:
    folder, _ = synced
    for arguments in (
        ["allocations"],
        ["allocations", "--format", "csv"],
        ["allocations", "--format", "json"],
        ["start-list", "\x1b[31mnowhere\u202e"],
        ["allocations", "\x1b[31mnowhere\u202e"],
    ):
        ran = ldt(folder, *arguments)
        assert ran.status == (1 if arguments[-1].startswith("\x1b") else 0), ran.err
        assert_harmless(ran.out + ran.err)
        if "csv" in arguments:
            cells = [cell for row in csv.reader(io.StringIO(ran.out, newline="")) for cell in row]
            assert [cell for cell in cells if defuse(cell) != cell] == []


@pytest.mark.slow
def test_a_rebuild(synced: tuple[Path, Ran], dataset: Dataset, tmp_path: Path) -> None:
    folder, _ = synced
    shutil.copytree(folder / "data" / "raw", tmp_path / "data" / "raw")
    ran = ldt(tmp_path, "rebuild")
    assert ran.status == 0, ran.err
    assert_equals_served(published(tmp_path), dataset)


def test_dagster_shows_text_as_text(
    synced: tuple[Path, Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No metadata is markup made of somebody's text, and no comment is anybody's but ours."""
    from ldt_pipeline.home import open_instance

    folder, _ = synced
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("LDT_DATA_DIR", str(folder / "data"))
    shown = 0
    with open_instance() as instance:
        for run in instance.get_runs():
            for record in instance.all_logs(run.run_id):
                event = record.dagster_event
                materialization = (
                    event.step_materialization_data.materialization
                    if (event and event.is_step_materialization)
                    else None
                )
                for value in materialization.metadata.values() if materialization else ():
                    shown += isinstance(value, dg.TableMetadataValue)
                    assert not isinstance(value, dg.MarkdownMetadataValue | dg.UrlMetadataValue)
    assert shown > 10
    comments = published_rows(
        published(folder),
        "SELECT comment FROM duckdb_columns() WHERE NOT internal "
        "UNION ALL SELECT comment FROM duckdb_tables() UNION ALL SELECT comment FROM duckdb_views()",
    )
    assert not [row for row in comments if row[0] and re.search(r"[<>\x1b]", row[0])]


@given(HOSTILE)
def test_a_preview_is_plain_and_short(text: str) -> None:
    (record,) = preview(["name"], [[text]]).records
    assert isinstance(record.data["name"], str)
    assert record.data["name"].isprintable()
    assert len(record.data["name"]) <= 40


def test_a_record_beyond_the_limits_stops_a_sync_and_costs_nothing(tmp_path: Path) -> None:
    dataset = make_dataset(3, participants=6, applications=3, mass_update=1, tickets=1)
    with OtherApi(dataset) as api:
        account = Account.of(tmp_path, api)
        account.sync()
        stamp, extracts = account.stamp(), account.store.extract_ids("participants")
        first = dataset.live("participants")[0]
        beyond = "x" * RECORD_BYTES_MOST
        api.touch("participants", first["id"], raceDayDetails=beyond)
        requests = len(api.requests)
        with pytest.raises(ResponseTooLargeError):
            account.sync()
        assert len(api.requests) <= requests + 4, "it is not asked for again and again"
        assert account.stamp() == stamp
        assert account.store.extract_ids("participants") == extracts
        api.touch("participants", first["id"], raceDayDetails=None, bibNumber="again")
        assert account.sync().published
        assert account.rows("SELECT count(*) FROM start_list WHERE bib_number = 'again'") == [(1,)]
