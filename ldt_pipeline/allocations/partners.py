"""Partners of the file beside those that are there: whom a reference means, and what differs.

What belongs here: finding, creating and changing partners in a plan. What doesn't: their groups
(`planning.py`). Pure: no I/O.
"""

from __future__ import annotations

from ldt_pipeline.allocations.claim_links import ClaimLinks
from ldt_pipeline.allocations.drafts import (
    SHOWN_MOST,
    Findings,
    Partner,
    alike,
    difference,
    partner_ids,
)
from ldt_pipeline.allocations.live import (
    PARTNER_FIELDS,
    Live,
    Record,
    external_of,
    is_as_wanted,
    is_called,
    is_id,
    is_name,
    normal,
)
from ldt_pipeline.allocations.nodes import Place
from ldt_pipeline.allocations.wanted import WantedAllocation, WantedPartner


class Partners:
    """Plans partners, and knows them by what the file calls them.

    Attributes:
        touched: Those that the file names under `partners`, as they are, by id.
    """

    def __init__(self, live: Live, findings: Findings, links: ClaimLinks) -> None:
        self.touched: dict[str, Record] = {}
        self._live = live
        self._findings = findings
        self._links = links
        self._resolved: dict[str, Partner | None] = {}
        self._places: dict[str, Place] = {}
        self._shared_names: dict[str, list[str]] = {}

    def plan(self, wish: WantedPartner) -> None:
        """Draft what a partner of the file needs."""
        found = self._find(wish.reference, wish.place)
        if found is None and wish.reference not in self._resolved:
            self._create(wish)
            return
        if found is None or found.id is None:
            return
        first = self._places.setdefault(found.id, wish.place)
        if first is not wish.place:
            self._findings.wrong.append(
                f"{wish.place}: partner {found.id} stands twice, first at {first}."
            )
            return
        self._note_name(normal(wish.fields.get("name", found.name)), found.id, found)
        live = self._live.partners.get(found.id, {})
        for name in ("type", "contacts"):
            if name in wish.fields and not is_as_wanted(name, live.get(name), wish.fields[name]):
                self._findings.notices.append(
                    f"{wish.place}: `{name}` of partner {found.id} is not as in the file, and the "
                    "API can't change it: do that in the dashboard."
                )
        before, body = difference(
            live, {k: v for k, v in wish.fields.items() if k not in ("type", "contacts")}
        )
        self.touched[found.id] = {name: live.get(name) for name in PARTNER_FIELDS}
        if body:
            self._findings.drafts.add(
                action="update_partner",
                label=found.name,
                partner_id=found.id,
                before=before,
                body=body,
            )
        self._links.draft(wish.claim_links, found, label=found.name)

    def of(self, wish: WantedAllocation) -> Partner | None:
        """Give the partner of an allocation; None for the organiser, and where it is wrong."""
        if wish.partner is None:
            return None
        if wish.partner in self._shared_names:
            self._refuse_shared(wish.partner, self._shared_names[wish.partner], wish.place)
            return None
        found = self._find(wish.partner, wish.place)
        if found is None and wish.partner not in self._resolved:
            self._findings.wrong.append(
                f"{wish.place}: there is no partner {wish.partner!r}; to create it, add it under "
                f"`partners` with its contacts.{alike(self._live, wish.partner)}"
            )
        return found

    def _note_name(self, name: str, partner_id: str, found: Partner) -> None:
        """Let events in the file use the name that a partner is about to get, if no other has it."""
        if not is_name(name):
            return
        same = [i for i, each in self._live.partners.items() if is_called(each, name)]
        if set(same) - {partner_id}:
            self._shared_names[name] = list(dict.fromkeys([partner_id, *same]))
        self._resolved.setdefault(name, found)

    def _create(self, wish: WantedPartner) -> None:
        missing = [name for name in ("name", "contacts") if name not in wish.fields]
        if is_id(wish.reference) or external_of(wish.reference) or missing:
            needs = f"; to create it, it needs {' and '.join(missing)}" if missing else ""
            self._findings.wrong.append(
                f"{wish.place}: there is no partner {wish.reference!r}{needs}."
                f"{alike(self._live, wish.reference)}"
            )
            self._resolved[wish.reference] = None
            return
        name = wish.fields["name"]
        same = [i for i, each in self._live.partners.items() if is_called(each, name)]
        if same or normal(name) in self._resolved:
            self._findings.wrong.append(
                f"{wish.place}: there is no partner {wish.reference!r}, and one with the name "
                f"{name!r} can't be created, as there is one already ({', '.join(same) or 'new'})."
            )
            self._resolved[wish.reference] = None
            return
        draft = self._findings.drafts.add(action="create_partner", label=name, body=wish.fields)
        created = Partner(None, name, draft)
        self._resolved[wish.reference] = self._resolved[normal(name)] = created
        self._links.draft(wish.claim_links, created, label=name)

    def _find(self, reference: str, place: Place) -> Partner | None:
        """Give a partner that is there or planned; None, and why in the findings if it is ambiguous."""
        if reference in self._resolved:
            return self._resolved[reference]
        ids = partner_ids(self._live, reference)
        if len(ids) > 1:
            self._refuse_shared(reference, ids, place)
            self._resolved[reference] = None
            return None
        if not ids:
            return None
        found = Partner(ids[0], str(self._live.partners.get(ids[0], {}).get("name") or ids[0]))
        self._resolved[reference] = found
        return found

    def _refuse_shared(self, name: str, ids: list[str], place: Place) -> None:
        shown = ", ".join(ids[:SHOWN_MOST])
        said = f"{len(ids)} partners are called {name!r}; name one by its id: {shown}."
        self._findings.wrong.append(f"{place}: {said}")
