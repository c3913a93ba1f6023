"""Check of the region and service that a request is signed for, in front of each service.

The host of an intercepted request names both. A region that does not exist has no host in the
cloud: the client would not reach it. The offline services, which share one host, answer with the
words that services have for another region
(aws/aws-sdk-ruby#508; S3: "Error responses", AuthorizationHeaderMalformed).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

from ....transport.types import Head, Request, Response
from ...router import App
from .arns import DEFAULT_REGION, presigned_scope, scope
from .hosts import aws_host
from .signature_check import Refuse
from .sigv4 import Reason, SignatureError

logger = logging.getLogger(__name__)

KnowsRegion = Callable[[str], bool]


@cache
def _regions() -> frozenset[str]:
    """Return the regions of all partitions, from botocore's data; empty without botocore."""
    if find_spec("botocore") is None:
        return frozenset()
    from botocore.loaders import Loader

    partitions: Any = Loader().load_data("partitions")["partitions"]
    return frozenset(name for partition in partitions for name in partition["regions"])


def exists(region: str) -> bool:
    """Return whether the installed botocore knows a region; without botocore, all exist.

    S3 needs no botocore here, and its clients have their own.
    """
    known = _regions()
    return not known or region in known


class RegionCheck:
    """A service's app behind the check."""

    def __init__(
        self, app: App, service: str, refuse: Refuse, knows_region: KnowsRegion = exists
    ) -> None:
        self._app = app
        self._service = service
        self._refuse = refuse
        self._knows_region = knows_region

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies as the app does."""
        return self._app.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Pass on a request that is unsigned, or signed for this service and an existing region."""
        problem = self._problem(request.head)
        if problem is None:
            return await self._app.handle(request)
        return self._refuse(request.head, SignatureError(Reason.SCOPE, problem))

    def _problem(self, head: Head) -> str | None:
        host = aws_host(head.headers.get("host", ""))
        signed = scope(head) or presigned_scope(head)
        service = signed.service if signed else self._service
        if host is not None and {host.service} != {service, self._service}:
            return f"Credential should be scoped to correct service: '{host.service}'."
        if signed is None:
            return None
        if not self._knows_region(signed.region):
            logger.warning(
                "%s is not a region that botocore knows; `pip install -U botocore` if it is new",
                signed.region,
            )
            return self._wrong(signed.region, host.region if host else "")
        is_here = host is None or host.region in {"", signed.region}
        return None if is_here else self._wrong(signed.region, host.region if host else "")

    def _wrong(self, region: str, expected: str) -> str:
        if self._service == "s3":
            return (
                f"The authorization header is malformed; the region '{region}' is wrong; expecting"
                f" '{expected or DEFAULT_REGION}'"
            )
        return f"Credential should be scoped to a valid region, not '{region}'."

    def failed(self, head: Head) -> Response:
        """Render an internal error as the app does."""
        return self._app.failed(head)
