"""Talking to Let's Do This: what can be asked, how it is asked, and how lists are read whole."""
