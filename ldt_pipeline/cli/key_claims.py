"""What an API key says of itself: whose it is, and until when it is good.

What belongs here: how its claims are shown. What doesn't: reading them (`api/keys.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ldt_pipeline.api.keys import claims_of, expiry_of
from ldt_pipeline.cli.text import clean

_ORGANISER = ("organiser", "organizer", "organisation", "organization")
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
    return Claims(
        organiser_name=_first(claims, "name", ("name",)),
        organiser_id=_first(claims, "id", ("sub",)),
        expires_at=expiry_of(key),
    )


def _first(claims: Mapping[str, Any], what: str, plain: tuple[str, ...]) -> str | None:
    """Find `organiserName`, `organiser_name`, `organiser: {name: …}` and their like."""
    by_name = {key.lower().replace("_", ""): value for key, value in claims.items()}
    for noun in _ORGANISER:
        nested = by_name.get(noun)
        candidates = [by_name.get(f"{noun}{what}")]
        if isinstance(nested, dict):
            candidates.append(cast("dict[str, Any]", nested).get(what))
        for candidate in candidates:
            if (text := _text(candidate)) is not None:
                return text
    return next((text for each in plain if (text := _text(claims.get(each))) is not None), None)


def _text(value: Any) -> str | None:
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return clean(str(value)).strip()[:_SHOWN_MOST]
    return None
