"""Today's state as an allocations file: the way to begin.

What belongs here: live records to the form of the file. Contacts are left out: the API can't change
them, and they are people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import yaml

from ldt_pipeline.allocations.checking import problems, schema
from ldt_pipeline.allocations.live import (
    Live,
    LiveEvent,
    Record,
    partner_of,
    tickets_of,
)
from ldt_pipeline.allocations.nodes import Place, node_of
from ldt_pipeline.api.catalogue import EXTERNAL_ID_TYPES

SCHEMA_FILE = "allocations.schema.json"
"""The name of the JSON Schema beside a file: relative, so that both can be kept under review."""

_BREAKS = re.compile("[\x85\u2028\u2029]")
_NOWHERE = Place("", 0)
_EDITORS_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
_HEADING = """\
# Who gets how many places. `ldt allocations plan FILE` shows what a change here would change there.
# A group that is taken out of a partner's list is deleted; partners and events that aren't named
# stay as they are.
"""


def document_of(live: Live, event_ids: Sequence[str]) -> dict[str, Any]:
    """Give the content of a file that says what is there: planning it changes nothing."""
    used = {
        partner_of(group)
        for event_id in event_ids
        for group in live.events[event_id].groups.values()
    }
    partners = {id_: each for id_, each in live.partners.items() if id_ in used}
    return {
        "partners": [
            _partner(each, partner_id)
            for partner_id, each in sorted(partners.items(), key=lambda item: _name(item[1]))
        ],
        "events": [
            {"event": event_id, "allocations": _allocations(live, live.events[event_id])}
            for event_id in event_ids
        ],
    }


def yaml_text(document: dict[str, Any], *, has_schema: bool) -> str:
    """Give a document as YAML, with what to know at its head.

    With `has_schema` an editor is told of `SCHEMA_FILE`, which has to lie beside it.
    """
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return (_EDITORS_LINE if has_schema else "") + _HEADING + body


class _Dumper(yaml.SafeDumper):
    """Writes what breaks lines as escapes: PyYAML would fold it, and read a blank."""

    def represent_text(self, text: str) -> yaml.Node:
        style = '"' if _BREAKS.search(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own signature
        return True


_Dumper.add_representer(str, _Dumper.represent_text)


def _partner(partner: Record, partner_id: str) -> dict[str, Any]:
    said = partner.get("externalIds")
    external: Record = cast("Record", said) if isinstance(said, dict) else {}
    fields: dict[str, Any] = {
        "partner": partner_id,
        "name": partner.get("name"),
        "type": partner.get("type"),
        "description": partner.get("description"),
        "external_ids": {key: str(external[key]) for key in EXTERNAL_ID_TYPES if external.get(key)},
        "marketing": partner.get("defaultMarketing"),
        "event_marketing": partner.get("specificMarketings"),
        "sub_partners": partner.get("canCreateSubPartners"),
    }
    return _said(fields, "partner")


def _allocations(live: Live, event: LiveEvent) -> list[dict[str, Any]]:
    by_partner: dict[str | None, list[dict[str, Any]]] = {}
    for group_id, group in event.groups.items():
        by_partner.setdefault(partner_of(group), []).append(_group(group, group_id))

    def order(partner_id: str | None) -> tuple[str, str]:
        return _name(live.partners.get(partner_id or "", {})), partner_id or ""

    return [
        {"partner": partner_id, "groups": by_partner[partner_id]}
        for partner_id in sorted(by_partner, key=order)
    ]


def _group(group: Record, group_id: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": group_id,
        "name": group.get("name"),
        "capacity": _whole(group.get("maxCapacity")),
        "tickets": list(tickets_of(group.get("tickets"))),
        "type": group.get("type"),
        "description": group.get("description"),
        "settings": group.get("settings"),
    }
    return _said(fields, "group")


def _said(fields: dict[str, Any], kind: str) -> dict[str, Any]:
    """Leave out what is empty, and what no file may say: what is left out stays as it is."""
    rules = schema()["$defs"][kind]["properties"]
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "", [], {})
        and not any(problems(node_of(value, _NOWHERE), rules[name], name))
    }


def _whole(value: Any) -> Any:
    """Give a number as one, also where it came as text; anything else as it is."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(partner: Record) -> str:
    return str(partner.get("name") or "").casefold()
