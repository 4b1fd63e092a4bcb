"""`ldt sandbox`: the stand-in API until Ctrl-C, for trying things out.

What belongs here: the command's options. What doesn't: serving (`sandbox/service.py`).
"""

from __future__ import annotations

import datetime as dt
import math
import signal
from typing import Any

import click

from ldt_pipeline.cli.command import Command
from ldt_pipeline.instants import with_zone

_EARLIEST_YEAR, _LATEST_YEAR = 1980, 2100
_MOST_PEOPLE = 16_000_000
"""What an id's counter has room for, and some more for who enters while it is served."""


def _read_instant(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> dt.datetime | None:
    if value is None:
        return None
    try:
        moment = with_zone(dt.datetime.fromisoformat(value))
    except ValueError:
        raise click.BadParameter("write an instant such as 2026-03-01T12:00:00+00:00") from None
    # Ids hold the second in eight hexadecimal digits, from four years before.
    if not _EARLIEST_YEAR <= moment.year < _LATEST_YEAR:
        raise click.BadParameter(f"it must lie between {_EARLIEST_YEAR} and {_LATEST_YEAR}")
    return moment


def _read_finite(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """Refuse what `float` reads and no range of click's leaves out."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number to go by")
    return value


@click.command(
    "sandbox",
    cls=Command,
    short_help="Serve the stand-in API, until Ctrl-C.",
    examples=(
        "ldt sandbox",
        "ldt sandbox --participants 60000 --changes-per-second 2 --fault-rate 0.05",
    ),
    failures="could not serve, such as a port in use",
    done="ended by Ctrl-C or SIGTERM",
    ends_by_interruption=True,
)
@click.option(
    "--participants", type=click.IntRange(1, _MOST_PEOPLE), default=1000, show_default=True,
    help="How many people entered.",
)  # fmt: skip
@click.option("--applications", type=click.IntRange(0, _MOST_PEOPLE), help="How many applied.")
@click.option(
    "--events", type=click.IntRange(min=1), default=6, show_default=True,
    help="How many events there are.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Which account.")
@click.option("--now", callback=_read_instant, help="When the account's history ends.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True,
    help="The port; 0 takes a free one.",
)  # fmt: skip
@click.option(
    "--latency-ms", type=click.FloatRange(min=0), default=0, show_default=True,
    callback=_read_finite, help="How long every answer is held back.",
)  # fmt: skip
@click.option(
    "--fault-rate", type=click.FloatRange(0, 1), default=0, show_default=True,
    callback=_read_finite, help="How often a request meets something that a retry gets past.",
)  # fmt: skip
@click.option(
    "--changes-per-second", type=click.FloatRange(min=0), default=0, show_default=True,
    callback=_read_finite, help="Random changes to the account while it is served.",
)  # fmt: skip
@click.option(
    "--cursors", type=click.Choice(["opaque", "record_id"]), default="opaque", show_default=True,
    help="What cursors are.",
)  # fmt: skip
@click.option(
    "--list-end", type=click.Choice(["null", "absent", "empty", "again"]), default="null",
    show_default=True, help="What `next` is on the last page.",
)  # fmt: skip
def sandbox(**options: Any) -> None:
    """Serve a stand-in for the Let's Do This API, full of made-up people, until Ctrl-C.

    It prints two lines to paste into another terminal (or, without `export`, into .env); after
    that every other command works on the sandbox. Its keys open nothing else.
    """
    from ldt_pipeline.sandbox import serve

    # The same as Ctrl-C, which also ends making an account up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(**options, ready=announce)


def announce(base_url: str, api_key: str) -> None:
    """Print what another terminal needs to talk to a sandbox."""
    click.echo(f"export LDT_API_BASE_URL={base_url}\nexport LDT_API_KEY={api_key}")
    click.echo("Serving until Ctrl-C.", err=True)
