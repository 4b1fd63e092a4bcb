"""Partners: charities, sponsors and others, and the people to talk to there.

What belongs here: which column is made from which keys. What doesn't: the keys themselves
(`shapes.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ldt_pipeline.tables.tidy import PARTNER_CONTACTS, PARTNERS
from ldt_pipeline.tidy.columns import full_name, simple_columns
from ldt_pipeline.tidy.feed import Child, Feed, Records, tidy
from ldt_pipeline.tidy.frames import Tidied
from ldt_pipeline.tidy.shapes import PARTNER


def tidy_partners(raw: pl.DataFrame) -> Tidied:
    """Read partners.

    Returns:
        The tables `partners` and `partner_contacts`.

    Raises:
        ValueError: `raw` is no raw frame (see `RAW_SCHEMA`).
    """
    return tidy(raw, _PARTNERS)


def _partner_columns(records: Records) -> dict[str, pl.Series]:
    columns = simple_columns(records.items, PARTNERS)
    ids = records.items.nested["externalIds"]
    columns["enthuse_id"] = ids.text("enthuse")
    columns["just_giving_id"] = ids.text("justGiving", "justgiving")
    columns["london_marathon_id"] = ids.text("londonMarathon")
    return columns


def _contact_rows(records: Records) -> Child:
    contacts = records.items.nested["contacts"]
    return Child(
        columns={
            "position": contacts.positions,
            "contact_id": contacts.text("id", "contactId"),
            "name": full_name(contacts),
            "email": contacts.text("email", "emailAddress"),
            "phone": contacts.text("phone", "phoneNumber", "mobile", "mobileNumber", "telephone"),
            "role": contacts.text("role", "jobTitle", "title", "position", "type"),
        },
        parents=contacts.parents,
    )


_PARTNERS: Final = Feed(
    shape=PARTNER,
    id_keys=("id",),
    parent=PARTNERS,
    parent_columns=_partner_columns,
    child=PARTNER_CONTACTS,
    child_rows=_contact_rows,
)
