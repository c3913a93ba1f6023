"""AWS's error codes and their HTTP statuses, from botocore's own models of the offline services.

Besides the errors of its model, each service answers the common errors (AWS documentation,
"Common Errors": "common to API actions of all AWS services"), and S3 the codes in its list
("Error responses"). Services' pages of common errors differ in AccessDeniedException and
NotAuthorized (400 in some) and in IncompleteSignature (400 in some).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

SERVICES = ("sagemaker", "sagemaker-runtime", "s3", "sts", "cloudwatch", "ecr")
_COMMON: Mapping[str, int] = MappingProxyType(
    {
        "AccessDeniedException": 403,
        "ExpiredTokenException": 403,
        "IncompleteSignature": 403,
        "InternalFailure": 500,
        "NotAuthorized": 401,
        "OptInRequired": 403,
        "RequestExpired": 400,
        "ServiceUnavailable": 503,
        "ThrottlingException": 400,
        "UnrecognizedClientException": 403,
        "ValidationException": 400,
        "ValidationError": 400,
    }
)
_S3: Mapping[str, int] = MappingProxyType(
    {
        "EntityTooLarge": 400,
        "ExpiredToken": 400,
        "InternalError": 500,
        "InvalidAccessKeyId": 403,
        "PreconditionFailed": 412,
        "RequestTimeTooSkewed": 403,
        "RequestTimeout": 400,
        "SignatureDoesNotMatch": 403,
        "SlowDown": 503,
    }
)
_CLIENT_ERROR = 400


def known() -> frozenset[str]:
    """Return every code that an offline service answers."""
    return frozenset(_COMMON) | frozenset(_S3) | {code for s in SERVICES for code in _declared(s)}


def status_of(code: str, service: str) -> int:
    """Return the HTTP status of a known code, as a service (its name in botocore) answers it.

    A code that only another service declares has the status of that service.
    """
    common = {**_COMMON, **(_S3 if service == "s3" else {})}
    for codes in (_declared(service), common, *map(_declared, SERVICES), _S3):
        if code in codes:
            return codes[code]
    raise KeyError(code)


@cache
def _declared(service: str) -> Mapping[str, int]:
    """Return the codes of a service's model; empty without botocore. Reads the model once."""
    if service not in SERVICES or find_spec("botocore") is None:
        return {}
    from botocore.loaders import Loader

    model: Mapping[str, Any] = Loader().load_service_model(service, "service-2")
    errors = {
        shape.get("error", {}).get("code", name): shape.get("error", {})
        for name, shape in model["shapes"].items()
        if shape.get("exception")
    }
    # Errors of the JSON protocol have no status in the model; they are client errors (400).
    return {code: error.get("httpStatusCode", _CLIENT_ERROR) for code, error in errors.items()}
