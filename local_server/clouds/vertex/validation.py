"""Validation of names, labels and field masks; each check raises ApiError INVALID_ARGUMENT.

Source: the field descriptions of aiplatform v1's discovery document.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..filters import camel
from ..google.common.discovery import snake
from ..resources import Document
from .records import invalid

_LONGEST_DISPLAY_NAME = 128
_MOST_LABELS, _LONGEST_LABEL = 64, 64
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ENDPOINT_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_DEPLOYED_MODEL_ID = re.compile(r"[0-9]{1,10}")
_ALIAS = "[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]"
_MERGED_ALIAS = "[a-z][a-zA-Z0-9-]{0,126}[a-z-0-9]"
"""The patterns of `Model.version_aliases` and of `MergeVersionAliasesRequest`."""
_KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
_LABEL = re.compile(r"[\w-]*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
_TABLE = re.compile(r"bq://(?:[\w.-]+:)?[\w-]+(?:\.[\w-]+){0,2}")
_LONGEST_INFERENCE = 3600.0
"""Seconds, for dedicated endpoints."""


def check_display_name(resource: Mapping[str, Any], field: str) -> None:
    """Refuse a display name that is missing or too long."""
    name = resource.get("displayName", "")
    if not name.strip():
        raise invalid(f"The field `{field}.display_name` is required.")
    if len(name) > _LONGEST_DISPLAY_NAME:
        raise invalid(
            f"The field `{field}.display_name` has {len(name)} characters; at most"
            f" {_LONGEST_DISPLAY_NAME} are allowed."
        )


def check_labels(resource: Mapping[str, Any]) -> None:
    """Refuse too many labels, or invalid keys or values."""
    labels: Mapping[str, str] = resource.get("labels", {})
    if len(labels) > _MOST_LABELS:
        raise invalid(f"There are {len(labels)} labels; at most {_MOST_LABELS} are allowed.")
    for key, value in labels.items():
        if not key or not key[0].isalpha():
            raise invalid(f'The label key "{key}" must start with a lowercase letter.')
        for text in (key, value):
            _check_label(text)


def _check_label(text: str) -> None:
    if len(text) > _LONGEST_LABEL or not _LABEL.fullmatch(text) or text != text.lower():
        raise invalid(
            f'"{text}" is not a label: at most {_LONGEST_LABEL} lowercase letters, digits,'
            " underscores and dashes."
        )


def check_encryption(resource: Mapping[str, Any], parent: str) -> None:
    """Refuse a key that is not a key's name, or of another region than the resource's."""
    spec = resource.get("encryptionSpec")
    if spec is None:
        return
    key, region = spec.get("kmsKeyName", ""), parent.partition("/locations/")[2].partition("/")[0]
    match = _KEY.fullmatch(key)
    if match is None:
        raise invalid(
            f'"{key}" is not valid for `encryption_spec.kms_key_name`: projects/{{project}}/'
            "locations/{location}/keyRings/{key_ring}/cryptoKeys/{crypto_key}."
        )
    if match[1] != region:
        raise invalid(f"The key `{key}` is not in the resource's region {region}.")


def check_service_account(email: str, field: str) -> None:
    """Refuse a service account that is not an email address; "" is the service's own."""
    if email and not _EMAIL.fullmatch(email):
        raise invalid(f'"{email}" is not valid for `{field}`: an email address is expected.')


def check_uris(resource: Mapping[str, Any], field: str, names: Iterable[str]) -> None:
    """Refuse URIs of a resource's fields that are not of Cloud Storage."""
    for name in names:
        uri = resource.get(name, "")
        if uri and not uri.startswith("gs://"):
            raise invalid(f'"{uri}" is not valid for `{field}.{snake(name)}`: gs://BUCKET/PATH.')


def seconds_of(duration: str, field: str) -> float:
    """Return the seconds of a duration such as "10s"; raises ApiError for any other text."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise invalid(f'"{duration}" is not valid for `{field}`: seconds such as "10s".')
    return float(match[1])


def check_connection(endpoint: Mapping[str, Any]) -> None:
    """Refuse an inference timeout, or a rate or a table of logged requests, that cannot be.

    Source: aiplatform v1, ClientConnectionConfig, BigQueryDestination and
    PredictRequestResponseLoggingConfig ("expressed as a fraction in range(0,1]");
    google-cloud-aiplatform leaves the rate out by default and says that it is 0 then.
    """
    timeout = endpoint.get("clientConnectionConfig", {}).get("inferenceTimeout")
    if timeout is not None:
        seconds = seconds_of(timeout, "client_connection_config.inference_timeout")
        if not 0 < seconds <= _LONGEST_INFERENCE:
            raise invalid("The inference timeout must be more than 0 and at most 3600 seconds.")
    logging = endpoint.get("predictRequestResponseLoggingConfig", {})
    if not 0 <= logging.get("samplingRate", 0) <= 1:
        raise invalid("The sampling rate of logged requests must be in (0, 1].")
    table = logging.get("bigqueryDestination", {}).get("outputUri", "")
    if table and not _TABLE.fullmatch(table):
        raise invalid(
            f'"{table}" is not valid for `bigquery_destination.output_uri`: bq://projectId,'
            " bq://projectId.bqDatasetId or bq://projectId.bqDatasetId.bqTableId."
        )


def check_model_id(text: str) -> None:
    """Refuse an invalid model ID."""
    _check(_MODEL_ID, text, "model_id", "up to 63 of [a-z0-9_-], not first a digit or hyphen")


def check_endpoint_id(text: str) -> None:
    """Refuse an invalid endpoint ID."""
    rule = (
        "up to 63 of [a-z0-9-] from a letter on, last a letter or digit; or up to 9 digits"
        " without leading zeros"
    )
    _check(_ENDPOINT_ID, text, "endpoint_id", rule)


def check_deployed_model_id(text: str) -> None:
    """Refuse an invalid deployed model ID."""
    _check(_DEPLOYED_MODEL_ID, text, "deployed_model.id", "1 to 10 of [0-9]")


def check_aliases(aliases: Iterable[str]) -> None:
    """Refuse an invalid version alias."""
    for alias in aliases:
        _check(re.compile(_ALIAS), alias, "version_aliases", _ALIAS)


def check_merged_aliases(aliases: Iterable[str]) -> None:
    """Refuse an invalid version alias of `models.mergeVersionAliases`."""
    for alias in aliases:
        _check(re.compile(_MERGED_ALIAS), alias, "version_aliases", _MERGED_ALIAS)


def _check(pattern: re.Pattern[str], text: str, field: str, rule: str) -> None:
    if not pattern.fullmatch(text):
        raise invalid(f'"{text}" is not valid for `{field}`: {rule}.')


def mask_paths(mask: str | None) -> list[str]:
    """Return an update mask's paths in lowerCamelCase; raises ApiError if it is empty."""
    names = [camel(path.strip()) for path in (mask or "").split(",") if path.strip()]
    if not names:
        raise invalid("The field `update_mask` is required.")
    return names


def apply_mask(
    document: Mapping[str, Any], body: Mapping[str, Any], mask: str | None, allowed: Collection[str]
) -> Document:
    """Return a document with the masked fields of a body; a field that the body lacks is cleared.

    "*" means all updatable fields. Raises ApiError for any other field.
    """
    names = mask_paths(mask)
    changed = dict(document)
    for name in sorted(allowed) if names == ["*"] else names:
        if name not in allowed:
            raise invalid(f"The field `{snake(name)}` in update_mask cannot be updated.")
        if body.get(name) in (None, {}, [], ""):
            changed.pop(name, None)
        else:
            changed[name] = body[name]
    return changed
