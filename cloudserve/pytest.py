"""pytest plugin: fixtures with offline clouds, for tests of code that uses boto3 or Google's SDKs.

Installed with cloudserve. Both fixtures set the variables that point SDKs at the offline clouds, so
that the code under test runs unmodified; they give the clouds' `url` and `environment`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cloudserve.local.offline import OfflineClouds


@pytest.fixture
def cloudserve_clouds() -> Iterator[OfflineClouds]:
    """Start offline clouds for one test: no bucket, no model, no endpoint."""
    with pointed_clouds() as clouds:
        yield clouds


@pytest.fixture(scope="session")
def cloudserve_session_clouds() -> Iterator[OfflineClouds]:
    """Start offline clouds for all tests of the session, which share what they create."""
    with pointed_clouds() as clouds:
        yield clouds


@contextmanager
def pointed_clouds() -> Iterator[OfflineClouds]:
    """Start offline clouds, and point this process's SDKs at them until the end of the block."""
    from cloudserve.local.offline import offline_clouds

    with offline_clouds() as clouds, pytest.MonkeyPatch.context() as patch:
        for name in clouds.unset:
            patch.delenv(name, raising=False)
        for name, value in clouds.environment.items():
            patch.setenv(name, value)
        _forget_boto3_session(patch)
        yield clouds


def _forget_boto3_session(patch: pytest.MonkeyPatch) -> None:
    """Make `boto3.client` read the variables again: its default session keeps what it has read."""
    if "boto3" in sys.modules:
        patch.setattr(sys.modules["boto3"], "DEFAULT_SESSION", None)
