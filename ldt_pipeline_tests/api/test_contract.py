"""The contract check: silent where the document agrees, one line for each way in which it doesn't."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.api import catalogue, documents
from ldt_pipeline.api.contract import (
    ContractError,
    Difference,
    compare,
    document_address,
    load_document,
)
from ldt_pipeline.api.contract_records import known_properties
from ldt_pipeline.sandbox import Sandbox, SandboxAccount, openapi_document

Document = dict[str, Any]
Change = Callable[[Document], object]

SERVER = "https://api.example.org/v0"


def agreeing_document() -> Document:
    """Give a document that agrees: the sandbox's, with bodies in place, and tickets as we infer them."""
    document = copy.deepcopy(openapi_document(server_url=SERVER))
    schemas = document["components"]["schemas"]
    schemas["Ticket"]["properties"] = {name: {} for name in known_properties("ticket")}
    names = {"partner": "Partner", "reserved entry group": "ReservedEntryGroup"}
    for operation in catalogue.OPERATIONS:
        if not operation.is_write:
            continue
        described: Document = {
            "parameters": [
                {"name": each.name, "in": "query", "schema": {"type": "string"}}
                for each in operation.parameters
            ],
            "responses": {"200": {"description": "Done"}},
        }
        if operation.body:
            shared = schemas[names[operation.record]]["properties"] if operation.record else {}
            body = {
                "type": "object",
                "properties": {name: shared.get(name, {}) for name in operation.body},
            }
            described["requestBody"] = {"content": {"application/json": {"schema": body}}}
        document["paths"].setdefault(operation.path, {})[operation.method.lower()] = described
    return document


def operation(document: Document, path: str = "/participants", method: str = "get") -> Document:
    return document["paths"][path][method]


def parameter(document: Document, name: str, path: str = "/participants") -> Document:
    return next(each for each in operation(document, path)["parameters"] if each["name"] == name)


def schema(document: Document, name: str) -> Document:
    return document["components"]["schemas"][name]


def answer(document: Document, path: str = "/participants") -> Document:
    return operation(document, path)["responses"]["200"]["content"]["application/json"]["schema"]


def changed(change: Change) -> list[Difference]:
    document = agreeing_document()
    change(document)
    return compare(document)


def without_parameter(name: str) -> Change:
    def change(document: Document) -> None:
        parameters = operation(document)["parameters"]
        parameters.remove(parameter(document, name))

    return change


def with_parameter(**described: Any) -> Change:
    return lambda document: operation(document)["parameters"].append(described)


def moved(before: str, after: str) -> Change:
    return lambda document: document["paths"].update({after: document["paths"].pop(before)})


def test_agreement_is_silent() -> None:
    assert compare(agreeing_document()) == []


def test_sandbox_document_has_no_errors() -> None:
    differences = compare(openapi_document(server_url=SERVER))
    assert [each for each in differences if each.severity == "error"] == []
    assert not any("is not in the document" in each.sentence for each in differences)


@pytest.mark.parametrize(
    ("change", "severity", "parts"),
    [
        # Paths and methods
        (
            lambda it: it["paths"].pop("/races/{id}/participants"),
            "error",
            ["GET /races/{id}/participants is not in the document", "LIST_RACE_PARTICIPANTS"],
        ),
        (
            moved("/races/{id}/participants", "/races/{id}/entrants"),
            "error",
            ["it has GET /races/{id}/entrants", "LIST_RACE_PARTICIPANTS"],
        ),
        (
            lambda it: it["paths"]["/partners/{id}"].update(
                put=it["paths"]["/partners/{id}"].pop("patch")
            ),
            "warning",
            ["PATCH /partners/{id} is not in", "it has PUT /partners/{id}", "UPDATE_PARTNER"],
        ),
        (
            lambda it: it["paths"].update({"/events": {"get": {"summary": "All events"}}}),
            "info",
            ["GET /events is in the document and not in the catalogue"],
        ),
        (lambda it: operation(it).update(deprecated=True), "warning", ["deprecated"]),
        # Query parameters
        (without_parameter("page[after]"), "error", ["no query parameter page[after]"]),
        (without_parameter("createdAt[after]"), "warning", ["no query parameter createdAt[after]"]),
        (
            lambda it: operation(it).update(parameters=[]),
            "warning",
            ["GET /participants has no query parameters"],
        ),
        (
            with_parameter(name="eventId", **{"in": "query"}),
            "info",
            ["GET /participants has a query parameter eventId"],
        ),
        (
            with_parameter(name="organiserId", required=True, **{"in": "query"}),
            "error",
            ["requires the query parameter organiserId", "paging.py"],
        ),
        (
            with_parameter(name="X-Organiser", required=True, **{"in": "header"}),
            "error",
            ["requires the header parameter X-Organiser"],
        ),
        (
            lambda it: parameter(it, "updatedAt[after]").update(required=True),
            "error",
            ["requires the query parameter updatedAt[after]"],
        ),
        # Enums and bounds
        (
            lambda it: parameter(it, "sort[updatedAt]")["schema"].update(enum=["-1"]),
            "error",
            ["does not allow the value 1 for sort[updatedAt]"],
        ),
        (
            lambda it: parameter(it, "sort[createdAt]")["schema"].update(enum=[1, -1, "asc"]),
            "warning",
            ["a value asc for sort[createdAt]"],
        ),
        (
            lambda it: parameter(it, "externalId", "/partners/{id}")["schema"]["enum"].append("x"),
            "warning",
            ["allows a value x for externalId", "EXTERNAL_ID_TYPES"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(maximum=200),
            "error",
            ["page[size] of at most 200", "PAGE_SIZE_MAX"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(maximum=1000),
            "info",
            ["page[size] of at most 1000"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(minimum=10),
            "error",
            ["page[size] of at least 10", "PAGE_SIZE_MIN"],
        ),
        # Envelopes
        (lambda it: answer(it)["properties"].pop("data"), "error", ["has no data in its answer"]),
        (lambda it: answer(it)["properties"].pop("page"), "error", ["has no page in its answer"]),
        (
            lambda it: answer(it, "/events/{id}/tickets")["properties"].update(page={}),
            "error",
            ["GET /events/{id}/tickets is paged now", "Answer.PAGES"],
        ),
        (
            lambda it: operation(it)["responses"]["200"]["content"].update(
                {
                    "application/json": {
                        "schema": {"type": "array", "items": answer(it)["properties"]["data"]}
                    }
                }
            ),
            "error",
            ["answers with a bare array"],
        ),
        (
            lambda it: operation(it)["responses"]["200"].pop("content"),
            "info",
            ["GET /participants has an answer that the document does not describe"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].pop("next"),
            "error",
            ["no next in the page", "GET /participants", "and 2 more"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].pop("totalResults"),
            "warning",
            ["no totalResults"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].update(hasMore={}),
            "info",
            ["has hasMore in the page"],
        ),
        # Records
        (
            lambda it: schema(it, "Participant")["properties"].update(shirtSize={}),
            "warning",
            ["A participant has a property shirtSize", "ldt_pipeline/tables/tidy.py"],
        ),
        (
            lambda it: schema(it, "Application")["properties"].pop("ballotDraw"),
            "warning",
            ["An application has no property ballotDraw", "RECORDS"],
        ),
        (
            lambda it: schema(it, "Ticket")["properties"].pop("usedCapacity"),
            "info",
            ["A ticket has no property usedCapacity, which we inferred"],
        ),
        (
            lambda it: answer(it)["properties"].update(
                data={
                    "type": ["array", "null"],
                    "items": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Participant"},
                            {"properties": {"teamName": {}}},
                        ]
                    },
                }
            ),
            "warning",
            ["The participant of GET /participants has a property teamName"],
        ),
        # Bodies
        (
            lambda it: operation(it, "/partners/{id}/claim-link", "post")["requestBody"]["content"][
                "application/json"
            ]["schema"]["properties"].pop("emailAddress"),
            "warning",
            ["POST /partners/{id}/claim-link takes no emailAddress"],
        ),
        (
            lambda it: operation(it, "/partners/{id}/claim-link", "post")["requestBody"]["content"][
                "application/json"
            ]["schema"].update(
                required=["locale"],
                properties={"emailAddress": {}, "reservedEntryId": {}, "locale": {}},
            ),
            "warning",
            ["requires locale in its body"],
        ),
        # The document as a whole
        (
            lambda it: it["info"].update(version="0.2.0"),
            "info",
            ["is of version 0.2.0", "REFERENCE_VERSION"],
        ),
        (
            lambda it: it.update(
                paths={f"/v1{path}": each for path, each in it["paths"].items()}
            ),
            "error",
            ["describes /v1, and we read /v0"],
        ),
    ],
)  # fmt: skip
def test_each_drift_is_one_line(change: Change, severity: str, parts: list[str]) -> None:
    differences = changed(change)
    assert len(differences) == 1, differences
    assert differences[0].severity == severity
    assert all(part in differences[0].sentence for part in parts), differences[0].sentence
    assert differences[0].sentence.endswith(".")
    assert "\n" not in differences[0].sentence


def test_new_partner_type_is_told_of_records_and_of_bodies() -> None:
    differences = changed(lambda it: schema(it, "PartnerType")["enum"].append("CLUB"))
    assert [each.severity for each in differences] == ["warning", "warning"]
    assert all("CLUB" in each.sentence for each in differences)
    assert all("PARTNER_TYPES" in each.sentence for each in differences)
    assert {each.operation for each in differences} == {"A partner", "POST /partners"}


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(paths={f"/v0{path}": each for path, each in it["paths"].items()}),
        lambda it: it.update(paths={f"{path}/": each for path, each in it["paths"].items()}),
        lambda it: it.update(
            paths={path.replace("{id}", "{raceId}"): each for path, each in it["paths"].items()}
        ),
        lambda it: it.update(
            paths={path.replace("{id}", ":id"): each for path, each in it["paths"].items()}
        ),
        lambda it: it["paths"].update({"/v1/participants": {"get": {"summary": "A later one"}}}),
        # 3.0 spells null in its own way.
        lambda it: schema(it, "Participant")["properties"].update(
            booker={"nullable": True, "allOf": [{"$ref": "#/components/schemas/Booker"}]}
        ),
        lambda it: it.update(openapi="3.0.3"),
        lambda it: answer(it)["properties"].update(
            page={"anyOf": [{"$ref": "#/components/schemas/PageCursors"}, {"type": "null"}]}
        ),
        lambda it: operation(it)["responses"].update({"2XX": operation(it)["responses"].pop("200")}),
        lambda it: it["paths"]["/participants"].update(
            parameters=operation(it).pop("parameters")
        ),
    ],
)  # fmt: skip
def test_other_ways_to_say_the_same(change: Change) -> None:
    assert changed(change) == []


def test_parameters_spelt_as_objects() -> None:
    def change(document: Document) -> None:
        spelt: dict[str, dict[str, Any]] = {}
        plain: list[Document] = []
        for each in operation(document)["parameters"]:
            outer, _, inner = each["name"].partition("[")
            if inner:
                spelt.setdefault(outer, {})[inner.rstrip("]")] = each["schema"]
            else:
                plain.append(each)
        operation(document)["parameters"] = [
            *plain,
            *(
                {
                    "name": outer,
                    "in": "query",
                    "style": "deepObject",
                    "schema": {"type": "object", "properties": properties},
                }
                for outer, properties in spelt.items()
            ),
        ]

    assert changed(change) == []


def test_properties_that_are_read_under_other_names() -> None:
    document = agreeing_document()
    schema(document, "Ticket")["properties"]["salesStartDate"] = {}
    assert len(compare(document)) == 1
    assert compare(document, also_read={"ticket": {"salesStartDate"}}) == []


# Odd documents

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(_JSON)
def test_arbitrary_json_is_compared_or_refused(document: object) -> None:
    with pytest.raises(ContractError):
        compare(document)


@settings(deadline=None)
@given(st.data())
def test_documents_with_a_piece_of_nonsense(data: st.DataObject) -> None:
    document = agreeing_document()
    node: Any = document
    while True:  # walk to some place, and put something else there
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            node[key] = data.draw(_JSON)
            break
        node = inner
    try:
        differences = compare(document)
    except ContractError:
        return
    assert all(each.sentence for each in differences)


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "no OpenAPI 3 document"),
        ([], "no OpenAPI 3 document"),
        ({"swagger": "2.0"}, "Swagger 2"),
        ({"openapi": "3.1.0"}, "describes no paths"),
        ({"openapi": 3.1, "paths": {"/a": {}}}, "no OpenAPI 3 document"),
    ],
)
def test_what_is_no_document(document: object, part: str) -> None:
    with pytest.raises(ContractError, match=part):
        compare(document)


def test_references_that_lead_in_circles() -> None:
    document = agreeing_document()
    circle = {"$ref": "#/components/schemas/Circle"}
    document["components"]["schemas"]["Circle"] = {"allOf": [circle, circle], "items": circle}
    answer(document)["properties"]["data"] = circle
    assert len(compare(document)) == 1


def test_references_that_multiply() -> None:
    document = agreeing_document()
    node: Any = {"properties": {"id": {}}}
    for _ in range(60):
        node = {"allOf": [node, node]}
    answer(document)["properties"]["data"] = node
    assert compare(document)


def test_references_to_nowhere() -> None:
    document = agreeing_document()
    for reference in ("#/components/nothing", "other.json#/a", "#", "#/paths/0/x", "#/servers/9"):
        answer(document)["properties"]["data"]["items"] = {"$ref": reference}
        assert [each.severity for each in compare(document)] == ["info"]


def test_control_characters_stay_out_of_sentences() -> None:
    differences = changed(
        lambda it: schema(it, "Participant")["properties"].update({"a\x1b[2J\nb": {}})
    )
    assert differences[0].sentence.isprintable()


# Getting a document


def test_address() -> None:
    assert (
        document_address("https://api.letsdothis.com/v0")
        == "https://api.letsdothis.com/documentation/json"
    )
    assert document_address("http://127.0.0.1:80/a/b") == "http://127.0.0.1:80/documentation/json"


def test_document_from_a_running_sandbox() -> None:
    account = SandboxAccount(5)
    with Sandbox(account) as sandbox:
        document = load_document(document_address(sandbox.base_url))
    account.close()
    assert document == openapi_document(server_url=sandbox.base_url)
    assert [each for each in compare(document) if each.severity == "error"] == []


def test_documents_from_files(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    document = agreeing_document()
    as_json, as_yaml = tmp_path / "openapi.json", tmp_path / "openapi.yaml"
    as_json.write_text(json.dumps(document))
    # As YAML has it, 200 is a number unless it is quoted.
    as_yaml.write_text(yaml.safe_dump(document).replace("'200':", "200:"))
    assert compare(load_document(str(as_json))) == []
    assert compare(load_document(str(as_yaml))) == []


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.json", b"", "is not JSON"),
        ("a.json", b"<html>", "is not JSON"),
        ("a.json", b"\xff\xfe\x00", "is not JSON"),
        ("a.json", b"[" * 100_000, "is not JSON"),
        ("a.json", b"[1]", "holds no JSON object"),
        ("a.yaml", b"a: [", "is not YAML"),
        ("a.yaml", b"a: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("a.yaml", b"2020-99-99", "is not YAML"),
    ],
)
def test_files_that_hold_something_else(
    tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ContractError, match=part):
        load_document(str(path))


def test_yaml_that_refers_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("openapi: 3.1.0\npaths: &a\n  /participants: {get: &b {allOf: [*b]}, x: *a}\n")
    assert compare(load_document(str(path)))


def test_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_BYTES_MOST", 1000)
    path = tmp_path / "a.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(ContractError, match="larger than"):
        load_document(str(path))
    with pytest.raises(ContractError, match="can't be read"):
        load_document(str(tmp_path))


class _Handler(BaseHTTPRequestHandler):
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>" if self.path == "/html" else b" " * 5000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Handler.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://user:password@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_addresses_that_give_something_else(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("LDT_API_KEY", "the-key")
    monkeypatch.setattr(documents, "_BYTES_MOST", 1000)
    for path, part in (
        ("/missing", "status 404"),
        ("/html", "is not JSON"),
        ("/large", "larger than"),
    ):
        with pytest.raises(ContractError, match=part) as caught:
            load_document(address + path)
        assert "password" not in str(caught.value)
    assert len(_Handler.seen) == 3
    assert all("the-key" not in str(headers) for headers in _Handler.seen)
    assert all("Authorization" not in headers for headers in _Handler.seen)


@pytest.mark.parametrize("source", ["http://127.0.0.1:9/x", "http://[", "https://a b/", "http://"])
def test_addresses_that_can_not_be_reached(source: str) -> None:
    with pytest.raises(ContractError):
        load_document(source)
