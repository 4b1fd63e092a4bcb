"""What an API key says of itself: whose it is, and until when it is good.

What belongs here: how its claims are shown. What doesn't: reading them (`api/keys.py`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ldt_pipeline.api.keys import claims_of, expiry_of, organiser_of, text_of
from ldt_pipeline.cli.text import clean

_SHOWN_MOST = 80


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a key says. Each is None where it says nothing."""

    organiser_name: str | None
    organiser_id: str | None
    expires_at: dt.datetime | None

    @property
    def organiser(self) -> str:
        """The organiser as a person would name them."""
        if self.organiser_name and self.organiser_id:
            return f"{self.organiser_name} (organiser {self.organiser_id})"
        return self.organiser_name or (
            f"organiser {self.organiser_id}"
            if self.organiser_id
            else "an organiser it doesn't name"
        )


def read_claims(key: str) -> Claims | None:
    """Read a key's claims; None where it is no JSON Web Token."""
    claims = claims_of(key)
    if claims is None:
        return None
    named = organiser_of(key)
    return Claims(
        organiser_name=_shown(named.name or text_of(claims.get("name"))),
        organiser_id=_shown(named.id or text_of(claims.get("sub"))),
        expires_at=expiry_of(key),
    )


def _shown(text: str | None) -> str | None:
    return None if text is None else clean(text).strip()[:_SHOWN_MOST] or None
