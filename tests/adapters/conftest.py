"""The offline clouds, in this process, for all tests of adapters."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.emulator import Emulator

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Give the environment of a running emulator."""
    emulator = Emulator(tmp_path_factory.mktemp("clouds"), "127.0.0.1", 0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(60)
        yield emulator.environment()
    finally:
        asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def bucket() -> str:
    """Give a bucket's name that no other test has."""
    return f"cloudserve-test-{next(NUMBERS)}"


@pytest.fixture(scope="session")
def half_plus_two(shared_models: Path) -> Path:
    return shared_models / "tfs_half_plus_two_2v" / "123"


@pytest.fixture(scope="session")
def half_plus_three(shared_models: Path) -> Path:
    return next(p for p in sorted((shared_models / "tfs_half_plus_three").iterdir()) if p.is_dir())
