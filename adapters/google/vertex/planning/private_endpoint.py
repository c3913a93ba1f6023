"""The fields of an endpoint that are decided when it is created: its network and its key.

Sources: aiplatform v1, `Endpoint` (network, privateServiceConnectConfig, encryptionSpec);
Vertex AI, "Use private services access endpoints for online inference": one model per endpoint,
reached from the peered network alone. Read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudserve.errors import ConflictError, ProjectError, UserError
from cloudserve.project import Where

from ....extra_fields import digest_of, merged
from ..fields.extra import ENDPOINT, LABEL
from ..fields.options import Options
from ..records import Endpoint

DECIDED = {
    "network": "network",
    "privateServiceConnectConfig": "private_service_connect",
    "encryptionSpec": "kms_key",
}
"""Fields of an Endpoint -> fields of a target."""


def check_private(options: Options, where: Where) -> None:
    """Raise ProjectError for fields of the network or the key that contradict others."""
    connect = options.private_service_connect
    if options.network and connect is not None:
        raise ProjectError(
            "`network` and `private_service_connect` are mutually exclusive",
            where=where("private_service_connect"),
            hint="leave one of them out",
        )
    if connect is not None and not connect.projects:
        raise ProjectError(
            "`private_service_connect` names no projects",
            where=where("private_service_connect"),
            hint="private_service_connect: {projects: [PROJECT]}",
        )
    if options.is_private and options.dedicated_endpoint:
        raise ProjectError(
            "a private endpoint has no public host of its own",
            where=where("dedicated_endpoint"),
            hint="leave `dedicated_endpoint` out",
        )
    location = options.kms_key.split("/")[3] if options.kms_key else options.region
    if location != options.region:
        raise ProjectError(
            f"the key is in {location} and the endpoint in {options.region}",
            where=where("kms_key"),
            hint="name a key in the endpoint's region",
        )


def encryption(options: Options) -> dict[str, Any]:
    """Return the field of a Model or an Endpoint that names the key."""
    return {"encryptionSpec": {"kmsKeyName": options.kms_key}} if options.kms_key else {}


def network_fields(options: Options) -> dict[str, Any]:
    """Return the fields of an Endpoint that are decided when it is created."""
    fields = encryption(options)
    if options.network:
        fields["network"] = options.network
    if options.private_service_connect is not None:
        fields["privateServiceConnectConfig"] = {
            "enablePrivateServiceConnect": True,
            "projectAllowlist": list(options.private_service_connect.projects),
        }
    return merged(fields, options.extra.get(ENDPOINT, {}))


def endpoint_labels(options: Options) -> dict[str, str]:
    """Return the labels of a new endpoint: the target's, and the digest of its extra fields."""
    digest = digest_of(options.extra, ENDPOINT)
    return {**options.labels, **({LABEL: digest} if digest else {})}


def network_text(options: Options) -> str:
    """Return the end of a sentence on a new endpoint."""
    if options.network:
        return f", peered with {options.network}"
    if options.private_service_connect is not None:
        projects = ", ".join(options.private_service_connect.projects)
        return f", for Private Service Connect from {projects}"
    return ""


def check_unchanged(options: Options, endpoint: Endpoint, name: str, where: str) -> None:
    """Raise UserError if an existing endpoint has another network or key than the target."""
    expected = network_fields(options)
    if endpoint.labels.get(LABEL, "") != digest_of(options.extra, ENDPOINT):
        raise _unchangeable(name, f"extra.{ENDPOINT}", where)
    for key, field in DECIDED.items():
        existing = endpoint.record.get(key)
        if not _is_same(expected.get(key), existing):
            raise _unchangeable(name, field, where)


def _unchangeable(name: str, field: str, where: str) -> UserError:
    return UserError(
        f"the endpoint {name} exists with another `{field}`, which cannot be changed",
        where=where,
        hint=f"restore `{field}` in the target, or release under another `endpoint_name`",
    )


def _is_same(expected: Any, existing: Any) -> bool:
    """Return whether the endpoint has what is expected; it may have output fields beside it."""
    if isinstance(expected, Mapping) and isinstance(existing, Mapping):
        return all(_is_same(value, existing.get(key)) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(existing, list):
        return sorted(expected) == sorted(existing)
    return bool(expected) == bool(existing) and (not expected or expected == existing)


def check_alone(endpoint: Endpoint, where: str) -> None:
    """Raise ConflictError if a peered endpoint would have a second deployment."""
    others = [placed.revision or placed.id for placed in endpoint.placed]
    if others:
        raise ConflictError(
            f"an endpoint in a `network` takes one model, and {', '.join(others)} is deployed",
            where=where,
            hint="release with `private_service_connect`, whose endpoints take several, or "
            "undeploy the model first: it does not answer until the next version is deployed",
        )
