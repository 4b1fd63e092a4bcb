"""The contract check: where the API's own OpenAPI document and our catalogue disagree.

What belongs here: which disagreements matter, how much, and a sentence for each that says what to
change and where. What doesn't: reading documents (`openapi.py`, `documents.py`).

Most paths of the catalogue are inferred, as the reference names their operations by title alone;
this check is how they become facts. An error is something that reading relies on and that the
document denies. A warning is a difference that costs nobody a record. The rest is good to know.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ldt_pipeline.api import catalogue
from ldt_pipeline.api.catalogue import OPERATIONS, Answer, Operation, Parameter
from ldt_pipeline.api.contract_records import TYPES, compare_answers
from ldt_pipeline.api.documents import document_address, load_document
from ldt_pipeline.api.findings import CATALOGUE, Findings, Severity
from ldt_pipeline.api.openapi import (
    ContractError,
    Document,
    DocumentedOperation,
    DocumentedParameter,
    Schema,
    comparable_path,
)

__all__ = ["ContractError", "Difference", "compare", "document_address", "load_document"]

_ALWAYS_SENT = ("page[size]", "sort[updatedAt]", "extendMetadata")
"""What `paging.ListRequest` names in every request, where the operation accepts it."""

_RELIED_ON = (
    "page[size]",
    "page[after]",
    "sort[updatedAt]",
    "updatedAt[after]",
    "updatedAt[before]",
)
"""What lists can't be read whole without."""

_HEADERS_ALWAYS_SENT = ("authorization", "accept", "content-type", "accept-encoding", "user-agent")
_SIMILAR_ENOUGH = 0.6
_CONSTANTS = {
    id(each): name for name, each in vars(catalogue).items() if isinstance(each, Operation)
}
_VALUES_CONSTANTS = {"externalId": "EXTERNAL_ID_TYPES"}


@dataclass(frozen=True)
class Difference:
    """One difference. `operation` is what it is about, such as `GET /partners`."""

    severity: Literal["error", "warning", "info"]
    operation: str
    sentence: str


def compare(
    document: object, *, also_read: Mapping[str, Collection[str]] | None = None
) -> list[Difference]:
    """Compare a document with the catalogue and the registry of tables; gravest first.

    Args:
        document: The decoded document.
        also_read: By record, properties that are read under other names than the registry's.

    Raises:
        ContractError: It is no OpenAPI document.
    """
    read = Document(document)
    findings = Findings()
    _compare_version(read, findings)
    found = _pair(read)
    _compare_paths(read, found, findings)
    for operation, documented in found.items():
        _compare_parameters(operation, documented, findings)
        _compare_body(read, operation, documented, findings)
    answers = {each: found[each] for each in found if not each.is_write}
    compare_answers(read, answers, also_read or {}, findings)
    return [
        Difference(severity, where, sentence) for severity, where, sentence in findings.merged()
    ]


def _pair(read: Document) -> dict[Operation, DocumentedOperation]:
    """Find the operations of the catalogue in the document, with its version prefix or without."""
    found: dict[Operation, DocumentedOperation] = {}
    for operation in OPERATIONS:
        path = comparable_path(operation.path)[1]
        for prefix in _prefixes(read):
            documented = read.operations.get((prefix, operation.method, path))
            if documented is not None:
                found[operation] = documented
                break
    return found


def _prefixes(read: Document) -> list[str]:
    """Give the version prefixes to look under: ours first, then none, then any other."""
    present = dict.fromkeys(prefix for prefix, _, _ in read.operations)
    ours = [catalogue.VERSION_PREFIX, ""]
    return [*ours, *(each for each in present if each not in ours)] if _is_other(read) else ours


def _is_other(read: Document) -> bool:
    """Whether the document is of another version alone."""
    return not {catalogue.VERSION_PREFIX, ""} & {prefix for prefix, _, _ in read.operations}


def _compare_version(read: Document, findings: Findings) -> None:
    if _is_other(read) and read.operations:
        prefixes = ", ".join(dict.fromkeys(prefix for prefix, _, _ in read.operations))
        findings.add_general(
            "error",
            f"describes {prefixes}, and we read {catalogue.VERSION_PREFIX}",
            f"correct VERSION_PREFIX in {CATALOGUE} and the default of LDT_API_BASE_URL in "
            "ldt_pipeline/settings.py, when the API really moved",
        )
    if read.api_version not in (None, catalogue.REFERENCE_VERSION):
        findings.add_general(
            "info",
            f"is of version {read.api_version}, and the catalogue was written from "
            f"{catalogue.REFERENCE_VERSION}",
            f"when all differences are settled, correct REFERENCE_VERSION in {CATALOGUE}",
        )


def _compare_paths(
    read: Document, found: Mapping[Operation, DocumentedOperation], findings: Findings
) -> None:
    taken = {id(each) for each in found.values()}
    prefixes = _prefixes(read)
    unknown = {
        (method, path): each
        for (prefix, method, path), each in read.operations.items()
        if prefix in prefixes and id(each) not in taken
    }
    for operation in OPERATIONS:
        if operation not in found:
            _report_missing(operation, unknown, findings)
        elif found[operation].is_deprecated:
            findings.add(
                "warning", operation, "is marked as deprecated", "find out what takes its place"
            )
    for (method, _), each in unknown.items():
        if method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            findings.add_at(
                "info",
                each.shown,
                "is in the document and not in the catalogue",
                f"add it to {CATALOGUE} if it is of use",
            )


def _report_missing(
    operation: Operation,
    unknown: dict[tuple[str, str], DocumentedOperation],
    findings: Findings,
) -> None:
    """Report an operation that the document lacks, with the likeliest one that took its place."""
    path = comparable_path(operation.path)[1]
    likely = [key for key in unknown if key[1] == path]
    if not likely:
        same_method = {key[1]: key for key in unknown if key[0] == operation.method}
        similar = difflib.get_close_matches(path, same_method, n=1, cutoff=_SIMILAR_ENOUGH)
        likely = [same_method[each] for each in similar]
    hint = f" (it has {unknown.pop(likely[0]).shown}, which may be it)" if likely else ""
    findings.add(
        _grave(operation),
        operation,
        f"is not in the document{hint}",
        f"if its path or method changed, correct {_CONSTANTS[id(operation)]} in {CATALOGUE}",
    )


def _compare_parameters(
    operation: Operation, documented: DocumentedOperation, findings: Findings
) -> None:
    query = {
        name: each for (place, name), each in documented.parameters.items() if place == "query"
    }
    if operation.parameters and not query:
        findings.add(
            "warning", operation, "has no query parameters in the document",
            "ask Let's Do This whether that is right; we send some",
        )  # fmt: skip
        return
    for parameter in operation.parameters:
        if parameter.name in query:
            _compare_parameter(operation, parameter, query[parameter.name], findings)
        else:
            relied_on = operation.answer is Answer.PAGES and parameter.name in _RELIED_ON
            findings.add(
                "error" if relied_on else "warning",
                operation,
                f"has no query parameter {parameter.name} in the document",
                f"rename or remove it in {CATALOGUE}",
            )
    for (place, name), each in documented.parameters.items():
        _look_for_needs(operation, place, name, each, findings)


def _look_for_needs(
    operation: Operation, place: str, name: str, each: DocumentedParameter, findings: Findings
) -> None:
    if place == "path" or (place == "header" and name.lower() in _HEADERS_ALWAYS_SENT):
        return
    is_known = place == "query" and operation.accepts(name)
    if each.is_required and not (is_known and name in _ALWAYS_SENT):
        findings.add(
            _grave(operation),
            operation,
            f"requires the {place} parameter {name}, which we don't always send",
            f"add it to {CATALOGUE} if it isn't there, and send it in ldt_pipeline/api/paging.py",
        )
    elif place == "query" and not is_known:
        findings.add(
            "info",
            operation,
            f"has a query parameter {name} that we don't know",
            f"add it to {CATALOGUE} if it is of use",
        )


def _compare_parameter(
    operation: Operation, ours: Parameter, theirs: DocumentedParameter, findings: Findings
) -> None:
    if ours.values:
        constant = _VALUES_CONSTANTS.get(ours.name, f"the values of {ours.name}")
        _compare_values(
            operation, ours.name, constant, ours.values, theirs.values, findings=findings
        )
    if ours.name != "page[size]":
        return
    for limit, side, name, bound in (
        (theirs.maximum, "most", "PAGE_SIZE_MAX", catalogue.PAGE_SIZE_MAX),
        (theirs.minimum, "least", "PAGE_SIZE_MIN", catalogue.PAGE_SIZE_MIN),
    ):
        if limit is not None and limit != bound:
            is_tighter = limit < bound if side == "most" else limit > bound
            findings.add(
                "error" if is_tighter else "info",
                operation,
                f"takes a page[size] of at {side} {limit:g}, and we take it to be {bound}",
                f"correct {name} in {CATALOGUE}",
            )


def _compare_values(
    operation: Operation,
    name: str,
    constant: str,
    ours: Iterable[str],
    theirs: frozenset[str] | None,
    *,
    findings: Findings,
) -> None:
    if theirs is None:
        return
    relied_on = name in _RELIED_ON
    for value in ours:
        if value not in theirs:
            findings.add(
                "error" if relied_on else "warning", operation,
                f"does not allow the value {value} for {name}",
                f"remove it from {constant} in {CATALOGUE}",
            )  # fmt: skip
    for value in sorted(theirs.difference(ours)):
        findings.add(
            "warning", operation, f"allows a value {value} for {name} that we don't know",
            f"add it to {constant} in {CATALOGUE}",
        )  # fmt: skip


def _compare_body(
    read: Document, operation: Operation, documented: DocumentedOperation, findings: Findings
) -> None:
    if not operation.body:
        return
    body = documented.body
    if body is None:
        findings.add(
            "info", operation, "has no body in the document that could be compared", "nothing to do"
        )
        return
    for name in operation.body:
        if name not in body.properties:
            findings.add(
                "warning", operation, f"takes no {name} in its body, by the document",
                f"rename or remove it in {CATALOGUE}",
            )  # fmt: skip
    for name in body.properties:
        if name not in operation.body:
            findings.add(
                "warning" if name in body.required else "info", operation,
                f"{'requires' if name in body.required else 'takes'} {name} in its body, "
                "which we don't know",
                f"add it to {CATALOGUE}",
            )  # fmt: skip
    _compare_type(read, operation, body, findings)


def _compare_type(read: Document, operation: Operation, body: Schema, findings: Findings) -> None:
    if operation.record in TYPES and "type" in operation.body and "type" in body.properties:
        constant, ours = TYPES[operation.record]
        theirs = read.values(body.properties["type"])
        _compare_values(operation, "type", constant, ours, theirs, findings=findings)


def _grave(operation: Operation) -> Severity:
    """How much it matters when an operation can't be called: reading relies on all that read."""
    return "warning" if operation.is_write else "error"
