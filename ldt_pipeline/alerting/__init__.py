"""Alerts: whoever is on call hears of trouble before the race director does.

What belongs here: what counts as trouble, the book of what is wrong and who was told, which message
is owed to whom, and sending it. What doesn't: Dagster, which says when to look (`defs/`).
"""
