"""The gRPC transports under test."""

import pytest

from . import grpc_echo


@pytest.fixture(params=grpc_echo.TRANSPORTS)
def transport(request, monkeypatch):
    """Serve over each transport in turn."""
    monkeypatch.setattr(grpc_echo, "chosen", request.param)
    return request.param
