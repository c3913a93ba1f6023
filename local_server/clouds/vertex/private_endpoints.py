"""Endpoints that are reached from inside a network alone.

They are kept and shown. There are no networks offline, so nobody reaches them: `privateEndpoints`
and `serviceAttachment`, the ways to them, are missing. Sources: aiplatform v1, `Endpoint`;
Vertex AI, "Use private services access endpoints for online inference". The texts are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .records import failed_precondition, invalid

_NETWORK = re.compile(r"projects/[0-9]+/global/networks/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_private(endpoint: Mapping[str, Any]) -> None:
    """Refuse an invalid network, and Private Service Connect beside it or without projects."""
    network, connect = endpoint.get("network", ""), endpoint.get("privateServiceConnectConfig")
    if network and connect:
        raise invalid("Only one of `network` and `private_service_connect_config` may be set.")
    if network and endpoint.get("dedicatedEndpointEnabled"):
        raise invalid("An endpoint that is peered with a network cannot be a dedicated one.")
    if network and not _NETWORK.fullmatch(network):
        raise invalid(
            f'"{network}" is not valid for `endpoint.network`:'
            " projects/{project number}/global/networks/{network}."
        )
    if connect is None:
        return
    if not connect.get("enablePrivateServiceConnect"):
        raise invalid(
            "The field `private_service_connect_config.enable_private_service_connect` is required."
        )
    if connect.get("pscAutomationConfigs"):
        raise invalid("psc_automation_configs is not available offline: there are no networks.")


def is_private(endpoint: Mapping[str, Any]) -> bool:
    """Return whether an endpoint is reached from inside a network alone."""
    return bool(endpoint.get("network") or endpoint.get("privateServiceConnectConfig"))


def refuse_public(endpoint: Mapping[str, Any]) -> None:
    """Refuse a prediction of a private endpoint at a public host (FAILED_PRECONDITION)."""
    if is_private(endpoint):
        raise failed_precondition(
            f"Endpoint `{endpoint['name']}` is private and cannot be accessed through a public"
            " domain. Please send the request from inside its network."
        )


def check_alone(endpoint: Mapping[str, Any], others: int) -> None:
    """Refuse a second deployment on an endpoint that is peered with a network."""
    if endpoint.get("network") and others:
        raise failed_precondition(
            f"Endpoint `{endpoint['name']}` is peered with a network and has a DeployedModel:"
            " such an endpoint supports one."
        )
