"""A SageMaker endpoint by its ARN or URL: the entry point `sagemaker` of `cloudserve.endpoints`.

InvokeEndpoint takes a name, which is looked up in the caller's account. So the account of an ARN is
compared with the caller's: the same name may be another endpoint there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from cloudserve.errors import RemoteError, UserError
from cloudserve.release.destination import Destination
from cloudserve.release.provider import CloudEndpoint, PlatformAnswer

from ....extras import extra

if TYPE_CHECKING:
    from ..api.calls import SageMaker

LARGEST_BODY = 6_291_456
"""The body of `InvokeEndpoint`, in the runtime's service model."""
_COMPONENTS = "inference component"


def open_endpoint(
    address: str, parts: Mapping[str, str], environ: Mapping[str, str]
) -> CloudEndpoint:
    """Return an endpoint. Raises MissingExtraError without `cloudserve[aws]`."""
    with extra(address, "aws"):
        from ...session import Access
        from ..api.calls import SageMaker
    return SageMakerEndpoint(address, parts, SageMaker(Access(environ, parts["region"])))


class SageMakerEndpoint:
    """One endpoint of an account and region."""

    def __init__(self, address: str, parts: Mapping[str, str], api: SageMaker) -> None:
        self._address = address
        self._parts = parts
        self._api = api

    @property
    def request_limit(self) -> int:
        """Return the largest request of an endpoint with instances."""
        return LARGEST_BODY

    def destination(self) -> Destination:
        """Return the account that the calls reach, or the offline clouds."""
        return self._destination

    def ask(self, body: bytes, version: str, seconds: float) -> PlatformAnswer:
        """Invoke the endpoint once; `version` is a production variant.

        Raises UserError for an ARN of another account, and for an endpoint whose models are
        inference components.
        """
        self._check_account()
        target = {"TargetVariant": version} if version else {}
        if self._parts.get("target_model"):
            target["TargetModel"] = self._parts["target_model"]
        try:
            answer, invoked = self._api.runtime.invoke_once(
                self._parts["endpoint"], target, body, seconds
            )
        except RemoteError as error:
            if _COMPONENTS in error.message.lower():
                raise UserError(
                    "inference components of SageMaker are not supported",
                    where=self._address,
                    hint="name an endpoint with variants",
                ) from error
            raise
        return PlatformAnswer(answer, version or invoked)

    @cached_property
    def _destination(self) -> Destination:
        return self._api.destination(self._parts["region"])

    def _check_account(self) -> None:
        account, here = self._parts.get("account"), self._destination
        if account is None or here.is_offline or here.account == f"account {account}":
            return
        raise UserError(
            f"the credentials are of {here.account or 'an unknown account'}, and the endpoint is "
            f"in account {account}",
            where=self._address,
            hint="use credentials of that account; if STS cannot be asked, name the endpoint by "
            "its URL: https://runtime.sagemaker.REGION.amazonaws.com/endpoints/NAME/invocations",
        )
