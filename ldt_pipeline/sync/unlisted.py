"""Records that their list lacks while the API still gives them by id: have they gone, or not?

What belongs here: noting them, and deciding. What doesn't: finding them (`reconcile.py`).

Some have gone: an API may keep what was cancelled, and give it by its id alone. Others haven't: a list may be
served short for a while. So they stay on start lists, as nobody may be missing there, until the list,
read whole and proved, has lacked them twice, an hour apart. Meanwhile they don't count as held, or
nothing would be published for as long.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.rosters import Confirmed
from ldt_pipeline.instants import now
from ldt_pipeline.raw import RawStore, Unlisted

SURE_AFTER = dt.timedelta(hours=1)


def decide(
    store: RawStore, feed: ChangeFeed, confirmed: Confirmed, missing: Collection[str]
) -> Unlisted:
    """Take what has been missing for long enough for deleted; give what is to be noted of the others.

    Args:
        store: What was noted before.
        feed: Whose list was read whole.
        confirmed: What the API says of each missing id: those that have gone move to `deleted`.
        missing: The ids that the list lacked.
    """
    moment = now()
    before = store.unlisted(feed.name).since
    still = {each.id for each in confirmed.found if each.id is not None}.intersection(missing)
    # The earlier one: a clock that was ahead is set right.
    since = {each: min(before.get(each, moment), moment) for each in sorted(still)}
    gone = [each for each, at in since.items() if at <= moment - SURE_AFTER]
    confirmed.deleted += gone
    confirmed.found = [each for each in confirmed.found if each.id not in gone]
    return Unlisted(feed=feed.name, since={each: since[each] for each in since.keys() - gone})


def doubted(store: RawStore, feed: str) -> list[str]:
    """Give the ids that don't count as held at present: after an hour they do, so that they are looked for."""
    moment = now()
    noted = store.unlisted(feed).since
    return sorted(each for each, at in noted.items() if moment - SURE_AFTER < at)
