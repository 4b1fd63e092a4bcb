"""API keys: JSON Web Tokens, signed with the sandbox's own secret.

What belongs here: issuing, checking and revoking keys. What doesn't: where a key travels in a
request (`server`). The default secret is public knowledge: it guards made-up people.
"""

from __future__ import annotations

import time
from typing import Any

import jwt

from ldt_pipeline.sandbox.problems import Unauthorised

SANDBOX_SECRET = "a secret that everybody knows: the sandbox has nothing to hide"  # noqa: S105
_ALGORITHM = "HS256"


def issue_key(
    *,
    secret: str = SANDBOX_SECRET,
    organiser_id: str = "8421",
    organiser_name: str = "Sandbox Striders Events",
    issued_at: int | None = None,
    expires_at: int | None = None,
    **claims: Any,
) -> str:
    """Make an API key.

    Args:
        secret: What to sign it with; a server accepts only keys signed with its own.
        organiser_id: Whose account it opens.
        organiser_name: That organiser's name, as a person would read it.
        issued_at: When it was issued, in seconds since 1970; now by default.
        expires_at: When it stops working, in seconds since 1970; never by default.
        **claims: Anything else to put in.

    Returns:
        The key, to be sent as `Authorization: Bearer <key>`.
    """
    payload: dict[str, Any] = {
        "organiserId": organiser_id,
        "organiserName": organiser_name,
        "iat": int(time.time()) if issued_at is None else issued_at,
        **claims,
    }
    if expires_at is not None:
        payload["exp"] = expires_at
    return jwt.encode(payload, secret, algorithm=_ALGORITHM)


class KeyRing:
    """Knows which keys are good."""

    def __init__(self, *, secret: str) -> None:
        self._secret = secret
        # How many more requests each of them is good for.
        self._revoked: dict[str, int] = {}
        # Checking a signature costs as much as a small page; its outcome never changes.
        self._expiry_of_good_keys: dict[str, float] = {}

    def revoke(self, key: str, *, after_requests: int = 0) -> None:
        """Refuse this key from now on, or once so many more requests with it were let pass."""
        self._revoked[key] = after_requests

    def restore(self, key: str) -> None:
        """Accept this key again."""
        self._revoked.pop(key, None)

    def check(self, header: str | None) -> None:
        """Accept or refuse an `Authorization` header.

        Raises:
            Unauthorised: There is no key, or it isn't good.
        """
        if not header:
            raise Unauthorised("The request has no Authorization header")
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Unauthorised("The Authorization header must read: Bearer <key>")
        if key in self._revoked:
            if self._revoked[key] <= 0:
                raise Unauthorised("The key was revoked")
            self._revoked[key] -= 1
        expiry = self._expiry_of_good_keys.get(key)
        if expiry is None:
            expiry = self._expiry_of_good_keys[key] = self._verify(key)
        if expiry <= time.time():
            raise Unauthorised("The key has expired")

    def _verify(self, key: str) -> float:
        try:
            claims = jwt.decode(
                key,
                self._secret,
                algorithms=[_ALGORITHM],
                # An account may live in another year, and its keys with it; expiry is checked above.
                options={"verify_iat": False, "verify_nbf": False, "verify_exp": False},
            )
        except (jwt.InvalidTokenError, UnicodeEncodeError):  # the latter: bytes that are no text
            raise Unauthorised("The key is not valid") from None
        expiry = claims.get("exp")
        return float(expiry) if isinstance(expiry, int | float) else float("inf")
