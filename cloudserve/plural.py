"""Numbers with their nouns, in the texts that users read."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 step`, `2 steps`; `plural` is an irregular plural."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
