"""`ldt start-list` with presets and days: what is said of those who aren't in the file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from ldt_pipeline.cli.lists import start_list
from ldt_pipeline.exporting.race_week import export_race
from ldt_pipeline_tests.exporting.lists import START, publish, republish, row

DAY = str(START.date())
NEXT_DAY = START + dt.timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LDT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def ldt(*arguments: str) -> Result:
    ran = CliRunner().invoke(start_list, ["r1", *arguments], prog_name="ldt")
    assert ran.exit_code == 0, ran.output
    return ran


def to(name: str, *arguments: str) -> Result:
    return ldt("--preset", "zone4", "--out", f"{name}.csv", "--recipient", "Timing", *arguments)


def test_those_whose_start_is_not_known(folder: Path) -> None:
    rows = [row("a"), row("b", race_start_at=None)]
    settings = publish(folder, rows)
    assert "Wrote 2 participants" in to("one", "--on", DAY).stdout
    assert "1" not in to("one", "--on", DAY).stderr
    assert ldt("--on", DAY, "--format", "csv").stdout.count("10k") == 2
    republish(settings, [*rows, row("c", race_start_at=NEXT_DAY)])
    for ran in (to("two", "--on", DAY), ldt("--on", DAY, "--format", "csv")):
        assert "1 participant of the race left out: when they start isn't known" in ran.stderr
    assert "Wrote 1 participant " in to("two", "--on", DAY).stdout


def test_those_whose_start_was_not_known_then(folder: Path) -> None:
    """The list as it stood has them where the list of today would."""

    def as_it_stood(*rows: dict[str, object]) -> Result:
        republish(settings, list(rows))
        with duckdb.connect(str(settings.published_path)) as connection:
            connection.execute("UPDATE participant_versions SET valid_from = ?", [START])
            connection.execute(
                "UPDATE participant_versions SET valid_to = valid_from WHERE version = 0"
            )
        return ldt("--on", DAY, "--format", "csv", "--as-of", str(NEXT_DAY))

    rows = [row("a"), row("b", race_start_at=None)]
    settings = publish(folder, rows)
    ran = as_it_stood(*rows)
    assert (ran.stdout.count("10k"), "left out" in ran.stderr) == (2, False)
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("DELETE FROM participant_versions")
    ran = as_it_stood(*rows, row("c", race_start_at=NEXT_DAY))
    assert ran.stdout.count("10k") == 1
    assert "1 participant of the race left out: when they start isn't known" in ran.stderr


def test_those_who_moved(folder: Path) -> None:
    rows = [row("a"), row("b", bib_number="8")]
    settings = publish(folder, rows)
    to("all")
    republish(settings, [rows[0], row("b", race_id="r2", bib_number="8")])
    ran = to("changes", "--changes-since", "last")
    assert "changes-moved.csv" in ran.stdout
    assert "1 entry moved to another race" in ran.stdout
    assert "withdrawn since" not in ran.stdout


def test_a_list_that_was_emptied(folder: Path) -> None:
    """Nobody says which day it was any more, and the timing company has everybody on it still."""
    settings = publish(folder, [row("a"), row("b", bib_number="8")])
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute("CREATE TABLE races AS SELECT 'r1' AS race_id")
    to("all")
    republish(settings, [])
    ran = to("changes", "--changes-since", "last")
    assert "2 entries were withdrawn since" in ran.stdout
    assert "0 participants" in to("again", "--changes-since", "last").stdout
    assert not Path("again-withdrawn.csv").exists()


def test_changes_by_hand_count_from_what_was_sent_by_hand(folder: Path) -> None:
    settings = publish(folder, [row("a")])
    to("all")
    republish(settings, [row("a", bib_number="8")])
    by_itself = settings.model_copy(update={"export_recipient": "Timing"})
    assert [each.unchanged for each in export_race(by_itself, "r1", START)] == [False, False]
    assert "Wrote 1 participant " in to("changes", "--changes-since", "last").stdout
    assert "Wrote 0 participants " in to("changes", "--changes-since", "last").stdout
    assert [each.unchanged for each in export_race(by_itself, "r1", START)] == [True, True]


def test_a_folder_of_presets_that_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preset of the same name that comes along must not be taken for the one that was agreed."""
    publish(folder, [row("a")])
    monkeypatch.setenv("LDT_PRESETS_DIR", str(folder / "mistyped"))
    options = ("r1", "--preset", "zone4", "--out", "list.csv")
    ran = CliRunner().invoke(start_list, options, prog_name="ldt")
    assert ran.exit_code == 1
    assert "mistyped, which is no folder" in ran.stderr


def test_a_start_that_becomes_known_does_not_hide_what_was_sent(folder: Path) -> None:
    """Nor does one that nobody knows any more: it is one list, as long as the race has one day."""
    undated = [row(each, race_start_at=None, bib_number=None) for each in ("a", "b")]
    settings = publish(folder, undated)
    to("all")
    republish(settings, [row("a", bib_number="8"), undated[1]])
    changed = to("changes", "--changes-since", "last")
    assert "Wrote 1 participant " in changed.stdout
    assert "withdrawn" not in changed.stdout
    republish(settings, undated)
    assert "Wrote 1 participant " in to("changes", "--changes-since", "last").stdout
    republish(settings, [row("a", bib_number="8"), undated[1]])
    assert "Wrote 1 participant " in to("changes", "--changes-since", "last").stdout
    assert "Wrote 0 participants " in to("changes", "--changes-since", "last").stdout


def test_a_list_of_two_days_is_not_told_from_one_of_before_they_were_known(folder: Path) -> None:
    """Each day's changes would have everybody of the other one withdrawn."""
    undated = [row(each, race_start_at=None) for each in ("a", "b")]
    settings = publish(folder, undated)
    to("all")
    republish(settings, [row("a"), row("b", race_start_at=NEXT_DAY)])
    options = ("r1", "--preset", "zone4", "--out", "changes.csv", "--recipient", "Timing")
    ran = CliRunner().invoke(
        start_list, [*options, "--on", DAY, "--changes-since", "last"], prog_name="ldt"
    )
    assert ran.exit_code == 1
    assert "Nothing of this was sent to 'Timing' yet" in ran.stderr


def test_a_start_that_was_put_off_does_not_hide_what_was_sent(folder: Path) -> None:
    """It asked for the whole list, which says nothing of those who withdrew meanwhile."""
    settings = publish(folder, [row("a"), row("b", bib_number="8"), row("c", bib_number="9")])
    to("all")
    later = {"race_start_at": NEXT_DAY}
    republish(settings, [row("a", **later), row("b", bib_number="10", **later)])
    changed = to("changes", "--changes-since", "last")
    assert "Wrote 1 participant " in changed.stdout
    assert "1 entry was withdrawn since" in changed.stdout
    assert "Lee" in Path("changes-withdrawn.csv").read_text()
    assert "Wrote 0 participants " in to("changes", "--changes-since", "last").stdout


@pytest.mark.parametrize(
    ("sent", "now", "on"),
    [
        ([DAY], [START + dt.timedelta(days=8)], None),
        ([DAY], [START, NEXT_DAY], NEXT_DAY),
        ([DAY, str(NEXT_DAY.date())], [START + dt.timedelta(days=2)], None),
    ],
    ids=["another edition", "two days", "two lists"],
)
def test_a_list_of_another_day_is_none_to_tell_changes_from(
    folder: Path, sent: list[str], now: list[dt.datetime], on: dt.datetime | None
) -> None:
    settings = publish(folder, [row("a"), row("b", race_start_at=NEXT_DAY)])
    for day in sent:
        to("all", "--on", day)
    republish(settings, [row("ab"[place], race_start_at=each) for place, each in enumerate(now)])
    chosen = ["--on", str(on.date())] if on else []
    options = ("r1", "--preset", "zone4", "--out", "changes.csv", "--recipient", "Timing")
    ran = CliRunner().invoke(
        start_list, [*options, "--changes-since", "last", *chosen], prog_name="ldt"
    )
    assert ran.exit_code == 1
    assert "Nothing of this was sent to 'Timing' yet" in ran.stderr
    told = f"They have lists of {' and '.join(sent)}: a whole list doesn't say who has left those"
    assert told in " ".join(ran.stderr.split())


def test_lists_of_two_days_that_become_one_are_told_from_that_days(folder: Path) -> None:
    """What was sent last, of the day on which nobody starts any more, knows none of the others."""
    settings = publish(folder, [row("a"), row("b", race_start_at=NEXT_DAY)])
    to("sunday", "--on", str(NEXT_DAY.date()))
    to("saturday", "--on", DAY)
    republish(settings, [row("a", race_start_at=NEXT_DAY)])
    changed = to("changes", "--changes-since", "last")
    assert "Wrote 1 participant " in changed.stdout
    assert "1 entry was withdrawn since" in changed.stdout


@pytest.mark.parametrize(
    ("preset", "name", "is_taken"),
    [
        ("zone4", "list.xlsx", False),
        ("xlsx", "list.csv", False),
        ("json", "list.parquet", False),
        ("csv", "list.JSON", False),
        ("xlsx", "list.XLSX", True),
        ("webscorer", "list.csv", True),
        ("zone4", "list.v2", True),
        ("xlsx", "list", True),
    ],
)
def test_a_name_that_says_another_format(
    folder: Path, preset: str, name: str, is_taken: bool
) -> None:
    """Excel opens no CSV that is called list.xlsx, and timing software reads no Excel file as CSV."""
    publish(folder, [row("a")])
    options = ("r1", "--preset", preset, "--out", name)
    ran = CliRunner().invoke(start_list, options, prog_name="ldt")
    assert (ran.exit_code, Path(name).exists()) == ((0, True) if is_taken else (2, False))
    assert is_taken or f"--out {name}: the preset {preset} writes" in ran.stderr
