"""The destination of a target's calls: the offline clouds, or an account of a cloud.

A command prints the destination first, a plan records the destination it was made for, and a change
of a real account is confirmed first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import Field, Target

UNKNOWN = "account unknown"
_PLACEHOLDER = re.compile(
    r"my-project|(gs|s3)://my-bucket|arn:aws[\w-]*:iam::000000000000:role/my-sagemaker-role"
)
"""The placeholders that `cloudserve init` writes for names of the user (templates/project)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A cloud and an account of it."""

    cloud: str
    """The cloud's short name: `aws`, `google`."""
    endpoint: str = ""
    """The URL that calls are sent to; "" for the cloud's own."""
    account: str = ""
    """The account with its kind: `account 123456789012`, `project my-models`."""
    region: str = ""
    principal: str = ""
    """The identity of the caller: `role Deployer`, `ci@my-models.iam.gserviceaccount.com`."""
    environment: str = ""
    """The chosen environment of the project file; "" if there is none."""

    @property
    def person(self) -> str:
        """Return the caller as the cloud names it: `role Deployer of account 1234`; "" if unknown.

        The offline clouds know no callers.
        """
        if self.is_offline or not (self.principal and self.account):
            return ""
        return f"{self.principal} of {self.account}"

    @property
    def is_offline(self) -> bool:
        """Return whether the calls stay on this machine."""
        return is_loopback(self.endpoint)

    def __str__(self) -> str:
        """Return the line that commands print first: `aws · account 1234 · us-east-1 · role R`."""
        chosen = f"environment {self.environment}" if self.environment else ""
        if self.is_offline:
            return " · ".join(filter(None, (self.cloud, f"offline {self.endpoint}", chosen)))
        account = self.account or UNKNOWN
        parts = (self.cloud, self.endpoint, account, self.region, self.principal, chosen)
        return " · ".join(part for part in parts if part)

    def is_same(self, other: Destination) -> bool:
        """Return whether both are the same account, region and environment, or both are offline.

        The principal may differ: one person plans, another applies. So may the offline port.
        """
        if self.environment != other.environment:
            return False
        if self.is_offline or other.is_offline:
            return (self.cloud, self.is_offline) == (other.cloud, other.is_offline)
        ours = (self.cloud, self.endpoint, self.account, self.region)
        return ours == (other.cloud, other.endpoint, other.account, other.region)


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine: 127.0.0.0/8, ::1, localhost."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # a bracket too many
        return False
    if "\\" in url:  # it ends the host for urllib3, and belongs to it for urlsplit
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def one_endpoint(endpoints: Mapping[str, str], own: str) -> str:
    """Return the URL that all services' calls go to, "" for the cloud's own hosts.

    `endpoints` has each service's URL; hosts that end in `own` are the cloud's. Raises UserError
    when some calls would stay on this machine and others would reach a cloud.
    """
    offline = {name: url for name, url in endpoints.items() if is_loopback(url)}
    if offline and len(offline) < len(endpoints):
        away = {name: url for name, url in endpoints.items() if name not in offline}
        raise UserError(
            f"the calls of {_listed(offline)} stay on this machine, "
            f"and those of {_listed(away)} do not",
            where=", ".join(f"{name}: {url}" for name, url in endpoints.items()),
            hint="for the offline clouds, all variables of `cloudserve emulate --env`; "
            "for the real cloud, none of them",
        )
    if offline:
        return next(iter(offline.values()))
    foreign = [url for url in endpoints.values() if not _belongs(url, own)]
    return foreign[0] if foreign else ""


def destination_of(target: Target, destination: Destination) -> Destination:
    """Return a provider's destination with the target's environment.

    Raises ProjectError when a target of a real account has names that `init` made up.
    """
    check_placeholders(target, destination)
    return replace(destination, environment=target.environment)


def check_placeholders(target: Target, destination: Destination) -> None:
    """Raise ProjectError when a target of a real account has names that `init` made up."""
    if destination.is_offline:
        return
    for name, value in target.fields.items():
        if any(_PLACEHOLDER.fullmatch(text) for text in _texts(value)):
            raise ProjectError(
                f"`{name}` is still the placeholder `{value}`",
                where=target.where_of(name),
                hint="write the name of your own; to rehearse offline, see `cloudserve emulate`",
            )


def _texts(value: Field) -> Iterable[str]:
    values = value.values() if isinstance(value, Mapping) else (value,)
    return (text for text in values if isinstance(text, str))


def _belongs(url: str, own: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith((f".{own}", f".{own}.cn"))


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)
