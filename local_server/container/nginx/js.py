r"""JavaScript's idea of white space and lines (ECMA-262: WhiteSpace, LineTerminator, `\s`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

WHITE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that `trim` removes."""
SPACE = f"[{WHITE}]"
"""The regular expression of one such character."""
LINE_END = re.compile(r"\r?\n")


def split_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text one by one: a split of megabytes would hold Python's lock."""
    start = 0
    for end in LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    yield text[start:]
