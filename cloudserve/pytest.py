"""pytest plugin: fixtures with offline clouds, for tests of code that uses boto3 or Google's SDKs.

Installed with cloudserve. The fixtures set the variables that lead SDKs to the offline clouds, so
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


@pytest.fixture
def cloudserve_intercepted_clouds() -> Iterator[OfflineClouds]:
    """Start offline clouds for one test, which answer under the real hosts of the clouds.

    Requests to all other hosts but loopback are refused.
    """
    with pointed_clouds("--intercept") as clouds:
        yield clouds


@contextmanager
def pointed_clouds(*options: str) -> Iterator[OfflineClouds]:
    """Start offline clouds, and point this process's SDKs at them until the end of the block.

    `options` are those of `cloudserve emulate`.
    """
    from cloudserve.local.offline import offline_clouds

    with offline_clouds(None, *options) as clouds, pytest.MonkeyPatch.context() as patch:
        for name in clouds.unset:
            patch.delenv(name, raising=False)
        for name, value in clouds.environment.items():
            patch.setenv(name, value)
        _forget_boto3_session(patch)
        _forget_transports(patch, clouds.environment.get("HTTPLIB2_CA_CERTS"))
        yield clouds


def _forget_transports(patch: pytest.MonkeyPatch, certificates: str | None) -> None:
    """Set what httplib2 and urllib have read of the variables when they were imported or used."""
    if certificates is None:
        return
    if "httplib2" in sys.modules:
        patch.setattr(sys.modules["httplib2"], "CA_CERTS", certificates)
    if "urllib.request" in sys.modules:
        patch.setattr(sys.modules["urllib.request"], "_opener", None)


def _forget_boto3_session(patch: pytest.MonkeyPatch) -> None:
    """Make `boto3.client` read the variables again: its default session keeps what it has read."""
    if "boto3" in sys.modules:
        patch.setattr(sys.modules["boto3"], "DEFAULT_SESSION", None)
