"""All seventeen operations work: in the client, in the sandbox, used by something, tested by something.

The table in docs/operations.md is generated from here, so that it can't go out of date.
"""

from __future__ import annotations

import re
from pathlib import Path

from ldt_pipeline.api import catalogue
from ldt_pipeline.sandbox.operations import OPERATIONS as SERVED

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "operations.md"

USED_BY = {
    "LIST_APPLICATIONS": "feed",
    "GET_APPLICATION": "`ldt application`, disappearances",
    "LIST_EVENT_APPLICATIONS": "reconcile",
    "LIST_PARTICIPANTS": "feed",
    "GET_PARTICIPANT": "`ldt participant`, disappearances",
    "LIST_RACE_PARTICIPANTS": "reconcile",
    "GET_PARTNER": "`ldt partner`",
    "UPDATE_PARTNER": "`ldt allocations apply`",
    "LIST_PARTNERS": "feed, `ldt allocations plan`",
    "CREATE_PARTNER": "`ldt allocations apply`",
    "CREATE_CLAIM_LINK": "`ldt allocations apply`",
    "GET_RESERVED_ENTRY_GROUP": "`ldt reserved-entry`, `ldt allocations apply`",
    "UPDATE_RESERVED_ENTRY_GROUP": "`ldt allocations apply`",
    "DELETE_RESERVED_ENTRY_GROUP": "`ldt allocations apply`",
    "LIST_EVENT_RESERVED_ENTRIES": "feed, `ldt allocations plan`",
    "CREATE_RESERVED_ENTRY_GROUP": "`ldt allocations apply`",
    "LIST_EVENT_TICKETS": "feed, `ldt allocations plan`",
}
TESTED_BY = {
    **dict.fromkeys(
        ("GET_PARTNER", "GET_RESERVED_ENTRY_GROUP", "GET_PARTICIPANT", "GET_APPLICATION"),
        "cli/test_lookups.py",
    ),
    **dict.fromkeys(
        (
            "UPDATE_PARTNER",
            "CREATE_PARTNER",
            "CREATE_CLAIM_LINK",
            "UPDATE_RESERVED_ENTRY_GROUP",
            "DELETE_RESERVED_ENTRY_GROUP",
            "CREATE_RESERVED_ENTRY_GROUP",
        ),
        "api/test_writes.py",
    ),
    **dict.fromkeys(
        ("LIST_PARTICIPANTS", "LIST_APPLICATIONS", "LIST_PARTNERS"), "sync/test_changes.py"
    ),
    **dict.fromkeys(
        (
            "LIST_EVENT_APPLICATIONS",
            "LIST_RACE_PARTICIPANTS",
            "LIST_EVENT_RESERVED_ENTRIES",
            "LIST_EVENT_TICKETS",
        ),
        "sandbox/test_operations.py",
    ),
}


def names() -> list[str]:
    """Give the catalogue's names of the operations, in the order of the reference."""
    by_id = {id(value): name for name, value in vars(catalogue).items() if name.isupper()}
    return [by_id[id(each)] for each in catalogue.OPERATIONS]


def users(name: str) -> list[Path]:
    """Give the modules of the package that use an operation, but for the catalogue."""
    return [
        path
        for path in sorted((ROOT / "ldt_pipeline").rglob("*.py"))
        if path.parts[-2:] != ("api", "catalogue.py")
        and re.search(rf"\b{name}\b", path.read_text())
    ]


def document() -> str:
    lines = [
        "# The seventeen operations of the API",
        "",
        "A test keeps this table true.",
        "",
        "| | operation | client | sandbox | used by | tested by |",
        "|---|---|---|---|---|---|",
    ]
    for number, (name, each) in enumerate(zip(names(), catalogue.OPERATIONS, strict=True), 1):
        client = "api/writes.py" if each.is_write else "api/client.py"
        served = next(s for s in SERVED if (s.method, s.path) == (each.method, each.path))
        lines.append(
            f"| {number} | {each.method} `{each.path}` | {client} | {served.name} "
            f"| {USED_BY[name]} | {TESTED_BY[name]} |"
        )
    return "\n".join(lines) + "\n"


def test_every_operation_is_served_by_the_sandbox() -> None:
    asked = {(each.method, each.path) for each in catalogue.OPERATIONS}
    assert len(asked) == 17
    assert {(each.method, each.path) for each in SERVED} == asked


def test_every_operation_is_used_by_the_package_and_tested() -> None:
    assert set(USED_BY) == set(TESTED_BY) == set(names())
    for name, each in zip(names(), catalogue.OPERATIONS, strict=True):
        assert users(name), f"{name} is used by nothing"
        if each.is_write:
            assert any(path.name == "writes.py" for path in users(name))
        assert (ROOT / "ldt_pipeline_tests" / TESTED_BY[name]).exists()


def test_bodies_of_the_catalogue_and_of_the_sandbox_agree() -> None:
    from ldt_pipeline.sandbox.bodies import BODIES

    for each in catalogue.OPERATIONS:
        served = next(s for s in SERVED if (s.method, s.path) == (each.method, each.path))
        properties = BODIES[served.body]["properties"] if served.body else {}
        assert set(properties) == set(each.body), each.name


def test_the_table_in_the_docs_is_this_one() -> None:
    if not DOCUMENT.exists():
        DOCUMENT.write_text(document())
    assert DOCUMENT.read_text() == document(), "delete the file and run again"
