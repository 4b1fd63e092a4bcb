"""A client that assumes nothing and checks nothing: enough to see what the server does."""

from __future__ import annotations

from typing import Any

import requests

from ldt_pipeline_tests.other_api.server import OtherApi

ASCENDING = {"sort[updatedAt]": "1"}


def get(api: OtherApi, path: str, **query: str) -> requests.Response:
    return requests.get(
        f"{api.base_url}{path}",
        params=query,
        headers={"Authorization": f"Bearer {api.api_key}"},
        timeout=10,
    )


def pages(api: OtherApi, path: str, *, most: int = 50, **query: str) -> list[dict[str, Any]]:
    """Follow `next` until there is none, at most so many times."""
    found: list[dict[str, Any]] = []
    for _ in range(most):
        response = get(api, path, **query)
        assert response.status_code == 200, response.text
        found.append(response.json())
        following = found[-1]["page"].get("next")
        if following in {None, ""}:
            break
        query["page[after]"] = str(following)
    return found


def ids(some_pages: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for page in some_pages for record in page["data"]]
