"""The offline clouds behind the proxy: a request is answered by the service of its host."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from http import HTTPStatus

from ...status import Code
from ...transport.types import Application, Head, Request, Response
from ..aws.protocol.arns import presigned_scope, scope
from ..aws.protocol.errors import AwsError, json_error, rest_error, xml_error
from ..aws.protocol.hosts import REGISTRY, AwsHost
from ..aws.runtime.app import is_runtime
from ..google.authentication import has_token, missing_credentials
from ..google.common.errors import ApiError, Violation, error_response
from ..google.hosts import DEDICATED, METADATA, STORAGE, GoogleHost
from ..hosts import host_name
from .destinations import RefusedHostError, find, plain_host
from .google_paths import GOOGLE_PATHS
from .traffic import Traffic

AWS_SERVICES = frozenset(
    (
        *("application-autoscaling", "ecr", "iam", "logs", "monitoring", "s3", "sagemaker"),
        *("servicequotas", "sns", "sts"),
    )
)
"""The services of AWS that are available offline, by the names that requests are signed for."""
_UNSIGNED = frozenset({"s3", "sts"})
"""Services with public resources, or with operations that take other credentials."""
_TOKENLESS = frozenset({"oauth2", "sts", "www", METADATA, STORAGE})
"""Services of Google's that issue tokens, or that look for credentials themselves."""
_REGIONAL = frozenset({"aiplatform", "ml", DEDICATED})
"""Services of Google's with a host for each location."""
_PLAIN = (AwsHost("s3", ""), GoogleHost(METADATA), GoogleHost(STORAGE))
_LOCATION = re.compile(r"/(?:v1|v1beta1|ui)/projects/[^/]+/locations/(?P<location>[^/:]+)")
_OF_GLOBAL_HOST = ("us-central1", "global")
REFUSED = "x-cloudserve-refused"


@dataclass(frozen=True, slots=True)
class InterceptedApp:
    """Answers requests under the hosts of the clouds; with a `host`, those of its tunnel only."""

    app: Application
    traffic: Traffic
    host: str = ""
    is_plain: bool = False
    """Whether the requests are those of `http://` URLs."""

    def body_limit(self, head: Head) -> int | None:
        """Return the service's limit; the body of a refused request is not read."""
        passed = self._pass(head)
        return self.app.body_limit(passed) if isinstance(passed, Head) else None

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass a request to its service, or refuse it."""
        passed = self._pass(request.head)
        if isinstance(passed, Head):
            self.traffic.answer()
            return self.app.handle(replace(request, head=passed))
        return self._refuse(request.head, passed)

    def _pass(self, head: Head) -> Head | Exception:
        """Return the head as the services take it, or why they do not."""
        authority = head.headers.get("host", "")
        try:
            host = plain_host(authority) if self.is_plain else self._own(authority)
            found = find(host)
            if self.is_plain:
                _check_plain(found, host)
            return _of_aws(head, found) if isinstance(found, AwsHost) else _of_google(head, found)
        except _REFUSALS as error:
            return error

    def _own(self, authority: str) -> str:
        host = host_name(authority)
        if self.host and host != self.host:
            raise MisdirectedError(f"This tunnel leads to {self.host}, not to {authority[:253]!r}.")
        return host

    def _refuse(self, head: Head, problem: Exception) -> Response:
        if isinstance(problem, UnavailableError):
            self.traffic.miss(problem.service)
            return _unavailable(head, problem)
        if isinstance(problem, RefusedHostError):
            self.traffic.refuse(problem.host, problem.message)
            return refused_response(problem)
        if isinstance(problem, AwsError):
            return _aws_error(head, problem)
        if isinstance(problem, ApiError):
            return error_response(problem)
        if isinstance(problem, AnonymousError):
            return missing_credentials(problem.host)
        return Response(HTTPStatus.MISDIRECTED_REQUEST, f"{problem}\n".encode(), "text/plain")


class MisdirectedError(Exception):
    """A request for another host than that of its tunnel (RFC 9110 15.5.20)."""


class UnavailableError(Exception):
    """A service of a cloud that is not available offline."""

    def __init__(self, service: str, *, is_aws: bool) -> None:
        super().__init__(f"{service} is not available offline.")
        self.service = service
        self.is_aws = is_aws


class AnonymousError(Exception):
    """A request without the token that a service of Google's needs."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


_REFUSALS = (
    *(RefusedHostError, MisdirectedError, UnavailableError, AnonymousError, AwsError, ApiError),
)


def refused_response(error: RefusedHostError) -> Response:
    """Return the response for a host outside the rehearsal, as text and with a header."""
    return Response(
        HTTPStatus.FORBIDDEN, f"{error.message}\n".encode(), "text/plain", {REFUSED: error.host}
    )


def _check_plain(found: AwsHost | GoogleHost, host: str) -> None:
    """Refuse `http://` for services that answer over TLS only."""
    general = (
        AwsHost(found.service, "") if isinstance(found, AwsHost) else GoogleHost(found.service)
    )
    if general not in _PLAIN:
        raise RefusedHostError(f"http://{host}", f"{host} answers over HTTPS only.")


def _of_aws(head: Head, found: AwsHost) -> Head:
    if found.service not in AWS_SERVICES:
        raise UnavailableError(found.service, is_aws=True)
    is_signed = scope(head) or presigned_scope(head) or "AWSAccessKeyId=" in head.query
    if not is_signed and found.service not in _UNSIGNED:
        kind, text = "MissingAuthenticationTokenException", "Missing Authentication Token"
        raise AwsError(kind, text, HTTPStatus.FORBIDDEN)
    if found.service == "sagemaker":
        _check_sagemaker(head)
    return head


def _check_sagemaker(head: Head) -> None:
    """Refuse invocations at the host of the control plane, and all else at the runtime's."""
    is_of_runtime = host_name(head.headers.get("host", "")).startswith("runtime")
    if is_of_runtime is not is_runtime(head):
        text = f"The host has no operation at {head.method} {head.path[:253]}."
        raise AwsError("UnknownOperationException", text, HTTPStatus.NOT_FOUND)


def _of_google(head: Head, found: GoogleHost) -> Head:
    paths = GOOGLE_PATHS.get(found.service)
    if paths is None or (found.location and found.service not in _REGIONAL):
        prefix = f"{found.location}-" if found.location else ""
        raise UnavailableError(f"{prefix}{found.service}.googleapis.com", is_aws=False)
    if not paths.fullmatch(head.path):
        raise ApiError(Code.NOT_FOUND, f"{found.service} has no {head.method} {head.path}.")
    if found.service not in _TOKENLESS and not has_token(head):
        service = "aiplatform" if found.service == DEDICATED else found.service
        raise AnonymousError(f"{service}.googleapis.com")
    if found.service == "aiplatform":
        _check_location(head, found)
    return head


def _check_location(head: Head, found: GoogleHost) -> None:
    """Refuse a location that the host does not serve, with Vertex AI's words.

    Source: googleapis/python-aiplatform, issue 1684.
    """
    match = _LOCATION.match(head.path)
    served = (found.location,) if found.location else _OF_GLOBAL_HOST
    if match is None or match["location"] in served:
        return
    field = "parent" if match.end() == head.path.rfind("/") else "name"
    text = (
        "The provided location ID doesn't match the endpoint. The valid location ID is "
        f"`{served[0]}`."
    )
    message = f"List of found errors:\t1.Field: {field}; Message: {text}\t"
    raise ApiError(Code.INVALID_ARGUMENT, message, (Violation(field, text),))


def _unavailable(head: Head, error: UnavailableError) -> Response:
    message = f"{error.service} is not available offline: {head.method} {head.path}."
    if error.service == REGISTRY:
        return _no_registry()
    if error.is_aws:
        return _aws_error(head, AwsError("UnsupportedOperationException", message))
    body = {"code": 501, "message": message, "status": "UNIMPLEMENTED"}
    content = json.dumps({"error": body}).encode()
    return Response(HTTPStatus.NOT_IMPLEMENTED, content, "application/json; charset=UTF-8")


def _no_registry() -> Response:
    """Return a registry's error, whose message clients show (OCI distribution, "Error codes")."""
    message = (
        "Images cannot be pushed to the offline ECR, nor pulled from it. `aws ecr put-image` gives"
        " it a manifest; `cloudserve emulate --rehearse IMAGE=COMMAND` runs a command for an image."
    )
    content = json.dumps({"errors": [{"code": "UNSUPPORTED", "message": message}]}).encode()
    return Response(HTTPStatus.METHOD_NOT_ALLOWED, content, "application/json; charset=utf-8")


def _aws_error(head: Head, error: AwsError) -> Response:
    """Render in the form of the request's protocol: JSON 1.x, REST-JSON or XML."""
    if "x-amz-target" in head.headers:
        return json_error(error)
    if head.headers.get("content-type", "").startswith("application/json"):
        return rest_error(error)
    return xml_error(error)
