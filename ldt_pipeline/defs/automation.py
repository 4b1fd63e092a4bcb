"""When Dagster does something by itself: one condition, shared by everything that follows raw data.

`AutomationCondition.eager()` doesn't fit here: it looks at the newest month alone, and waits until
every month and event ever has been read. What is lost between two ticks (an update that arrives
while a run is requested) is found by the poll sensor, which also asks for what was never published.
"""

from __future__ import annotations

import dagster as dg

ON_NEWS = (
    (
        dg.AutomationCondition.newly_missing() | dg.AutomationCondition.any_deps_updated()
    ).since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("on_news")
"""As soon as anything upstream is new, and nothing upstream is being made."""
