"""Servers of echoes."""

import pytest

from .h2_client import Served, limits


@pytest.fixture
def serve(loop):
    """Start servers; at the end check that no connection and no task remains."""
    started = []

    def start(**changed):
        served = Served(loop, limits(**changed))
        started.append(served)
        return served

    yield start
    for served in started:
        served.close()
