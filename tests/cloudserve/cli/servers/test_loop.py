"""The process of a model server: the garbage collector stays out of the requests' way."""

import subprocess
import sys

SCRIPT = """
import gc
from cloudserve.cli.servers.loop import spare_old_objects
spare_old_objects()
print(gc.get_freeze_count() > 1000, gc.isenabled())
"""


def test_old_objects_are_excluded_from_collections():
    shown = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True).stdout
    assert shown == b"True True\n"
