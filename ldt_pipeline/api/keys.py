"""What an API key (a JSON Web Token) says of itself, which anyone who has it can read.

What belongs here: reading its claims. What doesn't: believing them; only the API knows whether a
key is good. But one that says that it has expired need not be sent.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from ldt_pipeline.api.errors import AuthenticationError
from ldt_pipeline.instants import now

NEW_KEY = "create a new one under settings / credentials in your Let's Do This account"


def claims_of(key: str) -> dict[str, Any] | None:
    """Read a key's claims; None where it is no JSON Web Token."""
    import jwt  # noqa: PLC0415 - takes a while, and most commands need no key

    try:
        return jwt.decode(key, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None


def expiry_of(key: str) -> dt.datetime | None:
    """Give the instant (UTC) at which a key says that it expires; None where it names none."""
    expires = (claims_of(key) or {}).get("exp")
    if isinstance(expires, bool):
        return None
    try:
        return dt.datetime.fromtimestamp(float(expires), dt.UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
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
