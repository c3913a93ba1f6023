"""Cloud Storage's glob patterns (`matchGlob`) as regular expressions.

Source: Cloud Storage, "List objects and prefixes using glob": `*` and `?` do not match `/`, `**`
does; `[…]`, `[!…]` and `{a,b}`.
"""

from __future__ import annotations

import re

from .errors import GcsError, invalid

MOST_WILDCARDS = 32
TOKEN = re.compile(r"\*\*|[*?{},]|\[(?P<not>!?)(?P<set>[^\]]+)\]|\\(?P<escaped>.)|[\s\S]")
GROUPS = {"{": "(?:", "}": ")", ",": "|"}
WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def glob_pattern(glob: str) -> str:
    """Return the regular expression of a glob pattern; raises GcsError."""
    if len(re.findall(r"[*?\[{]", glob)) > MOST_WILDCARDS:
        raise invalid(f"Invalid glob pattern: it has more than {MOST_WILDCARDS} wildcards")
    pieces: list[str] = []
    depth = 0
    for token in TOKEN.finditer(glob):
        piece, depth = _piece(token, depth)
        pieces.append(piece)
    if depth:
        raise _bad(glob)
    pattern = f"(?s:{''.join(pieces)})"
    try:
        re.compile(pattern)
    except re.error as error:
        raise _bad(glob) from error
    return pattern


def _piece(token: re.Match[str], depth: int) -> tuple[str, int]:
    text = token[0]
    if token["escaped"]:
        return re.escape(token["escaped"]), depth
    if token["set"]:
        inside = token["set"].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
        return f"[{'^/' if token['not'] else ''}{inside}]", depth
    if text in WILD:
        return WILD[text], depth
    change = {"{": 1, "}": -1}.get(text, 0)
    if change > 0 or (depth and text in GROUPS):
        return GROUPS[text], depth + change
    return re.escape(text), depth


def _bad(glob: str) -> GcsError:
    return invalid(f"Invalid glob pattern: {glob[:100]!r}")
