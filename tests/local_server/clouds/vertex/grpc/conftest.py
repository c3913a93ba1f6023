"""Clients of the offline Vertex AI over gRPC: Google's SDK as it is, and its generated clients."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(scope="session")
def address(clouds) -> str:
    """Give the address of the emulator; gRPC's clients of this process trust its certificate."""
    return clouds.url.removeprefix("http://")


@pytest.fixture
def grpc_sdk(aiplatform, address, fresh):
    """Give the official SDK with its default transport, in a project of its own.

    It is named because another test may have named REST before.
    """
    from google.auth.credentials import AnonymousCredentials

    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=AnonymousCredentials(),
        api_endpoint=address,
        api_transport="grpc",
    )
    return aiplatform


@pytest.fixture(scope="session")
def gapic(aiplatform, address, clouds):
    """Give a function that makes a generated client of a service, by default over gRPC."""
    from google.auth.credentials import AnonymousCredentials

    made: dict[tuple[str, str], object] = {}

    def client(name: str, transport: str = "grpc"):
        if (name, transport) not in made:
            made[name, transport] = getattr(aiplatform.gapic, name)(
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": address if transport == "grpc" else clouds.url},
                transport=transport,
            )
        return made[name, transport]

    yield client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in made.values():
            each.transport.close()


@pytest.fixture
def parent(fresh) -> str:
    """Give a location in a project that no other test uses."""
    return f"projects/{fresh}/locations/us-central1"
