"""The destination of a target's calls: an AWS account, or the offline AWS."""

from __future__ import annotations

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudserve.release.destination import Destination, one_endpoint

from .session import OWN, Access

SERVICES = ("s3", "sagemaker", "sagemaker-runtime")
SSO = "AWSReservedSSO_"
"""The beginning of the names of IAM Identity Center's roles."""
# The account is a courtesy to the user: a network without STS must not hold up the command.
_QUICK = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


def aws_destination(access: Access, region: str) -> Destination:
    """Return the destination of a target's calls; asks STS for the account, unless offline.

    The URLs are those of the clients themselves, so that the environment, a profile's
    `endpoint_url` and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` count as they do for the calls.
    Raises UserError when some services are offline and others are not.
    """
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
