"""Claim links that a plan sends: each goes to an address once, ever.

What belongs here: which of them are still to be sent. What doesn't: sending (`applying.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from ldt_pipeline.allocations.drafts import Findings, Partner
from ldt_pipeline.allocations.nodes import Place

AlreadySent = Callable[[str, str], bool]
"""Whether a claim link went, or may have gone, to (a group's or partner's id, an address)."""


class ClaimLinks:
    """Drafts the e-mails with claim links that the file wants."""

    def __init__(self, findings: Findings, already_sent: AlreadySent) -> None:
        self._findings = findings
        self._already_sent = already_sent

    def draft(
        self,
        addresses: tuple[str, ...],
        partner: Partner | None,
        *,
        label: str,
        event_id: str | None = None,
        group_id: str | None = None,
        group_draft: int | None = None,
        place: Place | None = None,
    ) -> None:
        """Draft those that were not sent yet, to a partner as such or for a group."""
        if partner is None:
            if addresses:
                self._findings.wrong.append(
                    f"{place}: the organiser's own groups have no partner to send a claim link to."
                )
            return
        has_group = group_id is not None or group_draft is not None
        target = group_id if has_group else partner.id
        for address in addresses:
            if target is not None and self._already_sent(target, address):
                continue
            self._findings.drafts.add(
                action="send_claim_link",
                label=label,
                event_id=event_id,
                partner_id=partner.id,
                partner_step=partner.draft,
                group_id=group_id,
                group_step=group_draft,
                body={"emailAddress": address},
            )
