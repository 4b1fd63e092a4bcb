"""What an API key (a JSON Web Token) says of itself, which anyone who has it can read.

What belongs here: reading its claims. What doesn't: believing them; only the API knows whether a
key is good. But one that says that it has expired need not be sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from ldt_pipeline.api.errors import AuthenticationError
from ldt_pipeline.instants import now

NEW_KEY = "create a new one under settings / credentials in your Let's Do This account"


_ORGANISER = ("organiser", "organizer", "organisation", "organization")


@dataclass(frozen=True, kw_only=True)
class Organiser:
    """Whose key it is. Each is None where the key doesn't say."""

    id: str | None = None
    name: str | None = None


def claims_of(key: str) -> dict[str, Any] | None:
    """Read a key's claims; None where it is no JSON Web Token."""
    import jwt  # noqa: PLC0415 - takes a while, and most commands need no key

    try:
        return jwt.decode(key, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None


def organiser_of(key: str) -> Organiser:
    """Give the organiser that a key names in so many words.

    Which claims a key has is documented nowhere: `organiserId`, `organiser_id`,
    `organiser: {id: …}` and their like are understood.
    """
    claims = claims_of(key) or {}
    return Organiser(id=_organisers(claims, "id"), name=_organisers(claims, "name"))


def text_of(claim: Any) -> str | None:
    """Give a claim that is a text or a number as text; None for anything else."""
    if isinstance(claim, str | int) and not isinstance(claim, bool):
        return str(claim).strip() or None
    return None


def _organisers(claims: Mapping[str, Any], what: str) -> str | None:
    by_name = {name.lower().replace("_", ""): value for name, value in claims.items()}
    for noun in _ORGANISER:
        nested = by_name.get(noun)
        found = text_of(by_name.get(f"{noun}{what}"))
        if found is None and isinstance(nested, dict):
            found = text_of(cast("dict[str, Any]", nested).get(what))
        if found is not None:
            return found
    return None


def expiry_of(key: str) -> dt.datetime | None:
    """Give the instant (UTC) at which a key says that it expires; None where it names none."""
    expires = (claims_of(key) or {}).get("exp")
    if isinstance(expires, bool) or not isinstance(expires, str | int | float):
        return None
    try:
        return dt.datetime.fromtimestamp(float(expires), dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def refuse_expired(expires_at: dt.datetime | None) -> None:
    """See that a key is still good.

    Raises:
        AuthenticationError: It has expired.
    """
    if expires_at is not None and expires_at <= now():
        raise AuthenticationError(
            f"The key in LDT_API_KEY expired on {expires_at:%Y-%m-%d %H:%M} UTC, by this machine's "
            f"clock, so nothing was asked of the API: {NEW_KEY} and set LDT_API_KEY."
        )


def refused_key(where: str, status: int) -> AuthenticationError:
    """Give the error for a key that the API refused (401), or that may not read this (403)."""
    reason = (
        "It may lack the right to read this (`ldt check` tells which lists it may read), or be revoked"
        if status == HTTPStatus.FORBIDDEN
        else "It may be mistyped, expired or revoked"
    )
    return AuthenticationError(
        f"The API refused the key for GET {where} (status {status}). {reason}: {NEW_KEY} and set "
        "LDT_API_KEY."
    )
