"""What to say where a name is not one of those there are, and how the system's are printed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable


def which(name: str, known: Iterable[str]) -> str:
    """Return what to do: the nearest of the known names, or all of them to choose from."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{close[0]}`?" if close else one_of(names)


def one_of(names: Iterable[object]) -> str:
    """Return what to do where one of these has to be named."""
    return f"name one of these: {', '.join(map(str, names)) or '(there are none)'}"


def utf8(name: str | os.PathLike[str]) -> str:
    """Return a name of the system's, such as a path, with what is not UTF-8 replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
