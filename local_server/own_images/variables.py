"""`$(NAME)` in a command, its arguments and its variables, as Kubernetes expands it.

Source: Kubernetes, "Define a command and arguments for a container", which aiplatform v1's
ModelContainerSpec names: what is not set stays as it is written, `$$(NAME)` is the text `$(NAME)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with its references to variables replaced."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)
