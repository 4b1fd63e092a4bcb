"""`ldt check`: a good account, and everything that can be wrong with one."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from ldt_pipeline.instants import now
from ldt_pipeline.raw import RawStore
from ldt_pipeline.sandbox import Sandbox, openapi_document
from ldt_pipeline_tests.cli.conftest import Ran, Run, run_ldt
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset


def lines(ran: Ran, mark: str) -> list[str]:
    return [line for line in ran.out.splitlines() if line.startswith(mark)]


def test_all_is_well(ldt: Run, sandbox: Sandbox) -> None:
    sandbox.clear_requests()
    ran = ldt("check")
    assert (ran.status, ran.err) == (0, "")
    assert lines(ran, "✗") == []
    assert "Sandbox Striders Events (organiser 8421)" in ran.out
    assert "150 records" in ran.out
    asked = [request.path for request in sandbox.requests]
    assert len(asked) == len(set(asked)) == 8


def test_key_expired_is_named_before_any_request(ldt: Run, sandbox: Sandbox) -> None:
    sandbox.clear_requests()
    ran = ldt("check", LDT_API_KEY=sandbox.issue_key(expires_at=1_700_000_000))
    assert ran.status == 1
    assert ran.sentence
    assert "expired on 2023-11-14" in lines(ran, "✗")[0]
    assert [each.path for each in sandbox.requests] == ["/documentation/json"]


def test_key_expires_soon(ldt: Run, sandbox: Sandbox) -> None:
    ran = ldt("check", LDT_API_KEY=sandbox.issue_key(expires_at=int(time.time()) + 86_400))
    assert ran.status == 0
    assert any("expires soon" in line for line in lines(ran, "!"))


def test_key_refused(ldt: Run, sandbox: Sandbox) -> None:
    key = jwt.encode({"sub": "1"}, "another secret, and a long one too", "HS256")
    ran = ldt("check", LDT_API_KEY=key)
    assert ran.status == 1
    assert "refused the key" in lines(ran, "✗")[0]
    assert ran.sentence


def test_a_key_that_may_not_read_one_list(ldt: Run, sandbox: Sandbox) -> None:
    """It says which of them it may read: a new key of the same rights would do no better."""
    sandbox.fail_next("key_refused", path_contains="/v0/applications")
    ran = ldt("check")
    assert ran.status == 1
    assert [line.split()[2] for line in lines(ran, "✗")] == ["/applications"]
    assert "✓ GET /partners" in ran.out
    assert "✓ GET /events/{id}/tickets" in ran.out


def test_no_key(ldt: Run) -> None:
    ran = ldt("check", LDT_API_KEY="")
    assert ran.status == 1
    assert "LDT_API_KEY is not set" in lines(ran, "✗")[0]
    assert ran.sentence


def test_key_with_a_line_break(ldt: Run) -> None:
    ran = ldt("check", LDT_API_KEY="abcdefghijkl mnopqrst")
    assert ran.status == 1
    assert "copy it once more" in ran.sentence
    assert "mnopqrst" not in ran.sentence


def test_key_that_is_no_token(ldt: Run) -> None:
    ran = ldt("check", LDT_API_KEY="something-that-was-cut-off")
    assert ran.status == 1
    assert "no JSON Web Token" in lines(ran, "!")[0]


def test_claims_can_not_play_tricks(ldt: Run, sandbox: Sandbox) -> None:
    key = sandbox.issue_key(organiser_name="\x1b[2JEvil\u202e\nCorp")
    ran = ldt("check", LDT_API_KEY=key)
    assert ran.status == 0
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_api_can_not_be_reached(ldt: Run) -> None:
    ran = ldt("check", LDT_API_BASE_URL="http://127.0.0.1:9/v0")
    assert ran.status == 1
    assert len(lines(ran, "✗")) == 1
    assert "documentation/json can't be reached" in lines(ran, "!")[0]
    assert ran.sentence


def test_document_that_was_named_must_be_there(ldt: Run, tmp_path: Path) -> None:
    ran = ldt("check", "--document", str(tmp_path / "none.json"))
    assert ran.status == 1
    assert "can't be read" in lines(ran, "✗")[0]


def test_document_that_denies_a_path(ldt: Run, tmp_path: Path, sandbox: Sandbox) -> None:
    document = openapi_document(server_url=sandbox.base_url)
    del document["paths"]["/races/{id}/participants"]
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    ran = ldt("check", "--document", str(path))
    assert ran.status == 1
    assert len(lines(ran, "✗")) == 1
    assert "LIST_RACE_PARTICIPANTS" in lines(ran, "✗")[0]


@pytest.mark.parametrize("named", ["questions", "allocations", "alerts"])
def test_a_file_that_is_broken(ldt: Run, tmp_path: Path, named: str) -> None:
    path = tmp_path / f"{named}.yaml"
    path.write_text("[")
    ran = ldt("check", **{f"LDT_{named.upper()}_FILE": str(path)})
    assert ran.status == 1
    (line,) = lines(ran, "✗")
    assert f"{named} file" in line
    assert path.name in line


def test_export_presets(ldt: Run) -> None:
    ran = ldt("check", LDT_EXPORT_PRESETS="race-result,race-resutl")
    assert ran.status == 1
    (line,) = lines(ran, "✗")
    assert "race-resutl" in line
    assert any("export preset" in each and "race-result" in each for each in lines(ran, "✓"))


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("s3://bucket/lists", "s3fs"),
        ("nonsense://lists", "nonsense"),
        ("sftp://timer@host/lists", "paramiko"),
        ("ftp://timer@127.0.0.1:9/lists", "refused"),
        ("github://lists", "nothing can be written"),
        ("here.txt", "is no folder"),
        ("here.txt/lists", "is no folder"),
    ],
)
def test_an_export_target_that_nothing_can_be_written_to(
    ldt: Run, tmp_path: Path, target: str, problem: str
) -> None:
    (tmp_path / "here.txt").touch()
    ran = ldt("check", LDT_EXPORT_TARGET=target if "//" in target else str(tmp_path / target))
    assert ran.status == 1
    (line,) = lines(ran, "✗")
    assert "export target" in line
    assert problem in line


def test_an_export_target(ldt: Run, tmp_path: Path) -> None:
    there = str(tmp_path / "not" / "yet")
    for target in (there, f"file://{there}", "memory://lists", "lists"):
        ran = ldt("check", LDT_EXPORT_TARGET=target)
        assert ran.status == 0
        assert any("export target" in each and target in each for each in lines(ran, "✓"))
    assert not (tmp_path / "not").exists()


def test_a_presets_folder_is_read_though_nothing_names_its_presets(
    ldt: Run, tmp_path: Path
) -> None:
    missing = ldt("check", LDT_PRESETS_DIR=str(tmp_path / "none"))
    assert missing.status == 1
    (line,) = lines(missing, "✗")
    assert "presets folder" in line
    assert "which is no folder" in line

    (tmp_path / "timer.yaml").write_text("description: Ours\nformat: csv\n")
    good = ldt("check", LDT_PRESETS_DIR=str(tmp_path))
    assert good.status == 0
    assert any("presets folder" in each for each in lines(good, "✓"))

    (tmp_path / "timer.yaml").write_text("description: Ours\nformat: pdf\n")
    broken = ldt("check", LDT_PRESETS_DIR=str(tmp_path))
    assert broken.status == 1
    (line,) = lines(broken, "✗")
    assert "timer.yaml" in line


@pytest.mark.parametrize("below", ["", "data"])
@pytest.mark.parametrize("command", ["check", "sync", "rebuild", "demo", "compact"])
def test_a_data_folder_that_is_a_file(ldt: Run, tmp_path: Path, command: str, below: str) -> None:
    path = tmp_path / "file"
    path.touch()
    ran = ldt(command, LDT_DATA_DIR=str(path / below))
    assert ran.status == 1
    assert f"LDT_DATA_DIR: {path} is a file; name a folder" in ran.sentence


def test_lists_that_were_read_while_the_clock_was_ahead(ldt: Run, tmp_path: Path) -> None:
    """Nothing newer would count, and nobody would know."""
    store = RawStore(str(tmp_path / "raw"))
    for days in (0, 365):
        writer = store.writer(
            feed="tickets",
            partition_key="event_id",
            partition="1",
            extracted_at=now() + timedelta(days=days),
            source={},
        )
        writer.append(b'{"id": "t"}')
        writer.commit()
    ran = ldt("check", LDT_DATA_DIR=str(tmp_path))
    (line,) = [line for line in lines(ran, "✗") if "clock" in line]
    assert f"1 extract in {tmp_path}/raw/tickets" in line
    assert ran.status == 1


def test_settings_that_are_misspelt_are_told(settings: dict[str, str], tmp_path: Path) -> None:
    """LDT_RETENTION_DAY would keep everybody for ever, and nobody would know."""
    (tmp_path / ".env").write_text(
        "LDT_RETENTION_DAY=30\nexport LDT_EVENT_IDS='1'\nLDT_EXPORT_PRESETS: csv\n"
        'OTHER_TOOL=1\nLDT_ALERTS_WEBHOOK_URL=https://example.org\nLDT_MAX_CONCURRENCY="4\n'
    )
    ran = run_ldt("check", folder=tmp_path, settings=settings, LDT_DATADIR="x")
    assert [line.split()[2:] for line in lines(ran, "!") if "no setting" in line] == [
        f"{name} is no setting, and does nothing: is {meant} meant?".split()
        for name, meant in (
            ("LDT_DATADIR", "LDT_DATA_DIR"),
            ("LDT_RETENTION_DAY", "LDT_RETENTION_DAYS"),
        )
    ]
    left_out = [line for line in lines(ran, "✗") if ".env" in line]
    assert [line.split("line ")[1].split()[0] for line in left_out] == ["3", "6"]
    assert ran.status == 1


def test_an_api_that_sets_the_size_of_its_pages_itself(ldt: Run) -> None:
    dataset = make_dataset(5, participants=7, applications=0, partners=1)
    with OtherApi(dataset, Readings(obeys_page_size=False)) as api:
        ran = ldt("check", LDT_API_BASE_URL=api.base_url, LDT_API_KEY=api.api_key)
    held = len(dataset.live("participants"))
    assert any(f"page[size]=1 gave {held} records" in line for line in lines(ran, "✓"))
