"""What stays of a redacted record, however it is written and whatever else is in it."""

from __future__ import annotations

import json

import pytest

from ldt_pipeline.erasing import forms
from ldt_pipeline.tidy import tidy_participants
from ldt_pipeline_tests.tidy.records import raw

RECORD = (
    b'{"id": "a1", "eventId": "e", "raceId": "r", "bibNumber": "07", %s, '
    b'"fields": [{"label": "First name", "value": "SECRET"}], "tracking": %s}'
)
REDACTED = [
    b'"gdprRedacted": true',
    b'"gdprRedacted"\n:\ttrue',
    b'"gdprRedacted": "true"',
    b'"gdprRedacted": 1',
    rb'"gdpr\u0052edacted": true',
    rb'"\u0067\u0064\u0070\u0072\u0052\u0065\u0064\u0061\u0063\u0074\u0065\u0064": true',
    b'"gdprRedacted": false, "gdprRedacted": true',
]
NOT_REDACTED = [
    b'"gdprRedacted": false',
    b'"gdprRedacted": null',
    b'"gdprRedacted": "false"',
    rb'"gdpr\u0052edacted": false',
    rb'"eventName": "\u0041 \"gdprRedacted\": true"',
    b'"gdprRedacted": true, "gdprRedacted": false',
]
UNREADABLE = [b"1e999", b'"not UTF-8: \xff"', b'{"deep": [1e999]}']


@pytest.mark.parametrize("flag", REDACTED)
@pytest.mark.parametrize("other", [b"{}", *UNREADABLE])
def test_nothing_personal_stays(flag: bytes, other: bytes) -> None:
    body = RECORD % (flag, other)
    assert forms.is_redacted(body)
    form = forms.redacted(body)
    assert b"SECRET" not in form
    expected = {"id": "a1", "eventId": "e", "raceId": "r", "bibNumber": "07", "gdprRedacted": True}
    assert json.loads(form) == expected
    assert forms.redacted(form) == form


@pytest.mark.parametrize(
    ("waves", "kept"),
    [
        (b'"B"', "B"),
        (b'["B"]', ["B"]),
        (b'{"name": "B", "note": "SECRET"}', {"name": "B"}),
        (b'[{"wave": {"name": "B", "note": "SECRET"}}]', [{"wave": {"name": "B"}}]),
        (b'[{"wave": "B", "note": "SECRET"}]', [{"wave": "B"}]),
        (b'[{"wave": ["SECRET"]}, null, 3]', [{}]),
    ],
)
def test_who_is_yet_to_start_keeps_the_wave(waves: bytes, kept: object) -> None:
    form = forms.redacted(b'{"id": "a1", "gdprRedacted": true, "waves": %s}' % waves)
    assert json.loads(form) == {"id": "a1", "gdprRedacted": True, "waves": kept}
    assert forms.redacted(form) == form


@pytest.mark.parametrize("flag", NOT_REDACTED)
@pytest.mark.parametrize("other", [b"{}", *UNREADABLE])
def test_nobody_else_is_redacted(flag: bytes, other: bytes) -> None:
    assert not forms.is_redacted(RECORD % (flag, other))


@pytest.mark.parametrize("other", UNREADABLE)
def test_what_is_erased_is_known_by_its_texts_all_the_same(other: bytes) -> None:
    body = RECORD % (b'"gdprRedacted": false', other)
    assert "SECRET" in forms.personal_texts(body, forms.stub(body, "a1"))
    assert json.loads(forms.stub(body, "a1"))["raceId"] == "r"


@pytest.mark.parametrize(
    ("written", "record_id"),
    [
        *(
            ('"a\\u0000b"', "ab"),
            ("12345.0", "12345"),
            ("12345678901234567.0", "12345678901234567"),
        ),
        *(("1e22", "1e22"), ("1.50", "1.50"), ('"\\u0000"', None)),
    ],
)
def test_whoever_is_erased_is_found_by_the_id_of_the_tables(
    written: str, record_id: str | None
) -> None:
    body = f'{{"id": {written}, "firstName": "Zoë"}}'.encode()
    assert forms.identity_of(body) == record_id
    tidied = tidy_participants(raw(body))
    ids = tidied.tables["participants"]["participant_id"].to_list()
    assert ids == ([] if record_id is None else [record_id])
