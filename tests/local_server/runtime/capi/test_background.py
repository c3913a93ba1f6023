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
TLS = """
from cloudserve.local_server.runtime.capi.library import library
library()
import hashlib
import ssl
ssl.create_default_context().set_ciphers("ECDHE+AESGCM")
assert hashlib.new("sha256", b"").hexdigest().startswith("e3b0c44298fc1c14")
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


def test_python_uses_its_own_openssl_after_the_library_was_opened():
    """TensorFlow's library has a copy of BoringSSL, whose functions have the same names."""
    assert run(TLS) == (0, "")
