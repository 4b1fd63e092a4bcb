"""Whose data a folder holds: with another organiser's key, two accounts would become one.

What belongs here: the note of the organiser in the data folder, and comparing keys with it. What
doesn't: what a key says (`api/keys.py`).

Lists of another account look like a very long list of changes, and whoever is missing in them like
deleted: people of both would stand in one start list. Only what keys say in so many words is
compared; where they don't name an organiser, the API that they are sent to tells at least the real
account from a stand-in's.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from upath import UPath

from ldt_pipeline.api.keys import organiser_of
from ldt_pipeline.raw.files import write_durably

_NOTE = "organiser.json"
_HERE = "this machine"


class OtherOrganiserError(Exception):
    """The key is another organiser's than the data, or nobody can tell and the API is another one."""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    organiser_id: str | None
    api: str | None = None
    """The host that the data came from; None where an older version wrote the note."""


def require_same_organiser(folder: Path, key: str, base_url: str) -> None:
    """See that a key's organiser is the one whose data the folder holds.

    Raises:
        OtherOrganiserError: It is another one, or may be, or the note of it can't be read.
    """
    held = _read(folder / _NOTE)
    if held is None:
        return
    theirs, api = organiser_of(key).id, _host(base_url)
    if theirs is not None and held.organiser_id is not None:
        if theirs != held.organiser_id:
            raise OtherOrganiserError(
                f"The key in LDT_API_KEY is of organiser {theirs!r}, and {folder} holds the data of "
                f"organiser {held.organiser_id!r}: nothing was asked of the API. Set LDT_DATA_DIR to "
                "another folder, or LDT_API_KEY to that organiser's key. If both are one, delete "
                f"{folder / _NOTE}."
            )
    elif held.api not in (None, api):
        raise OtherOrganiserError(
            f"LDT_API_BASE_URL is on {api}, and {folder} holds the data of {held.api}; whether both "
            "are of one organiser can't be told, as not every key names one: nothing was asked of "
            "the API. Set LDT_DATA_DIR to another folder, or LDT_API_BASE_URL to where the data came "
            f"from. If both are one, delete {folder / _NOTE}."
        )


def remember_organiser(folder: Path, key: str, base_url: str) -> None:
    """Note whose data the folder holds, once the API has accepted the key."""
    held = _read(folder / _NOTE)
    theirs = organiser_of(key).id or (held.organiser_id if held else None)
    note = _Note(organiser_id=theirs, api=_host(base_url))
    if note != held:
        write_durably(UPath(folder / _NOTE), msgspec.json.encode(note) + b"\n")


def _host(base_url: str) -> str:
    """Give where an API is. A stand-in is at another port of this machine each time."""
    host = urlsplit(base_url).hostname or base_url
    return _HERE if host in ("127.0.0.1", "localhost", "::1") else host


def _read(path: Path) -> _Note | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Note)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OtherOrganiserError(
            f"{path} can't be read: it should say whose data this folder holds. If the key in "
            "LDT_API_KEY is that organiser's, delete the file; the next sync writes it again."
        ) from None
