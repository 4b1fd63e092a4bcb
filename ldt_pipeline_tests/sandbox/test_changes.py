from __future__ import annotations

import random
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline.sandbox.churn import random_change
from ldt_pipeline_tests.sandbox.client import Client, ids
from ldt_pipeline_tests.sandbox.conftest import NOW

CHANGED = {"updatedAt[after]": (NOW - timedelta(seconds=1)).isoformat(), "sort[updatedAt]": 1}


def answer(record: dict[str, Any], wording: str) -> Any:
    return next(item["value"] for item in record["fields"] if item["label"] == wording)


def claims(account: SandboxAccount) -> dict[str, int]:
    """How many participants name each group, counted the slow way."""
    counted = dict.fromkeys(account.group_ids(), 0)
    for participant_id in account.participant_ids():
        record = account.participant(participant_id)
        assert record is not None
        code = record["reservedEntryGroupCode"]
        if code in counted:
            counted[code] += 1
    return counted


def test_an_added_participant_is_served(sandbox: Sandbox, own_client: Client) -> None:
    race_id = sandbox.account.race_ids()[1]
    participant_id = sandbox.account.add_participant(
        race_id=race_id, answers={"First name": "Zoë"}, fields={"bibNumber": "00X"}
    )
    record = own_client.json(f"/participants/{participant_id}")
    assert record["raceId"] == race_id
    assert record["bibNumber"] == "00X"
    assert answer(record, "First name") == "Zoë"
    assert record["createdAt"] == record["updatedAt"] >= "2026-05-01T12:00:00.000Z"
    assert own_client.walk("/participants", CHANGED) == [record]
    assert participant_id in ids(own_client.walk(f"/races/{race_id}/participants"))


def test_an_update_moves_a_record_to_the_end(sandbox: Sandbox, own_client: Client) -> None:
    participant_id = sandbox.account.participant_ids()[5]
    before = own_client.json(f"/participants/{participant_id}")
    sandbox.account.update_participant(
        participant_id, bib_number="07", answers={"Anything else?": "No"}
    )
    after = own_client.json(f"/participants/{participant_id}")
    assert after["updatedAt"] > before["updatedAt"]
    assert after["createdAt"] == before["createdAt"]
    assert after["bibNumber"] == "07"
    assert answer(after, "Anything else?") == "No"
    assert own_client.walk("/participants", {"sort[updatedAt]": 1, "page[size]": 500})[-1] == after
    sandbox.account.update_participant(participant_id, answers={"Anything else?": "Yes"})
    again = own_client.json(f"/participants/{participant_id}")
    assert answer(again, "Anything else?") == "Yes"
    assert again["bibNumber"] == "07"


def test_an_update_without_details_still_shows(sandbox: Sandbox, own_client: Client) -> None:
    changed = 0
    for participant_id in sandbox.account.participant_ids()[:20]:
        before = own_client.json(f"/participants/{participant_id}")
        sandbox.account.update_participant(participant_id)
        after = own_client.json(f"/participants/{participant_id}")
        changed += before["fields"] != after["fields"]
    assert changed >= 15


def test_a_change_can_hide_its_date(sandbox: Sandbox, own_client: Client) -> None:
    participant_id = sandbox.account.participant_ids()[5]
    before = own_client.json(f"/participants/{participant_id}")
    sandbox.account.update_participant(participant_id, bib_number="1", touch=False)
    after = own_client.json(f"/participants/{participant_id}")
    assert after["updatedAt"] == before["updatedAt"]
    assert after["bibNumber"] == "1"


def test_somebody_changes_race(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    event_id = account.event_ids()[0]
    first, second = account.race_ids(event_id)[:2]
    participant_id = account.participant_ids(race_id=first)[0]
    before = own_client.json(f"/participants/{participant_id}")
    account.update_participant(participant_id, race_id=second)
    after = own_client.json(f"/participants/{participant_id}")
    assert after["raceId"] == second
    assert after["eventOccurrenceId"] == before["eventOccurrenceId"]
    assert participant_id not in account.participant_ids(race_id=first)
    assert participant_id in ids(own_client.walk(f"/races/{second}/participants"))


def test_many_change_in_one_millisecond(sandbox: Sandbox, own_client: Client) -> None:
    people = sandbox.account.participant_ids()[:40]
    assert sandbox.account.update_participants(people) == 40
    records = own_client.walk("/participants", CHANGED)
    assert sorted(ids(records)) == sorted(people)
    assert len({record["updatedAt"] for record in records}) == 1


def test_a_deleted_participant_is_gone_for_good(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    participant_id = account.add_participant()
    account.delete_participant(participant_id)
    own_client.refusal(f"/participants/{participant_id}", status=404)
    assert account.participant(participant_id) is None
    assert participant_id not in account.participant_ids()
    assert account.add_participant() != participant_id
    with pytest.raises(KeyError):
        account.delete_participant(participant_id)


@pytest.mark.parametrize("touch", [True, False])
def test_a_redacted_participant_has_no_personal_data(
    sandbox: Sandbox, own_client: Client, touch: bool
) -> None:
    account = sandbox.account
    for participant_id in account.participant_ids()[:30]:
        account.update_participant(
            participant_id, answers={"First name": "Unmistakable"}, touch=False
        )
        before = own_client.json(f"/participants/{participant_id}", {"extendMetadata": "true"})
        account.redact_participant(participant_id, touch=touch)
        after = own_client.json(f"/participants/{participant_id}", {"extendMetadata": "true"})
        assert after["gdprRedacted"] is True
        assert (after["updatedAt"] > before["updatedAt"]) is touch
        assert all(item["value"] is None for item in after["fields"])
        assert not after["booker"] or set(after["booker"].values()) == {None}
        assert after["bibNumber"] == before["bibNumber"]
        assert after["raceId"] == before["raceId"]
        assert "Unmistakable" not in str(after)


def test_redaction_reaches_the_application(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    winner = next(
        record
        for record in own_client.walk("/participants", {"page[size]": 500})
        if record["applicationId"] and not record["gdprRedacted"]
    )
    account.redact_participant(winner["id"])
    application = own_client.json(f"/applications/{winner['applicationId']}")
    assert application["gdprRedacted"] is True
    assert application["updatedAt"] > "2026-05-01"


def test_a_late_participant_bears_an_older_date(sandbox: Sandbox, own_client: Client) -> None:
    moment = NOW - timedelta(days=3)
    participant_id = sandbox.account.insert_late_participant(updated_at=moment)
    record = own_client.json(f"/participants/{participant_id}")
    assert datetime.fromisoformat(record["updatedAt"]) == moment
    assert own_client.walk("/participants", CHANGED) == []


def test_an_application_is_approved(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    pending = next(
        record
        for record in own_client.walk("/applications", {"page[size]": 500})
        if record["approvalStatus"] == "PENDING"
    )
    participant_id = account.approve_application(pending["id"])
    application = own_client.json(f"/applications/{pending['id']}")
    participant = own_client.json(f"/participants/{participant_id}")
    assert application["approvalStatus"] == "APPROVED"
    assert participant["applicationId"] == pending["id"]
    assert participant["ticketId"] == application["ticketId"]
    assert participant["bookingId"] == application["bookingId"]
    # Still the same person.
    assert answer(participant, "Surname") == answer(pending, "Surname")
    assert participant["booker"] == application["booker"] == pending["booker"]
    with pytest.raises(ValueError, match="approved already"):
        account.approve_application(pending["id"])


def test_groups_come_grow_and_go(sandbox: Sandbox, own_client: Client) -> None:
    account = sandbox.account
    event_id = account.event_ids()[0]
    partner_id = account.add_partner(name="Otters Without Borders")
    group_id = account.add_group(
        event_id, partner_id=partner_id, name="New Places", max_capacity=3, group_type="SINGLE_USE"
    )
    group = own_client.json(f"/reserved-entries/{group_id}")
    assert (group["partnerId"], group["maxCapacity"], group["usedCapacity"]) == (partner_id, 3, 0)
    participant_id = account.add_participant(group_id=group_id)
    record = own_client.json(f"/participants/{participant_id}")
    assert record["reservedEntryGroupCode"] == group_id
    assert record["reservedEntryGroupName"] == "New Places"
    assert record["reservedEntryPartnerName"] == "Otters Without Borders"
    assert record["bookerType"] == "PARTNER"
    account.resize_group(group_id, 9)
    group = own_client.json(f"/reserved-entries/{group_id}")
    assert (group["maxCapacity"], group["usedCapacity"]) == (9, 1)
    account.update_partner(partner_id, name="Otters Everywhere")
    assert (
        own_client.json(f"/participants/{participant_id}")["reservedEntryPartnerName"]
        == "Otters Everywhere"
    )
    account.delete_group(group_id)
    own_client.refusal(f"/reserved-entries/{group_id}", status=404)
    assert group_id not in ids(own_client.json(f"/events/{event_id}/reserved-entries")["data"])
    assert own_client.json(f"/participants/{participant_id}")["reservedEntryGroupCode"] == group_id


def test_partners_come_and_change(sandbox: Sandbox, own_client: Client) -> None:
    partner_id = sandbox.account.add_partner(name="ÉLAN Trust", partner_type="SPONSOR")
    assert ids(own_client.walk("/partners", {"search": "élan"})) == [partner_id]
    time.sleep(0.002)
    sandbox.account.update_partner(partner_id, name="Renamed Trust")
    partner = own_client.json(f"/partners/{partner_id}")
    assert partner["updatedAt"] > partner["createdAt"]
    assert own_client.walk("/partners", {"search": "élan"}) == []
    assert own_client.walk("/partners", CHANGED) == [partner]


def test_a_new_event_has_races_and_tickets_but_no_entrant(
    sandbox: Sandbox, own_client: Client
) -> None:
    event_id = sandbox.account.add_event(name="Brand New Run")
    tickets = own_client.json(f"/events/{event_id}/tickets")["data"]
    assert tickets
    assert own_client.json(f"/events/{event_id}/applications")["data"] == []
    for race_id in sandbox.account.race_ids(event_id):
        assert own_client.json(f"/races/{race_id}/participants")["data"] == []
    race_id = sandbox.account.race_ids(event_id)[0]
    record = own_client.json(f"/participants/{sandbox.account.add_participant(race_id=race_id)}")
    assert record["eventName"] == "Brand New Run"
    assert record["ticketId"] in ids(tickets)


def test_used_capacity_stays_true_through_random_changes() -> None:
    account = SandboxAccount(400, seed=5, now=NOW, oddities=False)
    rng = random.Random(1)
    assert {g: account.true_claims(g) for g in account.group_ids()} == claims(account)
    for _ in range(400):
        random_change(account, rng)
    for participant_id in account.participant_ids()[::3]:
        account.delete_participant(participant_id)
    assert {g: account.true_claims(g) for g in account.group_ids()} == claims(account)


def test_random_changes_repeat_by_seed() -> None:
    def after(seed: int) -> list[str]:
        account = SandboxAccount(100, seed=5, now=NOW)
        rng = random.Random(seed)
        for _ in range(100):
            random_change(account, rng)
        return account.participant_ids()

    assert after(1) == after(1) != after(2)


def test_a_group_is_not_deleted_in_the_middle_of_a_random_change() -> None:
    """That ended the thread which makes them: the account stood still from then on."""
    account = SandboxAccount(60, seed=5, now=NOW)
    deleters: list[threading.Thread] = []

    class Chance(random.Random):
        """Chooses to enter somebody through a group, while somebody else deletes all of them."""

        def random(self) -> float:
            if not deleters:
                return super().random()
            deleters[0].start()
            deleters[0].join(0.2)
            return 0.22

        def choice(self, seq: Any) -> Any:
            group = next(each for each in seq if each is not None)
            deleters.append(threading.Thread(target=delete_all))
            return group

    def delete_all() -> None:
        with account.lock:
            for group_id in account.group_ids():
                account.delete_group(group_id)

    before = len(account.participant_ids())
    random_change(account, Chance(1))
    deleters[0].join()
    assert account.group_ids() == []
    assert len(account.participant_ids()) == before + 1


def test_an_account_lives_while_it_is_served() -> None:
    account = SandboxAccount(500, seed=5, now=NOW)
    before = account.participant_ids()
    with Sandbox(account, changes_per_second=400) as sandbox, Client(sandbox) as client:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for page in client.pages("/participants", {"sort[updatedAt]": 1, "page[size]": 200}):
                assert page["data"] or page["page"]["next"] is None
        changed = client.json("/participants", CHANGED)["page"]["totalResults"]
    assert changed > 50
    assert set(account.participant_ids()) != set(before)
    settled = account.participant_ids()
    time.sleep(0.1)
    assert account.participant_ids() == settled


def test_changes_from_many_threads_lose_nothing(sandbox: Sandbox, own_client: Client) -> None:
    added: list[str] = []

    def add() -> None:
        for _ in range(25):
            added.append(sandbox.account.add_participant())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        own_client.json("/participants")
    for thread in threads:
        thread.join()
    assert len(set(added)) == 100
    assert set(added) <= set(ids(own_client.walk("/participants", {"page[size]": 500})))
