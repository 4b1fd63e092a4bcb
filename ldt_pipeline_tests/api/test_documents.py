"""Getting an OpenAPI document: from a file, from an address, or a sentence that says why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ldt_pipeline.api import documents
from ldt_pipeline.api.contract import (
    ContractError,
    compare,
    document_address,
    load_document,
)
from ldt_pipeline.sandbox import Sandbox, SandboxAccount, openapi_document
from ldt_pipeline_tests.api.contracts import (
    agreeing_document,
)


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
    monkeypatch.setattr(documents, "DOCUMENT_BYTES_MOST", 1000)
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
    monkeypatch.setattr(documents, "DOCUMENT_BYTES_MOST", 1000)
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
