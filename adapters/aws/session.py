"""boto3 clients of one target, with a given environment's endpoints and credentials."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from cloudserve.known.tape import LIVE, Tape, unknown
from cloudserve.release.destination import Destination, is_loopback, one_endpoint

from ..call_log import log_botocore

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
        self.tape: Tape = LIVE
        """The way of all reads."""

    def where(self, service: str) -> str:
        """Return what a service's calls are sent to, for errors."""
        return self.endpoint(service) or f"{service} in {self._region}"

    def client(
        self, service: str, settings: Config | None = None, *, sign_payloads: bool = True
    ) -> Any:
        """Return a new client; raises botocore's exceptions for a profile that does not exist.

        Raises UserError if its calls would stay on this machine and those of an earlier client do
        not, or the other way round: a variable may point a single service elsewhere.
        `settings` go over the usual ones. `sign_payloads=False` is for large bodies that have a
        checksum of their own: they are not hashed once more for the signature.
        """
        if self.tape.is_offline:
            raise unknown(f"a call of {service}")
        endpoint = self.endpoint(service)
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
        log_botocore(client)
        return client

    @cached_property
    def _session(self) -> Any:
        keys = {name: self._environ[v] for v, name in KEYS.items() if self._environ.get(v)}
        if not keys and is_loopback(self.endpoint("sagemaker") or ""):
            return new_session(region_name=self._region, **OFFLINE_KEYS)
        is_elsewhere = bool(keys and self._environ.get("AWS_ENDPOINT_URL"))
        if self._profile and not is_elsewhere:
            return new_session(profile_name=self._profile, region_name=self._region)
        if "aws_access_key_id" in keys:
            return new_session(region_name=self._region, **keys)
        profile = self._environ.get("AWS_PROFILE") or None
        return new_session(profile_name=profile, region_name=self._region)

    @property
    def credentials(self) -> str:
        """Return what this machine calls the credentials: a profile, or the end of a key's id.

        "" for those of a session and of boto3's own chain, which have no lasting name.
        """
        if self._profile and not self._environ.get("AWS_ENDPOINT_URL"):
            return f"profile {self._profile}"
        if key := self._environ.get("AWS_ACCESS_KEY_ID"):
            return "" if self._environ.get("AWS_SESSION_TOKEN") else f"key …{key[-4:]}"
        profile = self._environ.get("AWS_PROFILE") or self._environ.get("AWS_DEFAULT_PROFILE")
        return f"profile {profile}" if profile else ""

    def endpoint(self, service: str) -> str | None:
        """Return the URL that the environment names for a service, or None."""
        # The variable has the service's id, which has more words than this client's name.
        name = service.replace("autoscaling", "auto-scaling")
        own = f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}"
        return self._environ.get(own) or self._environ.get("AWS_ENDPOINT_URL") or None


def new_session(**arguments: Any) -> boto3.Session:
    """Return a boto3 session that shares botocore's descriptions of the services with the others.

    By itself, each session reads and parses them again: 0.2 s for a target's clients.
    """
    core = botocore.session.Session()
    core.lazy_register_component(
        "data_loader", lambda: _loader(core.get_config_variable("data_path"))
    )
    session = boto3.Session(botocore_session=core, **arguments)
    folders = core.get_component("data_loader").search_paths
    folders[:] = dict.fromkeys(folders)  # each boto3 session has appended boto3's own
    return session


@cache
def _loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


SERVICES = ("s3", "sagemaker", "sagemaker-runtime")
SSO = "AWSReservedSSO_"
"""The beginning of the names of IAM Identity Center's roles."""
# The account is a courtesy to the user: a network without STS must not hold up the command.
_QUICK = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


def aws_destination(access: Access, region: str) -> Destination:
    """Return the destination of a target's calls; asks STS for the account, unless offline.

    The URLs are those of the clients themselves, so that the environment, a profile's
    `endpoint_url` and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` count as they do for the calls.
    Raises UserError when some services are offline and others are not. With `--offline` no client
    is made: the account stays "", and of the URLs the environment's alone count.
    """
    if access.tape.is_offline:
        return Destination("aws", access.endpoint("sagemaker") or "", region=region)
    try:
        urls = {name: access.client(name).meta.endpoint_url for name in SERVICES}
    except BotoCoreError:  # such as a missing profile: the first call says so
        return Destination("aws", region=region)
    endpoint = one_endpoint(urls, OWN)
    offline = Destination("aws", endpoint, region=region)
    return offline if offline.is_offline else _identified(access, offline)


def _identified(access: Access, destination: Destination) -> Destination:
    try:
        caller = access.client("sts", _QUICK).get_caller_identity()
    except (BotoCoreError, ClientError):  # no credentials, or no STS: the first call says so
        return destination
    return Destination(
        destination.cloud,
        destination.endpoint,
        f"account {caller['Account']}",
        destination.region,
        _principal(str(caller["Arn"])),
    )


def _principal(arn: str) -> str:
    """Return `role NAME`, `user NAME` or `root` of an ARN (IAM user guide, IAM identifiers).

    Whoever assumes a role chooses the session's name, so it does not tell people apart, except for
    the roles of IAM Identity Center, which names the session after its user.
    """
    kind, *names = arn.split(":", 5)[-1].split("/")
    if kind == "assumed-role" and names:
        return f"role {'/'.join(names)}" if names[0].startswith(SSO) else f"role {names[0]}"
    return " ".join((kind, *names[-1:]))
