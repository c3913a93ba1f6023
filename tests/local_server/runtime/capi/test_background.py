"""The library is opened while the process imports its modules, and nothing of stderr is lost."""

import subprocess
import sys

SCRIPT = """
import sys
from cloudserve.local_server.runtime.capi import library
library.open_in_background()
print("error: a wrong option", file=sys.stderr)
sys.exit(2)
"""
MISSING = """
import threading
from cloudserve.local_server.runtime.capi import library
library.find_spec = lambda name: None
library.open_in_background()
for thread in set(threading.enumerate()) - {threading.current_thread()}:
    thread.join()
library.library()
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_an_error_that_ends_the_process_meanwhile_is_printed_and_nothing_else():
    assert run(SCRIPT) == (2, "error: a wrong option\n")


def test_a_missing_library_is_reported_once_where_it_is_needed():
    code, text = run(MISSING)
    assert code == 1
    assert text.count("Traceback") == 1
