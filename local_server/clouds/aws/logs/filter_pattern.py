"""Filter patterns of unstructured log events.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters,
filter log events, and Live Tail", "Match terms in log events": terms are case-sensitive; all must
be in the message, or one of those with "?" if all have it (beside other terms, they are ignored);
a term with "-" must not be in it. Patterns of JSON, of fields, and regular expressions are refused
by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..protocol.errors import AwsError

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]+))')
_PLAIN = re.compile(r"[\w]+", re.ASCII)
_OTHERS = {"{": "JSON", "[": "space-delimited fields", "%": "regular expressions"}


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a message matches.

    Raises AwsError InvalidParameterException for a pattern that is malformed or not known offline.
    """
    if pattern.strip()[:1] in _OTHERS and pattern.strip():
        kind = _OTHERS[pattern.strip()[0]]
        raise AwsError(
            "InvalidParameterException", f"Patterns of {kind} are not available offline."
        )
    all_of, one_of, none_of = _terms(pattern)
    if all_of or none_of:
        return lambda message: _has(message, all_of, all) and not _has(message, none_of, any)
    return lambda message: not one_of or _has(message, one_of, any)


def _has(message: str, terms: list[str], how: Callable[[list[bool]], bool]) -> bool:
    return how([term in message for term in terms])


def _terms(pattern: str) -> tuple[list[str], list[str], list[str]]:
    """Return the terms that must be there, of which one must be, and that must not be."""
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    place, end = 0, len(pattern.rstrip())
    while place < end:
        match = _TERM.match(pattern, place)
        plain = match["plain"] if match else None
        if match is None or (plain is not None and not _PLAIN.fullmatch(plain)):
            raise AwsError(
                "InvalidParameterException",
                "Invalid character(s) in term: a term with other characters than letters, digits"
                " and _ needs double quotes.",
            )
        quoted = re.sub(r"\\(.)", r"\1", match["quoted"] or "")
        terms[match["sign"]].append(plain or quoted)
        place = match.end()
    return terms[""], terms["?"], terms["-"]
