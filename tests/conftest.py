"""What all tests share: where the real models are, and how properties are tried."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No property is timed: the machine may be busy. The same examples come every time, so that a run
# says what the change did; HYPOTHESIS_PROFILE=search (`make search`) looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# The tests' own clients of google-cloud-storage need no bucket metadata for traces either.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

# Python's thresholds are made for few objects. A run has those of pytest, TensorFlow and the SDKs,
# and looked at them for a quarter of its time. pytest collects at the end, so that what tests leave
# open is reported, except what outlives its file and becomes garbage later.
gc.set_threshold(10_000, 20, 20)
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one that begins last would run alone."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/e2e/"))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Hide the modules and the collected tests, which stay, from the garbage collector."""
    _hide_survivors()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Hide what a file leaves as well: shared servers and clients, and what they imported."""
    if nextitem is not None and nextitem.path != item.path:
        _hide_survivors()


def _hide_survivors() -> None:
    gc.collect()
    gc.freeze()


# A script's background commands have SIGINT ignored, those of nohup SIGHUP. Commands that tests
# interrupt would inherit that, and Python installs no handler of its own then.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def states_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the last known states of the tests' targets out of the user's home."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("states"))


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """Restore the level that a command sets: tests of other files compare all lines of a log."""
    library = logging.getLogger("cloudserve")
    level = library.level
    yield
    library.setLevel(level)


SHARED_MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Give the folder of real SavedModels, or skip where it is absent (a user's machine)."""
    if not SHARED_MODELS.is_dir():
        pytest.skip(f"the real SavedModels are not at {SHARED_MODELS}")
    return SHARED_MODELS
