"""`ldt erase`, and the proof of it: a search through every byte under the data folder."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from ldt_pipeline.home import open_instance
from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.cli.conftest import Ran, run_ldt
from ldt_pipeline_tests.erasing.everywhere import find


@dataclass
class World:
    """An account that was synced, of which one person is about to be erased."""

    sandbox: Sandbox
    folder: Path
    participant: str
    application: str
    values: set[str]

    def run(self, *arguments: str) -> Ran:
        settings = {
            "LDT_API_KEY": self.sandbox.api_key,
            "LDT_API_BASE_URL": self.sandbox.base_url,
            "LDT_DATA_DIR": str(self.data),
        }
        return run_ldt(*arguments, folder=self.folder, settings=settings)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.data / "ldt.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def found(self) -> dict[str, list[str]]:
        return find(self.data, self.values)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("erase")
    account = SandboxAccount(150, seed=11, applications=60, history_years=1, events=3)
    with Sandbox(account) as sandbox:
        world = World(sandbox, folder, "", "", set())
        assert world.run("sync").status == 0
        ((world.participant, world.application),) = world.rows(
            """
            SELECT participant_id, application_id FROM participants
            WHERE NOT gdpr_redacted AND application_id IN (SELECT application_id FROM applications)
                AND participant_id IN (SELECT participant_id FROM start_list WHERE email <> '')
            ORDER BY participant_id LIMIT 1
            """
        )
        world.values = _values(world)
        yield world
    account.close()


def _values(world: World) -> set[str]:
    """Give what is only ever said of this person: a copy of a value of somebody else may stay."""
    rows = world.rows(
        f"""
        WITH said AS (
            SELECT participant_id AS id, answer AS text FROM participant_answers
            UNION ALL SELECT application_id, answer FROM application_answers
            UNION ALL SELECT participant_id, unnest([booker_name, booker_email, booker_phone])
                FROM participants
            UNION ALL SELECT application_id, unnest([booker_name, booker_email, booker_phone])
                FROM applications
        )
        SELECT text FROM said WHERE length(text) >= 6 GROUP BY text
        HAVING bool_and(id IN ('{world.participant}', '{world.application}'))
        """
    )
    return {row[0] for row in rows}


@pytest.mark.slow
def test_erased_everywhere(world: World) -> None:
    race_id = world.rows(
        f"SELECT race_id FROM start_list WHERE participant_id = '{world.participant}'"
    )[0][0]
    email = next(value for value in world.values if "@" in value)
    name = next(value for value in world.values if " " in value and "@" not in value)
    assert len(world.values) >= 4, "name, e-mail, telephone and date of birth at least"
    _export(world, race_id, name, email)
    _plant(world, email, name)
    before = world.found()
    assert set().union(*before.values()) == world.values, "the control: all of it can be found"
    places = {path.split("/")[0] for path in before}
    assert places == {"raw", "warehouse.duckdb", "ldt.duckdb", "exports", "dagster", "allocations"}
    assert {Path(path).suffix for path in before if path.startswith("exports")} == {
        *(".csv", ".json", ".xlsx", ".parquet")
    }
    backup = world.folder / "backup"
    shutil.copytree(world.data / "raw", backup)
    others = _others(world)
    public = _public_texts(world)
    known = world.data / "exports" / "known.csv"
    known.write_text("\n".join(public))
    of_dagster = find(world.data / "dagster", public)
    assert of_dagster, "the control: Dagster's records say names of races"

    asked = world.run("erase", "participant", world.participant)
    assert asked.status == 1, "nobody answered the question"
    assert world.found() == before

    ran = world.run("erase", "participant", world.participant, "--yes")
    assert ran.status == 0, ran.err
    assert f"application {world.application}" in ran.out
    assert "To be told:   Chip Timing Ltd: " in ran.out
    assert world.found() == {}
    assert len(list((world.data / "allocations" / "plans").iterdir())) == 1, "another's plan stays"
    assert known.exists(), "the names of a race tell nobody who it was"
    assert (world.data / "exports" / "other.csv").exists()
    now_of_dagster = find(world.data / "dagster", public)
    assert {path: now_of_dagster.get(path) for path in of_dagster} == of_dagster
    assert not [value for value in world.values if value in ran.out + ran.err]
    assert _others(world) == others
    assert world.rows(
        "SELECT is_redacted, email, bib_number, race_id FROM start_list "
        f"WHERE participant_id = '{world.participant}'"
    ) == [(True, None, None, race_id)]
    erased = world.rows("SELECT subject, subject_id, reason, recipients FROM erasures ORDER BY 1")
    assert [row[:3] for row in erased if row[2] == "asked"] == [
        ("applications", world.application, "asked"),
        ("participants", world.participant, "asked"),
    ]
    assert "Chip Timing Ltd" in str(erased)

    # The API still has the person, and shows a change.
    world.sandbox.account.update_participant(world.participant, bib_number="7777")
    assert world.run("sync").status == 0
    assert world.found() == {}
    assert world.run("sync").out.splitlines()[-1].startswith("Nothing new"), "and that's that"

    # An old backup comes back.
    shutil.copytree(backup, world.data / "raw", dirs_exist_ok=True)
    assert world.found() != {}
    assert world.run("sync").status == 0
    assert world.found() == {}
    assert _others(world) == others

    assert world.run("rebuild").status == 0
    assert world.found() == {}
    assert _others(world) == others


def _public_texts(world: World) -> set[str]:
    """Give what the person's record says of the race, the ticket and the questions."""
    rows = world.rows(
        f"""
        SELECT unnest([event_name, race_name, ticket_title, partner_name, reserved_entry_group_name])
        FROM start_list WHERE participant_id = '{world.participant}'
        UNION SELECT question FROM participant_answers
        WHERE participant_id = '{world.participant}'
        """
    )
    return {text for (text,) in rows if text and " " in text}


def _others(world: World) -> list[Any]:
    return [
        world.rows(f"SELECT * FROM {table} WHERE {key} <> '{person}' ORDER BY ALL")
        for table, key, person in (
            ("start_list", "participant_id", world.participant),
            ("participant_answers", "participant_id", world.participant),
            ("participants", "participant_id", world.participant),
            ("applications", "application_id", world.application),
            ("application_answers", "application_id", world.application),
        )
    ]


def _export(world: World, race_id: str, name: str, email: str) -> None:
    """Make exports of every kind; the last two as another tool would."""
    exports = world.data / "exports"
    for to_format in ("csv", "json"):
        ran = world.run(
            *("start-list", race_id, "--format", to_format, "--recipient", "Chip Timing Ltd"),
            *("--out", str(exports / f"list.{to_format}")),
        )
        assert ran.status == 0, ran.err
    with zipfile.ZipFile(exports / "list.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sharedStrings.xml", f"<t>{name}</t>" * 50)
    pl.DataFrame({"email": [email] * 50}).write_parquet(exports / "list.parquet")
    (exports / "other.csv").write_text("participant_id\nsomebody else\n")


def _plant(world: World, email: str, name: str) -> None:
    """Put what no pipeline should into Dagster's records, as an error of a library might."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDT_DATA_DIR", str(world.data))
        patch.delenv("DAGSTER_HOME", raising=False)
        with open_instance() as instance:
            run = instance.get_runs(limit=1)[0]
            instance.add_run_tags(run.run_id, {"note": email})
            instance.report_engine_event(f"can't convert {name}: {email}", run)
    log = world.data / "dagster" / "logs" / "some.err"
    log.parent.mkdir(exist_ok=True, parents=True)
    log.write_text(f"ValueError: {email}")
    plan = world.data / "allocations" / "plans" / "0123456789abcdef.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(f'{{"contactEmail": "{email}"}}')
    (plan.parent / "fedcba9876543210.json").write_text('{"contactEmail": "of.another@example.org"}')


def test_who_is_not_held(world: World) -> None:
    ran = world.run("erase", "participant", "nobody", "--yes")
    assert ran.status == 1
    assert "No participant nobody is held here" in ran.sentence


def test_others_with_the_same_address_are_listed(world: World) -> None:
    """Bookings of several people have one booker, whose address is in all of their records."""
    rows = world.rows(
        """
        SELECT DISTINCT starter.participant_id, other.participant_id
        FROM start_list AS starter JOIN start_list AS other
            ON lower(other.booker_email) = lower(starter.email)
            AND other.participant_id <> starter.participant_id
        WHERE NOT starter.is_redacted ORDER BY ALL LIMIT 1
        """
    )
    assert rows, "the sandbox has parties"
    booker, member = rows[0]
    ran = world.run("erase", "participant", booker)
    assert f"Not erased:   participant {member} was booked with the same e-mail address" in ran.out
