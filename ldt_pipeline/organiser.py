"""Whose data a folder holds: with another organiser's key, two accounts would become one.

What belongs here: the note of the organiser in the data folder, and comparing keys with it. What
doesn't: what a key says (`api/keys.py`).

Lists of another account look like a very long list of changes, and whoever is missing in them like
deleted: people of both would stand in one start list. Only what keys say in so many words is
compared; where they don't name an organiser, nothing is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from upath import UPath

from ldt_pipeline.api.keys import organiser_of
from ldt_pipeline.raw.files import write_durably

_NOTE = "organiser.json"


class OtherOrganiserError(Exception):
    """The key is another organiser's than the data."""


def require_same_organiser(folder: Path, key: str) -> None:
    """See that a key's organiser is the one whose data the folder holds.

    Raises:
        OtherOrganiserError: It is another one, or the note of it can't be read.
    """
    theirs, held = organiser_of(key).id, _read(folder / _NOTE)
    if theirs is not None and held is not None and theirs != held:
        raise OtherOrganiserError(
            f"The key in LDT_API_KEY is of organiser {theirs!r}, and {folder} holds the data of "
            f"organiser {held!r}: nothing was asked of the API. Set LDT_DATA_DIR to another folder, "
            f"or LDT_API_KEY to that organiser's key. If both are one, delete {folder / _NOTE}."
        )


def remember_organiser(folder: Path, key: str) -> None:
    """Note whose data the folder holds, once the API has accepted the key."""
    theirs = organiser_of(key).id
    if theirs is not None and not (folder / _NOTE).exists():
        write_durably(UPath(folder / _NOTE), json.dumps({"organiser_id": theirs}).encode() + b"\n")


def _read(path: Path) -> str | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))["organiser_id"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        held = None
    if not isinstance(held, str):
        raise OtherOrganiserError(
            f"{path} can't be read: it should say whose data this folder holds. If the key in "
            "LDT_API_KEY is that organiser's, delete the file; the next sync writes it again."
        )
    return held
