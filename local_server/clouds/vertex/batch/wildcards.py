"""Wildcards in the URIs of a job's inputs.

Source: aiplatform v1, `GcsSource.uris`, which refers to Cloud Storage, "URI wildcards": `*` matches
"within the current directory level", `**` "across directory boundaries", `?` one character, `[a-c]`
one of a range.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\*\*|[*?]|\[(?P<set>[^\]/]+)\]|[\s\S]")
_WILD = {"**": "[\\s\\S]*", "*": "[^/]*", "?": "[^/]"}
_SPECIAL = re.compile(r"[\\\[^&|~]")
"""What means something else in a set of `re`, or may in a later Python."""
_MARK = re.compile(r"[*?\[]")


def literal_start(pattern: str) -> str:
    """Return a pattern's start that has no wildcards."""
    return _MARK.split(pattern, maxsplit=1)[0]


def matches(key: str, pattern: str) -> bool:
    """Return whether an object's key is a pattern's, or matches it."""
    return key == pattern or _compiled(pattern).fullmatch(key) is not None


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile("".join(_piece(token) for token in _TOKEN.finditer(pattern)))
    except re.error:  # a range such as [z-a] is not a wildcard
        return re.compile(re.escape(pattern))


def _piece(token: re.Match[str]) -> str:
    if token["set"]:
        return f"[{_SPECIAL.sub(_escaped, token['set'])}]"
    return _WILD.get(token[0]) or re.escape(token[0])


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"
