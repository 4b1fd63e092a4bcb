"""Text from strangers, made harmless: for terminals, and for files that spreadsheets open.

What belongs here: control characters, line breaks, formulas. What doesn't: layout (`cli/text.py`).
"""

from __future__ import annotations

import re

BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

# The rest of C0 and C1, halves of characters, and marks that reorder or hide what is shown. Two
# joiners stay, as names from Persia and India need them: U+200C and U+200D.
UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_FORMULA = re.compile(r"(^|[;|\t\r\n])([\s\ufffd\u200c\u200d]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet takes a text for a formula, which can send its neighbours away: at the start,
and, in countries where lists are separated by other marks than commas, after one of those. Some
skip blanks and what can't be seen, and some take the wide forms of the signs."""

_TELEPHONE = re.compile(r"\+[0-9][0-9 ().]*")
"""What begins with a plus and is no formula: it names no function, no cell and no other file."""


def clean(text: str) -> str:
    """Give the text with blanks for line breaks, and a mark for each control character."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", BLANKS.sub(" ", text))


def defuse(text: str) -> str:
    """Keep a spreadsheet from taking a text, or a part of it, for a formula: by an apostrophe.

    Telephone numbers such as +44 7700 900123 stay as they are.
    """
    if _TELEPHONE.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1'\2", text)
