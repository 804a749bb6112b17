"""Sentences on a terminal."""

import textwrap


def wrapped(text: str, width: int) -> str:
    """Break between words. Rich would break inside a number, whose thousands stand apart by a no-break space."""
    return textwrap.fill(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
