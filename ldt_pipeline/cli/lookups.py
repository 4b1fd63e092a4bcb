"""`ldt partner`, `reserved-entry`, `participant`, `application`: one record, live from the API.

What belongs here: the four commands and how a record is shown. What doesn't: published tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import click

from ldt_pipeline.api.catalogue import (
    EXTERNAL_ID_TYPES,
    GET_APPLICATION,
    GET_PARTICIPANT,
    GET_PARTNER,
    GET_RESERVED_ENTRY_GROUP,
    Operation,
)
from ldt_pipeline.cli.cells import cell_width, fit
from ldt_pipeline.cli.command import Command, CommandError
from ldt_pipeline.cli.text import clean, escape_unprintable

_EXTERNAL = click.option(
    "--external",
    type=click.Choice(EXTERNAL_ID_TYPES),
    help="Read ID as the partner's id there.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="The record as the API gives it.")


def _command(name: str, what: str, example: str) -> Callable[..., Any]:
    return click.command(
        name,
        cls=Command,
        short_help=f"Show one {what}, live from the API.",
        examples=(f"ldt {name} {example}", f"ldt {name} {example} --json"),
        failures="there is none, or the API can't be reached",
    )


@_command("partner", "partner", "p_v7k8jsvoj2o")
@click.argument("partner_id", metavar="ID")
@_EXTERNAL
@_JSON
def partner(partner_id: str, external: str | None, as_json: bool) -> None:
    """Show the partner ID: an id at Let's Do This, or elsewhere with --external."""
    _show(GET_PARTNER, partner_id, {"externalId": external} if external else {}, as_json=as_json)


@_command("reserved-entry", "reserved entry group", "re_abcd6ss01x8")
@click.argument("group_id", metavar="ID")
@_JSON
def reserved_entry(group_id: str, as_json: bool) -> None:
    """Show the reserved entry group ID, with how many of its places are claimed now."""
    _show(GET_RESERVED_ENTRY_GROUP, group_id, {}, as_json=as_json)


@_command("participant", "participant", "6399c20015d60ae3ff28f24c")
@click.argument("participant_id", metavar="ID")
@_JSON
def participant(participant_id: str, as_json: bool) -> None:
    """Show the participant ID, with all answers. It is personal data: mind who looks on."""
    _show(GET_PARTICIPANT, participant_id, {"extendMetadata": "true"}, as_json=as_json)


@_command("application", "application", "6399c20015d60ae3ff28f24c")
@click.argument("application_id", metavar="ID")
@_JSON
def application(application_id: str, as_json: bool) -> None:
    """Show the application ID, with all answers. It is personal data: mind who looks on."""
    _show(GET_APPLICATION, application_id, {"extendMetadata": "true"}, as_json=as_json)


def _show(
    operation: Operation, record_id: str, parameters: dict[str, str], *, as_json: bool
) -> None:
    from ldt_pipeline.api.errors import NotFoundError
    from ldt_pipeline.connecting import connect
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    with connect(settings) as client:
        try:
            body = client.get_record(operation, record_id=record_id, parameters=parameters)
        except NotFoundError:
            raise CommandError(
                f"There is no {operation.record} {clean(record_id)!r}, or the key may not see it."
            ) from None
    record = json.loads(body)
    if as_json:
        click.echo(escape_unprintable(json.dumps(record, ensure_ascii=False)))
        return
    # Whole, whatever the width: what a medic looks for may stand at the end of a long answer.
    rows = [("field", "value"), *((clean(name), clean(each)) for name, each in _rows("", record))]
    widest = max(cell_width(name) for name, _ in rows)
    for name, each in rows:
        click.echo(f"{fit(name, widest)}  {each}")


def _rows(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """A row for each value, by where it stands; nothing of what is empty."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _rows(f"{path}.{key}" if path else key, each)
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Any]", value)):
            yield from _rows(f"{path}[{number}]", each)
    elif value not in (None, ""):
        yield path, value if isinstance(value, str) else json.dumps(value)
