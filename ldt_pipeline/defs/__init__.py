"""The Dagster shell: what there is, what it depends on, when it happens. The work is elsewhere."""
