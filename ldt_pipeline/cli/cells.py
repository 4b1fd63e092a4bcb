"""How wide text is in a terminal: some characters take two cells, some none.

What belongs here: measuring, cutting and padding. Rich knows the widths; most text is plain and
needs no knowledge, which saves importing it.
"""

from __future__ import annotations


def cell_width(text: str) -> int:
    """Give the number of cells that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, size: int, *, to_the_right: bool = False) -> str:
    """Cut or pad a text to exactly so many cells; a cut one ends in `…`."""
    width = cell_width(text)
    if width > size:
        from rich.cells import set_cell_size

        return set_cell_size(text, size - 1) + "…"
    padding = " " * (size - width)
    return padding + text if to_the_right else text + padding
