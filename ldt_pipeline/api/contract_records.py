"""The part of the contract check that is about answers: envelopes, and properties of records.

What belongs here: what a successful answer holds. What doesn't: paths, parameters and bodies
(`contract.py`). Only top-level properties are compared: the inner shapes of nested objects are
read tolerantly anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ldt_pipeline.api import catalogue
from ldt_pipeline.api.catalogue import RECORDS, Answer, Operation
from ldt_pipeline.api.findings import CATALOGUE, Findings, Severity
from ldt_pipeline.api.openapi import Document, DocumentedOperation, Json, Schema
from ldt_pipeline.tables.tidy import TIDY_TABLES

_REGISTRY = "ldt_pipeline/tables/tidy.py"
_TABLES = {
    "participant": "participants",
    "application": "applications",
    "partner": "partners",
    "reserved entry group": "reserved_entry_groups",
    "ticket": "tickets",
}
TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "partner": ("PARTNER_TYPES", catalogue.PARTNER_TYPES),
    "reserved entry group": ("RESERVED_ENTRY_GROUP_TYPES", catalogue.RESERVED_ENTRY_GROUP_TYPES),
}
"""The known values of a record's `type`, and the constant that holds them."""
_NEEDED_OF_PAGE = ("next",)


def known_properties(record: str) -> frozenset[str]:
    """Give the top-level properties of a record that the reference shows or a column reads."""
    main = next(each for each in TIDY_TABLES if each.name == _TABLES[record])
    sources = (
        column.source
        for table in TIDY_TABLES
        if table.key[0] == main.key[0]
        for column in table.columns
        if column.source is not None
    )
    return frozenset(
        (*RECORDS[record], *(each.split(".")[0].removesuffix("[]") for each in sources))
    )


def compare_answers(
    document: Document,
    found: Mapping[Operation, DocumentedOperation],
    also_read: Mapping[str, Collection[str]],
    findings: Findings,
) -> None:
    """Compare the answers of operations that read."""
    for record in RECORDS:
        shown: dict[Operation, Schema] = {}
        for operation, documented in found.items():
            if operation.record == record:
                schema = _record_schema(document, operation, documented.answer, findings)
                if schema is not None:
                    shown[operation] = schema
        if shown:
            _compare_properties(record, shown, also_read.get(record, ()), findings)
            _compare_types(document, record, shown, findings)


def _record_schema(
    document: Document, operation: Operation, answer: list[Json], findings: Findings
) -> Schema | None:
    """Give the schema of the records in an answer, and compare what they are wrapped in."""
    whole = document.object_schema(answer)
    if operation.answer is Answer.RECORD:
        if whole is not None and "data" in whole.properties and "id" not in whole.properties:
            whole = document.object_schema(whole.properties["data"])
        record = whole
    elif whole is None:
        if document.items(answer):
            findings.add(
                "error", operation, "answers with a bare array, not with an object that has data",
                "read that form in ldt_pipeline/api/answers.py",
            )  # fmt: skip
            return None
        record = None
    else:
        _compare_envelope(document, operation, whole, findings)
        record = document.object_schema(document.items(whole.properties.get("data", [])))
        if "data" not in whole.properties:
            return None
    if record is None:
        findings.add(
            "info", operation, "has an answer that the document does not describe",
            "nothing to do: `schema_drift` shows what the records hold",
        )  # fmt: skip
    return record


def _compare_envelope(
    document: Document, operation: Operation, whole: Schema, findings: Findings
) -> None:
    advice = "read the new form in ldt_pipeline/api/answers.py"
    if "data" not in whole.properties:
        findings.add("error", operation, "has no data in its answer", advice)
    is_paged = "page" in whole.properties
    if operation.answer is Answer.LIST:
        if is_paged:
            findings.add(
                "error", operation, "is paged now, and we read one page of it",
                f"give it Answer.PAGES and its parameters in {CATALOGUE}",
            )  # fmt: skip
        return
    if not is_paged:
        findings.add("error", operation, "has no page in its answer", advice)
        return
    page = document.object_schema(whole.properties["page"])
    if page is None:
        return
    for name in catalogue.PAGE_PROPERTIES:
        if name not in page.properties:
            findings.add(
                "error" if name in _NEEDED_OF_PAGE else "warning", operation,
                f"has no {name} in the page of its answer", advice,
            )  # fmt: skip
    for name in page.properties:
        if name not in catalogue.PAGE_PROPERTIES:
            findings.add(
                "info", operation, f"has {name} in the page of its answer, which we don't know",
                f"add it to PAGE_PROPERTIES in {CATALOGUE}",
            )  # fmt: skip


def _compare_properties(
    record: str,
    shown: Mapping[Operation, Schema],
    also_read: Iterable[str],
    findings: Findings,
) -> None:
    known = known_properties(record)
    read = known.union(also_read)

    def note(severity: Severity, name: str, is_there: bool, what: str, advice: str) -> None:
        """Note it of the record where all operations agree, else of each that it is true of."""
        places = [each for each, schema in shown.items() if (name in schema.properties) is is_there]
        if len(places) == len(shown):
            findings.add_at(severity, _any(record), what, advice)
            return
        for each in places:
            place = f"The {record} of {each.method} {each.path}"
            findings.add_at(severity, place, what, advice)

    for name in dict.fromkeys(each for schema in shown.values() for each in schema.properties):
        if name not in read:
            what = f"has a property {name} that we don't know"
            advice = f"give it a column in {_REGISTRY}, or add it to RECORDS in {CATALOGUE}"
            note("warning", name, True, what, advice)
    for name in sorted(known, key=lambda each: (each not in RECORDS[record], each)):
        what = f"has no property {name}"
        advice = f"find its new name and correct it in {_REGISTRY}"
        if name in RECORDS[record]:
            note("warning", name, False, what, f"{advice} and in RECORDS in {CATALOGUE}")
        else:
            note("info", name, False, f"{what}, which we inferred", advice)


def _compare_types(
    document: Document, record: str, shown: Mapping[Operation, Schema], findings: Findings
) -> None:
    if record not in TYPES:
        return
    constant, ours = TYPES[record]
    theirs = {
        operation: document.values(schema.properties.get("type", []))
        for operation, schema in shown.items()
    }
    allowed = [each for each in theirs.values() if each is not None]
    for value in sorted(frozenset[str]().union(*allowed).difference(ours)):
        findings.add_at(
            "warning", _any(record), f"can have the type {value}, which we don't know",
            f"add it to {constant} in {CATALOGUE}",
        )  # fmt: skip
    for value in ours:
        if allowed and not any(value in each for each in allowed):
            findings.add_at(
                "warning", _any(record), f"can no longer have the type {value}",
                f"remove it from {constant} in {CATALOGUE}",
            )  # fmt: skip


def _any(record: str) -> str:
    return f"{'An' if record[0] in 'aeiou' else 'A'} {record}"
