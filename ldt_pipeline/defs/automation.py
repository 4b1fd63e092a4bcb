"""When Dagster does something by itself: on news of what it is made from, or by the hour.

`AutomationCondition.eager()` doesn't fit here: it looks at the newest month alone, and waits until
every month and event ever has been read. What is lost between two ticks (an update that arrives
while a run is requested) is found by the poll sensor, which also asks for what was never published.
"""

from __future__ import annotations

from typing import cast

import dagster as dg

ON_NEWS = (
    (
        dg.AutomationCondition.newly_missing() | dg.AutomationCondition.any_deps_updated()
    ).since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("on_news")
"""As soon as anything upstream is new, and nothing upstream is being made."""

_EVERY_HOUR = cast(
    "dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]",
    dg.AutomationCondition.cron_tick_passed("7 * * * *"),
)
_IS_MISSING = cast(
    "dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]", dg.AutomationCondition.missing()
)
_FIRST_TICK = cast(
    "dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]",
    dg.AutomationCondition.initial_evaluation(),
)

HOURLY = (
    (
        (
            _EVERY_HOUR | (_IS_MISSING & dg.AutomationCondition.any_deps_updated())
        ).since_last_handled()
        # The first tick counts as one that handled everything.
        | (_FIRST_TICK & _IS_MISSING)
    )
    & ~dg.AutomationCondition.any_deps_missing()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("hourly")
"""As soon as there is something to make it from, and then once an hour: for what people look at,
and what would cost more than it tells if it followed each change of race week."""
