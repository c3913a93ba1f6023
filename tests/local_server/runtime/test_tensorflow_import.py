"""TensorFlow comes in quietly, and nothing else is silenced with it."""

import os
import subprocess
import sys
import tempfile

import pytest
from cloudserve.local_server.runtime import tensorflow

from cloudserve.errors import MissingExtraError

ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"


@pytest.mark.parametrize(
    "level", [{}, pytest.param({"TF_CPP_MIN_LOG_LEVEL": "3"}, marks=pytest.mark.slow)]
)
def test_the_import_writes_nothing(level):
    code = "from cloudserve.local_server.runtime.tensorflow import *; import_tensorflow()"
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | level
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_garbage_collector_does_not_look_at_what_was_imported():
    code = (
        "import gc; from cloudserve.local_server.runtime.tensorflow import *; "
        "import_tensorflow(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    frozen, observed = map(int, done.stdout.split())
    assert frozen > 100_000 > 100 * observed


@pytest.mark.parametrize(
    ("variables", "used"), [({}, "1"), pytest.param({ALLOCATOR: "0"}, "0", marks=pytest.mark.slow)]
)
def test_memory_comes_from_the_c_library_unless_the_user_says_otherwise(variables, used):
    code = (
        "import os; from cloudserve.local_server.runtime.tensorflow import *; "
        f"import_tensorflow(); print(os.environ[{ALLOCATOR!r}])"
    )
    environment = {k: v for k, v in os.environ.items() if k != ALLOCATOR} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == used


def test_lines_other_than_chatter_are_written_in_order(capfd):
    with tensorflow.without_chatter():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"first\nI0000 00:00:1 1 port.cc:153] oneDNN is on\nsecond\n")
    os.write(2, b"third\n")
    assert capfd.readouterr().err == "first\nsecond\nthird\n"


def test_held_back_lines_are_written_when_the_block_fails(capfd):
    def fail():
        os.write(2, b"why\n")
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"), tensorflow.without_chatter():
        fail()
    assert capfd.readouterr().err == "why\n"


def test_no_descriptor_stays_open_without_a_folder_for_temporary_files(monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
        before = os.listdir("/proc/self/fd")  # noqa: PTH208
        with tensorflow.without_chatter():
            pass
        assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


def test_without_tensorflow_the_extra_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError) as caught:
        tensorflow.import_tensorflow()
    assert caught.value.hint == "pip install 'cloudserve[server]'"
