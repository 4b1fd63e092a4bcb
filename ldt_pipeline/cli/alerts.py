"""`ldt alerts`: whether alerts arrive, and what is wrong now.

What belongs here: the commands. What doesn't: looking (`defs/alert_sensors.py`) and sending
(`alerting/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command, CommandError
from ldt_pipeline.cli.text import clean, counted

if TYPE_CHECKING:
    import datetime as dt

    from ldt_pipeline.alerting.book import Book
    from ldt_pipeline.alerting.config import AlertsFile
    from ldt_pipeline.settings import Settings


class _Group(Command, click.Group):
    """A group whose help has examples and exit statuses, as that of each command."""


@click.group(
    "alerts",
    cls=_Group,
    short_help="Tell whoever is on call of trouble; test that; show what is wrong now.",
    examples=(
        "ldt alerts example > alerts.yaml",
        "ldt alerts test",
        "ldt alerts status",
        "ldt alerts close run/reconcile/",
        "ldt alerts send",
    ),
    failures="a channel didn't take the message, or the alerts file can't be used",
)
def alerts() -> None:
    """Alerts by webhook, e-mail or a program of yours, as LDT_ALERTS_FILE says.

    The daemon looks for trouble twice a minute and sends what is owed. These commands set that up
    and show it.
    """


@alerts.command(
    "example",
    cls=Command,
    short_help="Print an alerts file to begin with.",
    examples=("ldt alerts example > alerts.yaml",),
    failures="it can't be printed",
)
def example() -> None:
    """Print an alerts file, with a comment for each line. Point LDT_ALERTS_FILE at your copy."""
    from ldt_pipeline.alerting.config import EXAMPLE

    click.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)


@alerts.command(
    "test",
    cls=Command,
    short_help="Send a test message through each channel.",
    examples=("ldt alerts test", "ldt alerts test on-call"),
    failures="a channel didn't take the message",
)
@click.argument("names", nargs=-1, metavar="[CHANNEL]...")
def test(names: tuple[str, ...]) -> None:
    """Send a test message through each channel of the alerts file, or through those named.

    One attempt each, whatever the limits are. It says what came of it.
    """
    from ldt_pipeline.alerting.channels import DeliveryError
    from ldt_pipeline.alerting.delivering import send_now
    from ldt_pipeline.alerting.message import trial_message
    from ldt_pipeline.instants import now

    _, config = _configured()
    unknown = [each for each in names if each not in config.channels]
    if unknown:
        raise CommandError(
            f"The alerts file has no channel {', '.join(clean(each) for each in unknown)}; it has "
            f"{', '.join(config.channels)}."
        )
    failed = 0
    for name in names or config.channels:
        try:
            note = send_now(config.channels[name], trial_message(now()))
        except DeliveryError as error:
            failed += 1
            click.echo(f"{name}: not sent, {error}.")
        else:
            click.echo(f"{name}: sent{f', but {note}' if note else ''}.")
    if failed:
        raise CommandError(f"{counted(failed, 'channel')} did not take the message.")


@alerts.command(
    "status",
    cls=Command,
    short_help="Show what is wrong now, and how the channels do.",
    examples=("ldt alerts status",),
    failures="the alerts file can't be used",
)
def status() -> None:
    """Show what is wrong now, who was told, and how each channel has been doing.

    It reads what was found when somebody last looked, and looks at nothing itself.
    """
    from ldt_pipeline.alerting.book import BookFile

    settings, config = _configured()
    file = BookFile(settings.alerts_dir)
    book = file.read()
    if book.looked_at is None:
        click.echo("Nobody has looked yet: the daemon does, and so does `ldt alerts send`.")
    else:
        click.echo(f"Last looked: {_moment(book.looked_at)}")
    found = book.open_records()
    for record in found:
        told = ", ".join(name for name in record.told if name in config.channels) or "nobody yet"
        sentence = record.trouble.sentence(occurrences=record.occurrences)
        click.echo(f"{record.trouble.severity}, since {_moment(record.opened_at)}: {sentence}")
        click.echo(f"    told: {told}")
        if record.trouble.source == "run":
            click.echo(f"    key: {clean(record.trouble.key)}")
    if not found and book.looked_at is not None:
        click.echo("Nothing is wrong.")
    for line in _channel_lines(book, config, file.clock()):
        click.echo(line)


@alerts.command(
    "close",
    cls=Command,
    short_help="Have a failed run that nobody will repeat told of no more.",
    examples=("ldt alerts close run/reconcile/",),
    failures="no failed run with this key is open, or LDT_ALERTS_FILE is not set",
)
@click.argument("key")
def close(key: str) -> None:
    """Have a failed run told of no more, by its KEY, which `ldt alerts status` shows.

    It is over by itself once what it was to make has been made, or after three days. All else that
    is wrong is looked at anew each time, and can't be closed.
    """
    from ldt_pipeline.alerting.book import BookFile

    settings, _ = _configured()
    file = BookFile(settings.alerts_dir)
    with file.changed() as book:
        found = [each for each in book.open_records("run") if clean(each.trouble.key) == key]
        for record in found:
            book.close(record.trouble.key, file.clock(), is_given_up=True)
    if not found:
        raise CommandError(
            f"No failed run with the key {clean(key)} is open: `ldt alerts status` shows the keys."
        )
    click.echo("Closed: each channel that was told hears that it is told of no more.")


@alerts.command(
    "send",
    cls=Command,
    short_help="Look for trouble once, and send what is owed.",
    examples=("ldt alerts send",),
    failures="a channel didn't take the message: the next time it is tried again",
)
def send() -> None:
    """Look for trouble once, and send each channel what it is owed: for those who run no daemon.

    Run it from cron every few minutes, beside `ldt sync`. Runs that failed before it was first run
    are history.
    """
    from ldt_pipeline.definitions import defs
    from ldt_pipeline.defs.alert_sensors import look_and_deliver
    from ldt_pipeline.home import open_instance

    settings, _ = _configured()
    with open_instance() as instance:
        keys = defs.resolve_asset_graph().get_all_asset_keys()
        done = look_and_deliver(settings, instance, keys)
    for each in done:
        what = f"not told, {each.error}" if each.error else f"told of {each.troubles}"
        click.echo(f"{each.channel}: {what}.")
    if not done:
        click.echo("Nobody has to be told now.")
    failed = sum(each.error is not None for each in done)
    if failed:
        raise CommandError(f"{counted(failed, 'channel')} did not take the message.")


def _configured() -> tuple[Settings, AlertsFile]:
    from ldt_pipeline.alerting.config import read_alerts_file
    from ldt_pipeline.settings import SettingsError, load_settings

    settings = load_settings()
    if settings.alerts_file is None:
        raise SettingsError(
            "LDT_ALERTS_FILE is not set: `ldt alerts example` prints a file to begin with."
        )
    return settings, read_alerts_file(settings.alerts_file)


def _channel_lines(book: Book, config: AlertsFile, moment: dt.datetime) -> list[str]:
    from ldt_pipeline.alerting.book import Line
    from ldt_pipeline.alerting.owed import owed

    lines: list[str] = []
    for name, channel in config.channels.items():
        line = book.lines.get(name) or Line()
        waiting = owed(book, name, moment, rules=config.rules, at_least=channel.at_least)
        parts = [f"{counted(len(waiting), 'trouble')} to tell"]
        if line.held_since is not None:
            parts.append(f"held back since {_moment(line.held_since)} by messages_per_hour")
        if line.failures and line.not_before is not None:
            parts.append(f"failed {counted(line.failures, 'time')}: {line.error}")
            parts.append(f"tried again from {_moment(line.not_before)} on")
        elif line.error:
            parts.append(line.error)
        lines.append(f"Channel {name}: {'; '.join(parts)}.")
    return lines


def _moment(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
