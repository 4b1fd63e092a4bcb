"""The contract check on documents that are odd: compared, or refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldt_pipeline.api.contract import (
    ContractError,
    compare,
)
from ldt_pipeline_tests.api.contracts import (
    agreeing_document,
    answer,
    changed,
    schema,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(_JSON)
def test_arbitrary_json_is_compared_or_refused(document: object) -> None:
    with pytest.raises(ContractError):
        compare(document)


@settings(deadline=None)
@given(st.data())
def test_documents_with_a_piece_of_nonsense(data: st.DataObject) -> None:
    document = agreeing_document()
    node: Any = document
    while True:  # walk to some place, and put something else there
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            node[key] = data.draw(_JSON)
            break
        node = inner
    try:
        differences = compare(document)
    except ContractError:
        return
    assert all(each.sentence for each in differences)


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "no OpenAPI 3 document"),
        ([], "no OpenAPI 3 document"),
        ({"swagger": "2.0"}, "Swagger 2"),
        ({"openapi": "3.1.0"}, "describes no paths"),
        ({"openapi": 3.1, "paths": {"/a": {}}}, "no OpenAPI 3 document"),
    ],
)
def test_what_is_no_document(document: object, part: str) -> None:
    with pytest.raises(ContractError, match=part):
        compare(document)


def test_references_that_lead_in_circles() -> None:
    document = agreeing_document()
    circle = {"$ref": "#/components/schemas/Circle"}
    document["components"]["schemas"]["Circle"] = {"allOf": [circle, circle], "items": circle}
    answer(document)["properties"]["data"] = circle
    assert len(compare(document)) == 1


def test_references_that_multiply() -> None:
    document = agreeing_document()
    node: Any = {"properties": {"id": {}}}
    for _ in range(60):
        node = {"allOf": [node, node]}
    answer(document)["properties"]["data"] = node
    assert compare(document)


def test_references_to_nowhere() -> None:
    document = agreeing_document()
    for reference in ("#/components/nothing", "other.json#/a", "#", "#/paths/0/x", "#/servers/9"):
        answer(document)["properties"]["data"]["items"] = {"$ref": reference}
        assert [each.severity for each in compare(document)] == ["info"]


def test_control_characters_stay_out_of_sentences() -> None:
    differences = changed(
        lambda it: schema(it, "Participant")["properties"].update({"a\x1b[2J\nb": {}})
    )
    assert differences[0].sentence.isprintable()
