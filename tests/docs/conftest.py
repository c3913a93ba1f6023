"""The platform in memory of the core's own tests."""

from tests.cloudserve.conftest import base, platform, releases

__all__ = ["base", "platform", "releases"]
