"""`ldt check`: is everything in place: settings, key, API, and what we believe of the API?

What belongs here: the command, and the order of its questions. What doesn't: asking the API
(`probes.py`), reading the key (`key_claims.py`) and the contract check itself (`api/contract.py`).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldt_pipeline.cli.command import Command, CommandError
from ldt_pipeline.cli.lines import Line, Mark, show
from ldt_pipeline.cli.text import counted

if TYPE_CHECKING:
    from ldt_pipeline.settings import Settings

_SOON = dt.timedelta(days=14)


@click.command(
    "check",
    cls=Command,
    short_help="See whether settings, key and API are as they should be.",
    examples=("ldt check", "ldt check --document openapi.json"),
    failures="a line has a ✗",
    done="nothing has a ✗; lines with a ! are worth a look",
)
@click.option(
    "--document",
    metavar="URL_OR_FILE",
    help="The API's OpenAPI document: an address, or a JSON or YAML file. By default it is asked "
    "of the API's own host, and its absence is no failure then.",
)
def check(document: str | None) -> None:
    """See whether settings, key and API are as they should be.

    It reads the files that settings name, shows whose key it is and until when it is good, asks each
    list for one record, and compares the API's OpenAPI document with what the pipeline takes the API
    to be; each difference says what to change. Nothing is stored, and the document is fetched without
    the key.
    """
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    count = failed = 0
    for line in _lines(settings, document):
        show(line)
        count += 1
        failed += line.mark == "✗"
    if failed:
        raise CommandError(f"{failed} of {counted(count, 'line')} failed: see those with a ✗.")


def _lines(settings: Settings, document: str | None) -> Iterator[Line]:
    yield from _settings_lines(settings)
    api_key = settings.api_key.get_secret_value() if settings.api_key else None
    is_usable = True
    for line in _key_lines(settings, api_key):
        yield line
        is_usable = is_usable and line.mark != "✗"
    if api_key is not None and is_usable:
        from ldt_pipeline.cli.probes import probe

        yield from probe(settings, api_key)
    else:
        yield Line("·", "API", "not asked, as there is no usable key")
    yield from _contract_lines(settings, document)


def _settings_lines(settings: Settings) -> Iterator[Line]:
    from ldt_pipeline.cli.ahead import ahead_lines
    from ldt_pipeline.cli.misspelt import misspelt_lines
    from ldt_pipeline.cli.modes import mode_lines

    yield Line("✓", "settings", f"the API is {settings.api_base_url}")
    yield from misspelt_lines()
    yield Line("✓", "data folder", str(settings.data_dir))
    yield from mode_lines(settings)
    yield from ahead_lines(settings)
    yield from _file_lines(settings)


def _file_lines(settings: Settings) -> Iterator[Line]:
    """Read the files that settings name: most of them are used at night, when nobody looks."""
    from ldt_pipeline.alerting.config import AlertsFileError, read_alerts_file
    from ldt_pipeline.allocations.nodes import AllocationsFileError
    from ldt_pipeline.allocations.wanted import read_wanted
    from ldt_pipeline.exporting.presets import (
        PresetError,
        load_own_presets,
        load_preset,
    )
    from ldt_pipeline.tidy import QuestionsFileError, load_questions

    questions = settings.questions_file or "the one that comes with the pipeline"
    files: list[tuple[str, object, Callable[[], object]]] = [
        ("questions file", questions, lambda: load_questions(settings.questions_file))
    ]
    if (allocations := settings.allocations_file) is not None:
        files.append(("allocations file", allocations, lambda: read_wanted(allocations)))
    if (alerts := settings.alerts_file) is not None:
        files.append(("alerts file", alerts, lambda: read_alerts_file(alerts)))
    if (presets := settings.presets_dir) is not None:
        files.append(("presets folder", presets, lambda: load_own_presets(presets)))
    files += [
        ("export preset", name, partial(load_preset, name, settings.presets_dir))
        for name in settings.export_presets
    ]
    for what, name, read in files:
        try:
            read()
        except (QuestionsFileError, AllocationsFileError, AlertsFileError, PresetError) as error:
            yield Line("✗", what, "; ".join(str(error).splitlines()))
        else:
            yield Line("✓", what, str(name))
    if settings.export_target is not None:
        yield _target_line(settings.export_target)


def _target_line(target: str) -> Line:
    """Say whether anything can be written to LDT_EXPORT_TARGET, without writing there."""
    from fsspec.implementations.local import LocalFileSystem
    from upath import UPath

    try:
        place = UPath(target)
        # Some connect at once, and each of them has errors of its own.
        is_local = isinstance(place.fs, LocalFileSystem)
    except Exception as error:
        problem = " ".join(str(error).split()).rstrip(".")
        return Line(
            "✗", "export target", f"LDT_EXPORT_TARGET is {target}, where nothing can be written as it "
            f"is: {problem or type(error).__name__}.",
        )  # fmt: skip
    if is_local:
        folder = Path(place.path).absolute()
        nearest = next(each for each in (folder, *folder.parents) if os.path.exists(each))  # noqa: PTH110 - one that can't be looked into is no error here
        if not nearest.is_dir():
            return Line(
                "✗", "export target", f"LDT_EXPORT_TARGET: {nearest} is no folder; name one."
            )
        if not os.access(nearest, os.W_OK | os.X_OK):
            return Line("✗", "export target", f"LDT_EXPORT_TARGET: {nearest} can't be written.")
    return Line("✓", "export target", target)


def _key_lines(settings: Settings, api_key: str | None) -> Iterator[Line]:
    from ldt_pipeline.cli.key_claims import read_claims
    from ldt_pipeline.organiser import (
        OtherOrganiserError,
        require_same_organiser,
    )
    from ldt_pipeline.settings import SettingsError

    if api_key is None:
        try:
            settings.require_api_key()
        except SettingsError as error:
            yield Line("✗", "key", str(error))
        return
    claims = read_claims(api_key)
    if claims is None:
        yield Line(
            "!", "key", "LDT_API_KEY is no JSON Web Token, as the API's keys are: it may have been "
            "cut off when it was copied.",
        )  # fmt: skip
        return
    try:
        require_same_organiser(settings.data_dir, api_key, settings.api_base_url)
    except OtherOrganiserError as error:
        yield Line("✗", "key", str(error))
        return
    yield Line("✓", "key", f"of {claims.organiser}")
    yield _expiry_line(claims.expires_at, dt.datetime.now(dt.UTC))


def _expiry_line(expires_at: dt.datetime | None, now: dt.datetime) -> Line:
    if expires_at is None:
        return Line("✓", "key's expiry", "it names none")
    from ldt_pipeline.api.keys import NEW_KEY

    shown = f"{expires_at:%Y-%m-%d %H:%M} UTC"
    if expires_at <= now:
        return Line("✗", "key's expiry", f"the key expired on {shown}: {NEW_KEY}")
    if expires_at - now < _SOON:
        return Line("!", "key's expiry", f"the key expires soon, on {shown}: {NEW_KEY}")
    return Line("✓", "key's expiry", shown)


def _contract_lines(settings: Settings, document: str | None) -> Iterator[Line]:
    from ldt_pipeline.api.contract import (
        ContractError,
        compare,
        document_address,
        load_document,
    )

    source = document or document_address(settings.api_base_url)
    try:
        differences = compare(load_document(source), also_read=_also_read())
    except ContractError as error:
        if document is not None:
            yield Line("✗", "OpenAPI document", str(error))
        else:
            yield Line(
                "!", "OpenAPI document", f"{error} Download it from the top of the API's reference "
                "page, and give it with --document.",
            )  # fmt: skip
        return
    marks: dict[str, Mark] = {"error": "✗", "warning": "!", "info": "·"}
    counts = dict.fromkeys(marks.values(), 0)
    for difference in differences:
        counts[marks[difference.severity]] += 1
    yield Line(
        "✓", "OpenAPI document", "agrees with the catalogue in all that was compared"
        if not differences
        else f"compared: {counted(counts['✗'], 'error')}, {counted(counts['!'], 'warning')}, "
        f"{counted(counts['·'], 'note')}",
    )  # fmt: skip
    for difference in differences:
        yield Line(marks[difference.severity], "OpenAPI document", difference.sentence)


def _also_read() -> dict[str, frozenset[str]]:
    """Give the properties that the tidy transforms read under names the registry doesn't have."""
    from ldt_pipeline.tidy import shapes

    return {
        "participant": shapes.PARTICIPANT.known,
        "application": shapes.APPLICATION.known,
        "partner": shapes.PARTNER.known,
        "reserved entry group": shapes.RESERVED_ENTRY_GROUP.known,
        "ticket": shapes.TICKET.known,
    }
