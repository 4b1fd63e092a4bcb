"""Start lists and partner allocations from the Let's Do This API."""
