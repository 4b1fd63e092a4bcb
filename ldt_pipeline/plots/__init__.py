"""Plots for the race office: what is drawn (`figures.py`), and drawing it (`drawing.py`).

What belongs here: pictures of published tables that hold no personal data. What doesn't: tables
(`marts/`), and showing the pictures (`defs/plot_assets.py`).
"""
