"""A client for the sandbox's tests: as little of one as will do, so that it hides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from ldt_pipeline.sandbox import Sandbox


class Client:
    def __init__(self, sandbox: Sandbox, *, key: str | None = None) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key or sandbox.api_key}"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def get(self, path: str, params: Any = None, *, timeout: float = 10) -> requests.Response:
        return self.session.get(self.sandbox.base_url + path, params=params, timeout=timeout)

    def json(self, path: str, params: Any = None) -> Any:
        response = self.get(path, params)
        assert response.status_code == 200, response.text
        return response.json()

    def refusal(self, path: str, params: Any = None, *, status: int = 400) -> str:
        response = self.get(path, params)
        assert response.status_code == status, response.text
        return response.json()["message"]

    def pages(
        self, path: str, params: dict[str, Any] | None = None, *, backwards: bool = False
    ) -> Iterator[dict[str, Any]]:
        query = dict(params or {})
        key, direction = ("prev", "page[before]") if backwards else ("next", "page[after]")
        while True:
            page = self.json(path, query)
            yield page
            cursor = page["page"].get(key)
            if not cursor or (cursor == query.get(direction) and not page["data"]):
                return
            query.pop("page[before]", None)
            query.pop("page[after]", None)
            query[direction] = cursor

    def walk(self, path: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return [record for page in self.pages(path, params) for record in page["data"]]


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]
