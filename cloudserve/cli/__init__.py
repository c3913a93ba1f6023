"""The command line: parses arguments, calls the library, and renders one Report.

No other package imports this one. A command's module is imported when the command runs and imports
its dependencies inside its function, so that `--help` stays fast (a test checks `sys.modules`).
"""

from __future__ import annotations

import signal
import sys

from cloudserve.cli.errors import run


def main() -> None:
    """Run the command line and exit with its code."""
    # CI systems cancel jobs with SIGTERM: stop a release as for Ctrl-C, so that it frees its lock.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))
