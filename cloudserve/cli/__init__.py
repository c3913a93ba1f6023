"""The command line: parse, call the library, render one Report. No logic lives here.

Nobody imports this room. A command's module is imported when the command runs, and imports what
it needs inside its function, so that `--help` stays fast (a test reads `sys.modules`).
"""

from __future__ import annotations

import signal
import sys

from cloudserve.cli.errors import run


def main() -> None:
    """Run the command line and exit with its code."""
    # A CI job is cancelled with SIGTERM: a release must stop as for Ctrl-C, and free its lock.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))
