"""Events whose groups and tickets the API doesn't give: all else is published by a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    ServerError,
)
from ldt_pipeline_tests.other_api import OtherApi, Readings, make_dataset
from ldt_pipeline_tests.syncing import Account

QUIET_REQUESTS = 6


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, ServerError), (403, AuthenticationError), (422, InvalidRequestError)],
)
def test_an_event_whose_lists_the_api_does_not_give_can_be_left_out(
    status: int, error: type[ApiError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other events are published; what was read of it before stays."""
    dataset = make_dataset(
        5, participants=60, applications=10, partners=5, groups=8, tickets=4, events=2
    )
    with OtherApi(dataset, Readings(max_page_size=50)) as api:
        broken, other = sorted({each["eventId"] for each in api.dataset.live("participants")})
        account = Account.of(tmp_path, api)
        account.retries = 0
        answer = api.handle

        def without(**request: Any) -> tuple[int, Any]:
            if f"/events/{broken}/" in request["target"]:
                return status, {"message": "no"}
            return answer(**request)

        monkeypatch.setattr(api, "handle", without)
        with pytest.raises(error, match=f"/events/{broken}/.*LDT_EVENTS_WITHOUT_GROUPS"):
            account.sync()
        leaving_out = Account.of(tmp_path, api, events_without_groups=(broken,))
        assert leaving_out.sync().published
        counts = "SELECT event_id, count(*) FROM {} WHERE {} GROUP BY ALL ORDER BY ALL"
        people = leaving_out.rows(counts.format("start_list", "TRUE"))
        assert [event for event, _ in people] == [broken, other]
        groups = counts.format("reserved_entry_groups", "deleted_at IS NULL")
        assert [event for event, _ in leaving_out.rows(groups)] == [other]
        told = "SELECT event_id, severity FROM data_issues WHERE kind = 'groups_left_out'"
        assert leaving_out.rows(told) == [(broken, "warning")]
        assert leaving_out.sync().requests <= QUIET_REQUESTS

        monkeypatch.setattr(api, "handle", answer)
        mended = Account.of(tmp_path, api, event_refresh_minutes=0)
        mended.sync()
        assert [event for event, _ in mended.rows(groups)] == [broken, other]
        assert mended.rows(told) == []
        monkeypatch.setattr(api, "handle", without)
        api.dataset.touch("participants", api.dataset.live("participants")[0]["id"], bibNumber="9")
        leaving_out.sync()
        assert [event for event, _ in leaving_out.rows(groups)] == [broken, other]
