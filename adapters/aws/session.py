"""boto3 clients of one target, with endpoint and credentials taken from a given environment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from cloudserve.release.destination import is_loopback, one_endpoint

OWN = "amazonaws.com"
"""The domain of AWS's own hosts."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}
OFFLINE_KEYS = {"aws_access_key_id": "cloudserve", "aws_secret_access_key": "cloudserve"}
"""The keys of the offline clouds (`cloudserve emulate --env`)."""


class Access:
    """Makes clients when they are first needed: making a provider reaches no network.

    Credentials are, in this order: the environment's keys where it names an endpoint as well (they
    belong together, and a real account's are not sent there), the target's profile, the
    environment's keys, the environment's profile, and boto3's own chain. Offline, no profile and no
    chain is consulted: SSO, an assumed role and the metadata service are calls to the account.
    """

    def __init__(self, environ: Mapping[str, str], region: str, profile: str = "") -> None:
        self._environ = environ
        self._region = region
        self._profile = profile
        self._urls: dict[str, str] = {}
        """The URL of each service that has a client."""

    def where(self, service: str) -> str:
        """Return what a service's calls are sent to, for errors."""
        return self._endpoint(service) or f"{service} in {self._region}"

    def client(
        self, service: str, settings: Config | None = None, *, sign_payloads: bool = True
    ) -> Any:
        """Return a new client; raises botocore's exceptions for a profile that does not exist.

        Raises UserError if its calls would stay on this machine and those of an earlier client do
        not, or the other way round: a variable may point a single service elsewhere.
        `settings` go over the usual ones. `sign_payloads=False` is for large bodies that have a
        checksum of their own: they are not hashed once more for the signature.
        """
        endpoint = self._endpoint(service)
        config = Config(
            connect_timeout=10,
            read_timeout=90,  # InvokeEndpoint answers within 60 s
            retries={"mode": "standard", "total_max_attempts": 3},
            # A bucket is no host name of an endpoint of one's own.
            s3={
                "addressing_style": "path" if endpoint else "auto",
                **({} if sign_payloads else {"payload_signing_enabled": False}),
            },
        )
        if settings is not None:
            config = config.merge(settings)
        client = self._session.client(service, endpoint_url=endpoint, config=config)
        one_endpoint({**self._urls, service: client.meta.endpoint_url}, OWN)
        self._urls[service] = client.meta.endpoint_url
        return client

    @cached_property
    def _session(self) -> Any:
        keys = {name: self._environ[v] for v, name in KEYS.items() if self._environ.get(v)}
        if not keys and is_loopback(self._endpoint("sagemaker") or ""):
            return boto3.Session(region_name=self._region, **OFFLINE_KEYS)
        is_elsewhere = bool(keys and self._environ.get("AWS_ENDPOINT_URL"))
        if self._profile and not is_elsewhere:
            return boto3.Session(profile_name=self._profile, region_name=self._region)
        if "aws_access_key_id" in keys:
            return boto3.Session(region_name=self._region, **keys)
        profile = self._environ.get("AWS_PROFILE") or None
        return boto3.Session(profile_name=profile, region_name=self._region)

    def _endpoint(self, service: str) -> str | None:
        # The variable has the service's id, which has more words than this client's name.
        name = service.replace("autoscaling", "auto-scaling")
        own = f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}"
        return self._environ.get(own) or self._environ.get("AWS_ENDPOINT_URL") or None
