"""What could not be read is counted, once for each record, until the record was read since."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ldt_pipeline.raw import RawStore
from ldt_pipeline.warehouse.books import rejected_count, rejected_records
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.warehouse.histories import START, warehouse

GOOD, BROKEN, BROKEN_AGAIN = b'{"id":"a"}', b'{"id":"a","wave":"\xff"}', b'{"id":"a","wave":"\xfe"}'


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([[BROKEN]], [("a", 0)]),
        ([[BROKEN], [GOOD]], []),
        ([[GOOD], [BROKEN]], [("a", 1)]),
        ([[BROKEN, GOOD]], []),
        ([[BROKEN], [BROKEN_AGAIN]], [("a", 1)]),
        ([[b"17"], [b"17"], [b"18"]], [(None, 1), (None, 2)]),
    ],
)
def test_what_is_left(
    readings: list[list[bytes]], expected: list[tuple[str | None, int]], tmp_path: Path
) -> None:
    store = RawStore(str(tmp_path / "raw"))
    for minute, lines in enumerate(readings):
        with store.writer(
            feed="participants",
            partition_key="updated_in",
            partition="2025-01",
            extracted_at=START + timedelta(minutes=minute),
            source={},
        ) as writer:
            for line in lines:
                writer.append(line)
        writer.commit()
    with warehouse(tmp_path / "w.duckdb") as connection:
        load_pending(connection, store)
        found = rejected_records(connection).select("record_id", "extracted_at").rows()
        assert rejected_count(connection, "participants") == len(expected)
        assert rejected_count(connection, "applications") == 0
    assert (
        sorted(((each, (at - START) // timedelta(minutes=1)) for each, at in found), key=repr)
        == expected
    )
