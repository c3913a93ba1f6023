"""A process that runs command lines of the installed `saved_model_cli`, each in a fork.

Standard input has a JSON array in a line: the arguments, and the file for what is printed. The
answer is the exit status in a line. TensorFlow, which takes seconds to import, is imported once.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from tensorflow.python.tools import saved_model_cli


def run(arguments, file):
    """Run the console script in this process; does not return."""
    output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["saved_model_cli", *arguments]
    status = 0
    try:
        saved_model_cli.main()
    except SystemExit as error:
        status = error.code or 0
    except Exception:  # noqa: BLE001 - the status says that it failed
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status if isinstance(status, int) else 1)


for line in sys.stdin:
    if (child := os.fork()) == 0:
        run(*json.loads(line))
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
    sys.stdout.flush()
