"""Shell lines that point clients at offline clouds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from cloudserve.cli.variables import VARIABLES_TO_UNSET


def shell_lines(environment: Mapping[str, str]) -> list[str]:
    """Return the lines that unset the variables of real accounts and export an environment."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return [f"unset {' '.join(VARIABLES_TO_UNSET)}", *exports]
