from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline.sandbox.layouts import ONLY_WITH_EXTENDED_METADATA
from ldt_pipeline.sandbox.names import LANGUAGES
from ldt_pipeline.sandbox.schemas import SCHEMAS
from ldt_pipeline_tests.sandbox.client import Client
from ldt_pipeline_tests.sandbox.conftest import NOW

EXTENDED = {"page[size]": 500, "extendMetadata": "true"}


def everything(account: SandboxAccount) -> str:
    """A digest of every byte that the account serves."""
    digest = hashlib.sha256()
    for participant_id in account.participant_ids():
        digest.update(account.participant_json(participant_id, extended=True) or b"")
    for application_id in account.application_ids():
        digest.update(account.application_json(application_id, extended=False) or b"")
    for partner_id in account.partner_ids():
        digest.update(repr(account.partner(partner_id)).encode())
    for event_id in account.event_ids():
        digest.update(repr((account.groups(event_id), account.tickets(event_id))).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def people(shared_sandbox: Sandbox) -> list[dict[str, Any]]:
    with Client(shared_sandbox) as client:
        return client.walk("/participants", EXTENDED)


@pytest.fixture(scope="module")
def applications(shared_sandbox: Sandbox) -> list[dict[str, Any]]:
    with Client(shared_sandbox) as client:
        return client.walk("/applications", EXTENDED)


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "from datetime import UTC, datetime\n"
        "from ldt_pipeline.sandbox import SandboxAccount\n"
        "from ldt_pipeline_tests.sandbox.test_generator import everything\n"
        "account = SandboxAccount(300, seed=11, now=datetime(2026, 5, 1, 12, tzinfo=UTC))\n"
        "print(everything(account))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == everything(SandboxAccount(300, seed=11, now=NOW))


def test_another_seed_gives_another_account() -> None:
    first, second = SandboxAccount(50, seed=1, now=NOW), SandboxAccount(50, seed=2, now=NOW)
    assert not set(first.participant_ids()) & set(second.participant_ids())
    assert everything(first) != everything(second)


@pytest.mark.parametrize("participants", [0, 1, 2, 17])
def test_small_accounts_work(participants: int) -> None:
    account = SandboxAccount(participants, seed=4, now=NOW)
    assert account.counts()["participants"] == participants == len(account.participant_ids())


@pytest.mark.parametrize("events", [1, 2, 40])
def test_accounts_have_as_many_events_as_asked(events: int) -> None:
    account = SandboxAccount(200, seed=4, now=NOW, events=events, applications=500)
    assert len(set(account.event_ids())) == events
    assert len(set(account.race_ids())) == account.counts()["races"]
    assert account.counts()["applications"] == (500 if events > 1 else 0)


def test_the_history_ends_before_now_and_now_defaults_to_the_minute() -> None:
    account = SandboxAccount(400, seed=4)
    age = datetime.now(UTC) - account.now
    assert account.now.second == account.now.microsecond == 0
    assert 0 <= age.total_seconds() < 120
    records = [account.participant(participant_id) for participant_id in account.participant_ids()]
    newest = max(record["updatedAt"] for record in records if record)
    assert datetime.fromisoformat(newest) < account.now


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        SandboxAccount(1, now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_instants_are_in_order_and_spread(people: list[dict[str, Any]]) -> None:
    for record in people:
        assert record["createdAt"] <= record["updatedAt"] < "2026-05-01T12:00:00.000Z"
        assert len(record["updatedAt"]) == len("2023-05-08T11:30:00.000Z")
    by_year = Counter(record["createdAt"][:4] for record in people)
    assert all(by_year[year] > 100 for year in ("2023", "2024", "2025"))
    same = sum(record["createdAt"] == record["updatedAt"] for record in people)
    assert 0.2 < same / len(people) < 0.5
    # Waves were given out to many at once.
    assert Counter(record["updatedAt"] for record in people).most_common(1)[0][1] > 5


def test_ids_look_like_the_reference(people: list[dict[str, Any]]) -> None:
    for record in people:
        for key in ("id", "bookingId", "transactionId", "eventOccurrenceId", "ticketId"):
            assert len(record[key]) == 24
            int(record[key], 16)
        assert record["eventId"].isdigit()
        assert record["raceId"].isdigit()
        assert len(record["raceId"]) == 10


def test_records_weigh_about_three_kilobytes() -> None:
    account = SandboxAccount(500, seed=2, now=NOW)
    sizes = [
        len(account.participant_json(participant_id, extended=True) or b"")
        for participant_id in account.participant_ids()
    ]
    assert 2_700 < sum(sizes) / len(sizes) < 3_800


def test_people_come_in_many_scripts(people: list[dict[str, Any]]) -> None:
    names = " ".join(
        str(item["value"]) for record in people for item in record["fields"][:2] if item
    )
    scripts = {unicodedata.name(letter, " ").split()[0] for letter in names if letter.isalpha()}
    assert {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "CJK", "HANGUL", "DEVANAGARI"} <= scripts
    for mark in ("'", "’", "-", "é", "ł", "\N{COMBINING ACUTE ACCENT}"):
        assert mark in names


def test_names_fit_into_json_as_they_are() -> None:
    for language in LANGUAGES:
        for plain, ascii_form in (*language.women, *language.men, *language.family):
            assert not set(plain) & set('"\\')
            assert ascii_form
            assert ascii_form.isascii()


def test_questions_are_worded_differently(people: list[dict[str, Any]]) -> None:
    wordings = {item["label"] for record in people for item in record["fields"] if item}
    assert {"Date of birth", "DOB", "Emergency contact number", "ICE phone"} <= wordings


def test_bibs_are_text_with_a_few_missing_and_duplicate() -> None:
    account = SandboxAccount(5_000, seed=3, now=NOW)
    records = [account.participant(p) for p in account.participant_ids()]
    bibs: Counter[tuple[str, str, str]] = Counter()
    kinds: set[str] = set()
    missing = 0
    for record in records:
        assert record is not None
        bib = record["bibNumber"]
        assert bib is None or isinstance(bib, str)
        if bib:
            bibs[record["raceId"], record["eventOccurrenceId"], bib] += 1
            kinds.add("letter" if bib[0].isalpha() else "zero" if bib[0] == "0" else "plain")
        elif record["raceStartDate"] < "2026-05-01":
            missing += 1
    duplicates = sum(count - 1 for count in bibs.values())
    assert kinds == {"letter", "zero", "plain"}
    assert 0 < missing < 100
    assert 0 < duplicates < 50


def test_some_book_for_others(people: list[dict[str, Any]]) -> None:
    bookings = Counter(record["bookingId"] for record in people)
    shared = [record for record in people if bookings[record["bookingId"]] > 1]
    assert len(shared) > 50
    for booking in {record["bookingId"] for record in shared}:
        members = [record for record in shared if record["bookingId"] == booking]
        # Some members may be odd; the rest name one booker.
        bookers = {str(record.get("booker")) for record in members if record.get("booker")}
        assert len({record["ticketId"] for record in members}) == 1
        assert len(bookers) <= 2
        assert sorted(int(record["participantIndex"]) for record in members) == list(
            range(len(members))
        )


def test_most_groups_count_truly_and_have_all_types(shared_sandbox: Sandbox) -> None:
    account = shared_sandbox.account
    groups = [group for event_id in account.event_ids() for group in account.groups(event_id) or []]
    right = [group["usedCapacity"] == account.true_claims(group["id"]) for group in groups]
    assert 0.9 < sum(right) / len(right) <= 1
    assert {group["type"] for group in groups} >= {"SINGLE_USE", "MULTI_USE"}
    assert any(group["usedCapacity"] == 0 for group in groups)
    assert any(group["settings"] is None for group in groups)
    assert any(group["partnerId"] is None for group in groups)
    assert all(group["id"].startswith("re_") for group in groups)


def test_ballots_lead_to_places(
    people: list[dict[str, Any]], applications: list[dict[str, Any]]
) -> None:
    assert {a["approvalStatus"] for a in applications} == {"PENDING", "APPROVED", "DECLINED"}
    by_id = {application["id"]: application for application in applications}
    winners = {record["applicationId"]: record for record in people if record["applicationId"]}
    approved = {a["id"] for a in applications if a["approvalStatus"] == "APPROVED"}
    assert approved == set(winners)
    for application_id, participant in winners.items():
        application = by_id[application_id]
        assert application["createdAt"] <= participant["createdAt"]
        assert application["ticketId"] == participant["ticketId"]
        assert application["gdprRedacted"] == participant["gdprRedacted"]


def test_a_few_people_are_forgotten() -> None:
    account = SandboxAccount(3_000, seed=3, now=NOW)
    records = [account.participant(p) for p in account.participant_ids()]
    forgotten = [record for record in records if record and record["gdprRedacted"]]
    assert 2 <= len(forgotten) <= 25
    for record in forgotten:
        assert all(item["value"] is None for item in record["fields"])


def test_odd_records_are_few_and_can_be_left_out() -> None:
    plain = SandboxAccount(1_000, seed=3, now=NOW, oddities=False)
    odd = SandboxAccount(1_000, seed=3, now=NOW)
    different = sum(
        plain.participant(participant_id) != odd.participant(participant_id)
        for participant_id in plain.participant_ids()
    )
    assert 5 <= different <= 60


@pytest.mark.parametrize(
    ("question_key", "answer_key"),
    [("question", "answer"), ("name", "values"), ("title", "value"), ("key", "answer")],
)
def test_answers_can_be_laid_out_in_other_ways(question_key: str, answer_key: str) -> None:
    account = SandboxAccount(600, seed=3, now=NOW, question_key=question_key, answer_key=answer_key)
    for participant_id in account.participant_ids():
        account.update_participant(participant_id, answers={"Favourite colour": "mauve"})
        record = account.participant(participant_id)
        assert record is not None
        items = [item for item in record["fields"] if item is not None]
        assert all({question_key, answer_key} <= set(item) for item in items)
        assert record["gdprRedacted"] or items[-1][question_key] == "Favourite colour"
        if answer_key == "values":
            assert all(isinstance(item[answer_key], list) for item in items)


def test_ordinary_records_have_the_shape_of_the_schemas() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    account = SandboxAccount(400, seed=3, now=NOW, oddities=False)
    document = {"components": {"schemas": SCHEMAS}}

    def check(kind: str, record: dict[str, Any] | None) -> None:
        assert record is not None
        assert set(record) == set(SCHEMAS[kind]["properties"])
        jsonschema.Draft202012Validator({**document, **SCHEMAS[kind]}).validate(record)

    for participant_id in account.participant_ids():
        check("Participant", account.participant(participant_id))
    for application_id in account.application_ids():
        check("Application", account.application(application_id))
    for partner_id in account.partner_ids():
        check("Partner", account.partner(partner_id))
    for event_id in account.event_ids():
        for group in account.groups(event_id) or []:
            check("ReservedEntryGroup", group)
        for ticket in account.tickets(event_id) or []:
            check("Ticket", ticket)


def test_what_is_left_out_is_in_the_schema() -> None:
    assert set(ONLY_WITH_EXTENDED_METADATA) <= set(SCHEMAS["Participant"]["properties"])
