"""Whatever is there: its export is a file that can be planned, and planning it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.allocations.exporting import document_of, yaml_text
from ldt_pipeline.allocations.live import Live, LiveEvent
from ldt_pipeline.allocations.plan import Plan
from ldt_pipeline.allocations.planning import make_plan
from ldt_pipeline.allocations.tabular import csv_text
from ldt_pipeline.allocations.wanted import read_wanted
from ldt_pipeline.cli.plan_text import plan_lines

EVENT = "77"
TICKETS = ("t1", 12, "0042", "t gone")
TRAPS = [
    *("no", "0123", "1e3", "2024-01-01", "null", "~", "<<", "-", "[1]", "{}", "@x", "a;b"),
    *("=1+1", "'=x", "''+y", " blank", "x", "a\nb", "a\r\nb", "a\tb ", "\u0085q\u2028\u2029"),
    *("\ufeffab", "Caf\u00e9", "Cafe\u0301", "\u202eab", "\U0001f989 owl", "p_0", "enthuse:1"),
]

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(TRAPS)
)
maybe_text = st.one_of(st.none(), texts)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=5,
)
mappings = st.one_of(st.none(), st.dictionaries(texts, values, max_size=3))
capacities = st.one_of(
    st.integers(0, 500),
    st.integers(0, 9).map(str),
    st.sampled_from([None, 12.0, 12.5, -1, "x", 2**60]),
)
tickets = st.one_of(
    st.sampled_from([None, [], "t1", ["t1"], [{"title": "no id"}]]),
    st.lists(
        st.fixed_dictionaries(
            {"ticketId": st.sampled_from(TICKETS)},
            optional={"maxCapacity": capacities, "price": mappings},
        ),
        max_size=2,
        unique_by=lambda each: each["ticketId"],
    ),
)
partners = st.fixed_dictionaries(
    {"name": maybe_text},
    optional={
        "type": st.sampled_from([None, "CHARITY", "NEW_ONE"]),
        "description": maybe_text,
        "externalIds": st.one_of(
            st.none(),
            st.dictionaries(
                st.sampled_from(["enthuse", "justGiving", "somewhereElse"]),
                st.one_of(maybe_text, st.integers(0, 9999)),
            ),
        ),
        "defaultMarketing": mappings,
        "specificMarketings": st.one_of(
            st.none(), st.lists(st.dictionaries(texts, values, max_size=2), max_size=2)
        ),
        "canCreateSubPartners": st.sampled_from([None, True, False]),
    },
)
groups = st.fixed_dictionaries(
    {"name": maybe_text, "partnerId": st.sampled_from([None, "", "p_0", "p_1", "p_gone"])},
    optional={
        "maxCapacity": capacities,
        "usedCapacity": capacities,
        "type": st.sampled_from([None, "MULTI_USE", "NEW_ONE"]),
        "description": maybe_text,
        "settings": mappings,
        "tickets": tickets,
    },
)


def numbered(kind: str, records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"{kind}_{at}": {"id": f"{kind}_{at}", **each} for at, each in enumerate(records)}


def planned_again(live: Live, text: str, file: Path) -> Plan:
    file.write_bytes(text.encode())
    return make_plan(
        read_wanted(file),
        live,
        base_url="",
        already_sent=lambda _target, _address: False,
        now=datetime(2026, 5, 1, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(partners, min_size=2, max_size=3), st.lists(groups, max_size=4))
def test_an_export_changes_nothing(
    folder: Path, some_partners: list[dict[str, Any]], some_groups: list[dict[str, Any]]
) -> None:
    known: Mapping[str, Any] = {str(each): {"id": each} for each in TICKETS if each != "t gone"}
    event = LiveEvent(groups=numbered("re", some_groups), tickets=known)
    live = Live(partners=numbered("p", some_partners), events={EVENT: event})
    document = document_of(live, [EVENT])
    for file, text in (
        ("places.yaml", yaml_text(document, has_schema=True)),
        ("places.csv", csv_text(document)),
    ):
        plan = planned_again(live, text, folder / file)
        assert plan.changes == ()
        assert list(plan_lines(plan))
