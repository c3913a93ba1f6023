"""Names of classes from a file with one in each line."""

from __future__ import annotations

from pathlib import Path

from cloudserve.errors import UserError


def read_words(path: Path | None) -> list[str]:
    """Return the lines of a file, none without one; raises UserError for an empty line."""
    if path is None:
        return []
    try:
        words = path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(
            f"the classes cannot be read: {reason}", where=str(path), hint="give a text file"
        ) from error
    if not all(words):
        raise UserError(
            "the file has no class, or an empty line", where=str(path), hint="write one in a line"
        )
    return words
