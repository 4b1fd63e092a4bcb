"""One record, live from the API, as a table or as JSON."""

from __future__ import annotations

import json

import pytest

from ldt_pipeline.sandbox import Sandbox
from ldt_pipeline_tests.cli.conftest import Run


def test_each_look_up_gives_the_record_as_the_api_has_it(ldt: Run, sandbox: Sandbox) -> None:
    account = sandbox.account
    for command, record_id, record in (
        ("partner", account.partner_ids()[0], account.partner),
        ("reserved-entry", account.group_ids()[0], account.group),
        ("participant", account.participant_ids()[0], account.participant),
        ("application", account.application_ids()[0], account.application),
    ):
        ran = ldt(command, record_id, "--json")
        assert ran.status == 0, ran.err
        assert json.loads(ran.out) == record(record_id)


def test_a_partner_by_its_id_elsewhere_as_a_table(ldt: Run, sandbox: Sandbox) -> None:
    partner = next(
        partner
        for each in sandbox.account.partner_ids()
        if (partner := sandbox.account.partner(each) or {})["externalIds"]
        and partner["externalIds"]["enthuse"]
    )
    ran = ldt("partner", partner["externalIds"]["enthuse"], "--external", "enthuse")
    assert ran.status == 0
    assert ran.out.splitlines()[0].split() == ["field", "value"]
    assert partner["id"] in ran.out


@pytest.mark.parametrize("command", ["partner", "reserved-entry", "participant", "application"])
def test_what_is_not_there_is_a_sentence(ldt: Run, command: str) -> None:
    ran = ldt(command, "nothing")
    assert ran.status == 1
    assert "There is no " in ran.sentence


def test_answers_are_shown_whole(ldt: Run, sandbox: Sandbox) -> None:
    """What a medic looks for may stand at the end of a long answer."""
    partner_id = sandbox.account.partner_ids()[0]
    partner = sandbox.account.partner(partner_id) or {}
    address = partner["defaultMarketing"]["logoUrl"]
    assert len(address) > 30
    ran = ldt("partner", partner_id, COLUMNS="40")
    assert address in ran.out
    assert "defaultMarketing.logoUrl" in ran.out
