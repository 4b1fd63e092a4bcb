"""The file: what is wrong is told with file, line and what is allowed, and nothing is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ldt_pipeline.allocations.checking import schema
from ldt_pipeline.allocations.exporting import yaml_text
from ldt_pipeline.allocations.nodes import AllocationsFileError
from ldt_pipeline.allocations.tabular import csv_text
from ldt_pipeline.allocations.wanted import read_wanted
from ldt_pipeline.api.client import Client
from ldt_pipeline.sandbox import Sandbox
from ldt_pipeline_tests.allocations.doing import exported, planned

GOOD = """\
partners:
  - name: Owl Rescue
    contacts:
      - emailAddress: ada@example.org
    external_ids: {enthuse: 0123}
events:
  - event: 2365756
    allocations:
      - partner: Owl Rescue
        groups:
          - name: Gold places
            capacity: 12
            tickets: [0042]
            type: MULTI_USE
            claim_links: [ada@example.org]
"""


def read(tmp_path: Path, text: str, name: str = "places.yaml") -> Any:
    file = tmp_path / name
    file.write_text(text)
    return read_wanted(file)


def test_a_good_file_is_read_with_ids_as_they_are_written(tmp_path: Path) -> None:
    wanted = read(tmp_path, GOOD)
    assert wanted.event_ids == ["2365756"]
    assert wanted.partners[0].fields["externalIds"] == {"enthuse": "0123"}
    group = wanted.allocations[0].groups[0]
    assert group.fields["tickets"] == [{"ticketId": "0042"}]
    assert group.claim_links == ("ada@example.org",)
    assert group.place.line == 11


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("capacity:", "capcity:", "places.yaml:12: `capcity` is not known in `groups` (did you"),
        ("capacity: 12", "capacity: -1", "places.yaml:12: `capacity` must be at least 0"),
        ("capacity: 12", "capacity: many", "places.yaml:12: `capacity` must be a whole number"),
        ("capacity: 12", "capacity: true", "places.yaml:12: `capacity` must be a whole number"),
        ("MULTI_USE", "MANY", "places.yaml:14: `type` must be one of MULTI_USE, SINGLE_USE"),
        ("name: Gold places", "name: ' Gold'", "places.yaml:11: `name` must have two characters"),
        ("name: Gold places", "name: yes", "put it into quotes"),
        ("[0042]", "[]", "places.yaml:13: `tickets` must not be empty"),
        ("[0042]", "[1, 1]", "stands in `tickets` twice"),
        ("[ada@example.org]", "[ada]", "places.yaml:15: `claim_links` must be an e-mail address"),
        ("[ada@example.org]", "[a@b.org, A@b.org]", "an address stands in `claim_links` twice"),
        ("    contacts:", "    colour: red\n    contacts:", "places.yaml:3: `colour` is not known"),
        ("events:", "events: {}\nmore:", "must be a list"),
        ("type: MULTI_USE", "capacity: 3", "places.yaml:14: `capacity` stands here twice"),
        ("- event: 2365756", "- happening: 2365756", "needs `event`"),
        ("partners:", "partners: [", "is no YAML"),
        ("capacity: 12", "capacity: 012", "places.yaml:12: `capacity` must be written in digits"),
        ("capacity: 12", "capacity: 1:30", "places.yaml:12: `capacity` must be written in digits"),
        ("capacity: 12", "capacity: 0x1F", "places.yaml:12: `capacity` must be written in digits"),
        (
            "capacity: 12",
            "capacity: 12345678901234567",
            "places.yaml:12: `capacity` must be at most",
        ),
        ("type: MULTI_USE", "settings: {<<: {a: 1}}", "places.yaml:14: `<<` is not taken"),
        ("type: MULTI_USE", "settings: {? [a] : 1}", "places.yaml:14: a key must be a text"),
        ("type: MULTI_USE", 'settings: {a: "\\ud800"}', "places.yaml:14: holds half a character"),
        ("name: Gold places", "name: Gold\a", "places.yaml:11: is no YAML: a character"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    assert before in GOOD
    with pytest.raises(AllocationsFileError) as caught:
        read(tmp_path, GOOD.replace(before, after, 1))
    assert expected in str(caught.value)
    assert "ada" not in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("12", "-1").replace("MULTI_USE", "MANY").replace("Gold places", "x")
    with pytest.raises(AllocationsFileError) as caught:
        read(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 3


def test_what_is_wrong_is_told_of_all_files_of_a_folder(tmp_path: Path) -> None:
    """What kept a file from being read at all hid what was wrong with the others."""
    partner = "events:\n- event: '1'\n  allocations:\n  - partner: A\n    groups: []\n"
    texts = {
        "a.csv": "evnt,partner\n1,A\n",
        "b.yaml": "events: [\n",
        "c.csv": 'event,partner,group,capacity\n1,A\n1,,x,1\n1,A,"x"y,2\n',
        "d.yaml": "event: []\n",
        "e.yaml": partner,
        "f.yaml": partner,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "g.csv").write_bytes(b"event,partner\n1,\xff\n")
    with pytest.raises(AllocationsFileError) as caught:
        read_wanted(tmp_path)
    lines = str(caught.value).splitlines()
    found = list(dict.fromkeys(line.split(": ")[0].rsplit("/", 1)[-1] for line in lines))
    assert found == ["a.csv:1", "b.yaml:2", "c.csv:3", "c.csv:4", "d.yaml:1", "g.csv:2", "f.yaml:4"]


def test_duplicates_are_found_across_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD[GOOD.index("events:") :])
    with pytest.raises(AllocationsFileError, match=r"b\.yaml:4: .* twice, first at a\.yaml:9"):
        read_wanted(tmp_path)


def test_editors_and_we_go_by_one_schema(tmp_path: Path) -> None:
    """A validator of somebody else's agrees about good files and bad ones."""
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    assert validator.is_valid(yaml.safe_load(GOOD))
    for before, after in [("capacity:", "capcity:"), ("12", "-1"), ("MULTI_USE", "MANY")]:
        assert not validator.is_valid(yaml.safe_load(GOOD.replace(before, after)))


def test_csv_and_yaml_say_the_same(client: Client, sandbox: Sandbox, tmp_path: Path) -> None:
    event_ids = sandbox.account.event_ids()
    document = exported(client, event_ids)
    (tmp_path / "a.csv").write_text(csv_text(document))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def said(file: str) -> Any:
        wanted = read_wanted(tmp_path / file)
        return (
            [(each.reference, each.fields) for each in wanted.partners],
            [
                (a.event_id, a.partner, [(g.id, g.fields) for g in a.groups])
                for a in wanted.allocations
            ],
        )

    assert said("a.csv") == said("a.yaml")
    assert len(said("a.csv")[1]) > 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("1,p_1,Owls,--5,", "places.csv:2: `capacity` must be a whole number"),
        (f"1,p_1,Owls,{'9' * 5000},", "places.csv:2: `capacity` must be at most"),
        ('1,p_1,Owls,5,"{""a"": 1, ""a"": 2}"', "places.csv:2: `a` stands in `settings` twice"),
        ('1,p_1,Owls,5,"{""a"": ""\\ud800""}"', "places.csv:2: holds half a character"),
    ],
)
def test_cells_that_mean_something_else_are_refused(
    tmp_path: Path, row: str, expected: str
) -> None:
    with pytest.raises(AllocationsFileError) as caught:
        read(tmp_path, f"event,partner,group,capacity,settings\n{row}\n", "places.csv")
    assert expected in str(caught.value)


def test_blank_columns_at_the_right_are_none(tmp_path: Path) -> None:
    """A spreadsheet writes every column that anybody ever typed something into."""
    text = "event,partner,group,capacity,,\n1,Owl,Gold,12,, \n1,Owl,Silver,3\n"
    assert len(read(tmp_path, text, "a.csv").allocations[0].groups) == 2
    with pytest.raises(AllocationsFileError, match=r"a\.csv:2: the row has more cells than the"):
        read(tmp_path, text.replace(" \n", "note\n"), "a.csv")
    with pytest.raises(AllocationsFileError, match=r"a\.csv:1: a column without a name"):
        read(tmp_path, text.replace(",group", ",,group"), "a.csv")


def test_every_row_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = (
        *("event,partner,group,capacity,settings", "1,Owl,Gold,12,{", "1,,Silver,3,"),
        *("1,Owl,Bronze,many,", "1,Owl,Tin,3,,,x"),
    )
    with pytest.raises(AllocationsFileError) as caught:
        read(tmp_path, "\n".join(rows), "a.csv")
    told = sorted(each.partition(": ")[0] for each in str(caught.value).splitlines())
    assert told == ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5"]


@pytest.mark.parametrize(
    ("first", "separator", "line"),
    [("", ",", 2), ("", ";", 2), ("", "\t", 2), ("sep=;\r\n", ";", 3), ("SEP=\t\n", "\t", 3)],
)
def test_spreadsheets_separate_cells_as_they_like(
    tmp_path: Path, first: str, separator: str, line: int
) -> None:
    rows = ["event,partner,group,capacity,tickets", "1,Owl,Gold,12,0042", "1,Owl,Silver,many,0042"]
    text = first + "\r\n".join(each.replace(",", separator) for each in rows)
    with pytest.raises(AllocationsFileError) as caught:
        read(tmp_path, text, "a.csv")
    assert str(caught.value) == f"a.csv:{line + 1}: `capacity` must be a whole number."
    group = read(tmp_path, text.replace("many", "3"), "a.csv").allocations[0].groups[1]
    assert (group.fields["name"], group.fields["maxCapacity"]) == ("Silver", 3)
    assert group.place.line == line + 1
    with pytest.raises(AllocationsFileError, match=rf"a\.csv:{line - 1}: `colour` is not known in"):
        read(tmp_path, text.replace("tickets", "colour"), "a.csv")


def test_csv_errors_name_line_and_columns(tmp_path: Path) -> None:
    text = "event,partner,group,capacity\n2365756,Owl,Gold,12\n2365756,Owl,Silver,many\n"
    with pytest.raises(AllocationsFileError, match=r"a\.csv:3: `capacity` must be a whole"):
        read(tmp_path, text, "a.csv")
    with pytest.raises(AllocationsFileError, match="allowed are event, partner, group_id"):
        read(tmp_path, "event,partner,colour\n", "a.csv")
    with pytest.raises(AllocationsFileError, match="needs a `partner`"):
        read(tmp_path, "event,partner,group\n1,,Gold\n", "a.csv")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"event": "99"}, "there is no event '99'"),
        ({"partner": "Nobody At All"}, "there is no partner 'Nobody At All'; to create it, add it"),
        ({"partner": "enthuse:nothing"}, "there is no partner 'enthuse:nothing'"),
        ({"ticket": "nowhere"}, "has no ticket nowhere; it has "),
        ({"id": "re_unknown"}, "has no group re_unknown"),
        ({"type": "SINGLE_USE"}, "the API can't change it"),
    ],
)
def test_what_does_not_exist_is_told_and_nothing_is_sent(
    client: Client, sandbox: Sandbox, tmp_path: Path, change: dict[str, str], expected: str
) -> None:
    event_id = sandbox.account.event_ids()[0]
    document = exported(client, [event_id])
    allocation = next(a for a in document["events"][0]["allocations"] if a["partner"])
    group = allocation["groups"][0]
    document["events"][0]["event"] = change.get("event", event_id)
    allocation["partner"] = change.get("partner", allocation["partner"])
    group["id"] = change.get("id", group["id"])
    if "ticket" in change:
        group["tickets"] = [change["ticket"]]
    if "type" in change:
        kinds = {"SINGLE_USE": "MULTI_USE", "MULTI_USE": "SINGLE_USE"}
        group["type"] = kinds[group["type"]]
    sandbox.clear_requests()
    with pytest.raises(AllocationsFileError) as caught:
        planned(client, document, tmp_path)
    assert expected in str(caught.value)
    assert "allocations.yaml:" in str(caught.value)
    assert {each.method for each in sandbox.requests} == {"GET"}


def test_partners_go_by_id_external_id_or_name(
    client: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    event_id = sandbox.account.event_ids()[0]
    document = exported(client, [event_id])
    del document["partners"]
    for allocation in document["events"][0]["allocations"]:
        partner = sandbox.account.partner(allocation["partner"] or "")
        external = (partner or {}).get("externalIds") or {}
        if external.get("enthuse"):
            allocation["partner"] = f"enthuse:{external['enthuse']}"
        elif partner:
            allocation["partner"] = partner["name"]
    references = {each["partner"] for each in document["events"][0]["allocations"]}
    assert any(str(each).startswith("enthuse:") for each in references)
    assert planned(client, document, tmp_path).changes == ()


def test_the_schema_ships_with_the_package() -> None:
    assert json.dumps(schema()).count('"#/$defs/') > 5
    document = {"partners": [], "events": []}
    first = yaml_text(document, has_schema=True).splitlines()[0]
    assert first == "# yaml-language-server: $schema=allocations.schema.json"
    assert "$schema" not in yaml_text(document, has_schema=False)
