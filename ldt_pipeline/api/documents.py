"""Getting an OpenAPI document, from an address or a file; never with the key.

What belongs here: where the document is, reading it within limits, and decoding it. What doesn't:
what it says (`openapi.py`).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from ldt_pipeline.api.limits import DOCUMENT_BYTES_MOST
from ldt_pipeline.api.openapi import ContractError

_SECONDS = 30.0
_PIECE = 64 * 1024


def document_address(base_url: str) -> str:
    """Give the address at which the API is said to serve its document."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/documentation/json"


def load_document(source: str) -> dict[str, Any]:
    """Read a document from a file (JSON, or YAML by its name) or from an http or https address.

    Raises:
        ContractError: It can't be had, is too large, or is no JSON (or YAML) object.
    """
    if source.lower().startswith(("http://", "https://")):
        content, is_yaml = _download(source), False
    else:
        path = Path(source).expanduser()
        content, is_yaml = _read_file(path), path.suffix.lower() in (".yaml", ".yml")
    document = _decode(content, is_yaml=is_yaml, source=_shown(source))
    if not isinstance(document, dict):
        raise ContractError(f"{_shown(source)} holds no JSON object, so it is no OpenAPI document.")
    return document  # pyright: ignore[reportUnknownVariableType]


def _download(address: str) -> bytes:
    shown = _shown(address)
    deadline = time.monotonic() + _SECONDS
    try:
        with (
            _Session() as session,
            session.get(
                address,
                headers={"Accept": "application/json"},
                auth=_add_nothing,
                timeout=_SECONDS,
                stream=True,
            ) as response,
        ):
            if response.status_code != requests.codes.ok:
                raise ContractError(f"{shown} answered with status {response.status_code}.")
            content = bytearray()
            for piece in response.iter_content(_PIECE):
                content += piece
                if len(content) > DOCUMENT_BYTES_MOST:
                    raise ContractError(_too_large(shown))
                if time.monotonic() > deadline:  # the time-out of requests is one of each read
                    raise ContractError(f"{shown} took longer than {_SECONDS:.0f} s.")
    except (requests.exceptions.RequestException, OSError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"{shown} can't be reached ({type(error).__name__}).") from None
    return bytes(content)


class _Session(requests.Session):
    """Follows redirects, but not from a secure connection to one that anybody may listen to."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise ContractError(
                f"{_shown(resp.url)} redirects to a connection that is not secure, which is not "
                "followed. Download the document yourself, and give the file."
            )
        return target


def _add_nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticate as nobody. Without this, requests would look for a password in `.netrc`."""
    return request


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(DOCUMENT_BYTES_MOST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ContractError(f"The document {path} can't be read: {reason}.") from None
    if len(content) > DOCUMENT_BYTES_MOST:
        raise ContractError(_too_large(str(path)))
    return content


def _decode(content: bytes, *, is_yaml: bool, source: str) -> Any:
    try:
        if not is_yaml:
            return json.loads(content)
        import yaml  # noqa: PLC0415 - few documents are YAML

        try:
            return yaml.safe_load(content)
        except yaml.YAMLError:
            raise ValueError from None
    except (ValueError, RecursionError, OverflowError):
        kind = "YAML" if is_yaml else "JSON"
        raise ContractError(f"{source} is not {kind}, so it is no OpenAPI document.") from None


def _too_large(source: str) -> str:
    return f"{source} is larger than {DOCUMENT_BYTES_MOST // 1024**2} MB, so it is no OpenAPI document."


def _shown(source: str) -> str:
    """Give an address without what may be a secret in it."""
    if "://" not in source:
        return source
    try:
        parts = urlsplit(source)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "The address of the document"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
