"""Credentials of registries: from the environment, else from Docker's configuration.

Source: Docker's `docker login` reference ("Credential stores", "Credential helpers") for
config.json and the helpers' protocol. An Amazon ECR registry takes the user `AWS`, Artifact
Registry `oauth2accesstoken` or `_json_key`; their helpers are docker-credential-ecr-login and
docker-credential-gcloud.
"""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.images.oci.references import DOCKER_HUB

USER, PASSWORD = "CLOUDSERVE_REGISTRY_USER", "CLOUDSERVE_REGISTRY_PASSWORD"
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_IDENTITY = "<token>"
"""The user name for which a helper's secret is an identity token."""
_HELPER_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password, or an identity token without a user name."""

    user: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Return the value of an Authorization header (RFC 7617)."""
        pair = f"{self.user}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def find_credentials(
    registry: str, environ: Mapping[str, str], *, of_push: bool
) -> Credentials | None:
    """Return the credentials of a registry, None if there are none.

    The variables are those of the registry that an image is pushed to. Raises UserError for an
    invalid configuration, or a helper that fails.
    """
    user, password = environ.get(USER), environ.get(PASSWORD)
    if of_push and user and password:
        return Credentials(user, password)
    folder = environ.get("DOCKER_CONFIG") or f"{environ.get('HOME', '')}/.docker"
    path = Path(folder) / "config.json"
    config = _read(path)
    key = _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    if helper:
        return _from_helper(str(helper), key, environ)
    auths = config.get("auths") or {}
    record = auths.get(key) or auths.get(f"https://{key}") or {}
    return _from_record(record, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(
            f"Docker's configuration cannot be read: {error}",
            where=str(path),
            hint="correct the file, or name another folder in DOCKER_CONFIG",
        ) from error
    return config if isinstance(config, dict) else {}


def _from_record(record: Mapping[str, Any], path: Path) -> Credentials | None:
    if record.get("identitytoken"):
        return Credentials("", record["identitytoken"])
    if not record.get("auth"):
        return None
    try:
        user, _, secret = base64.b64decode(record["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UserError(
            "`auth` of a registry is not base64",
            where=str(path),
            hint="log in again with `docker login`",
        ) from error
    return Credentials(user, secret.rstrip("\0"))


def _from_helper(helper: str, key: str, environ: Mapping[str, str]) -> Credentials | None:
    command = f"docker-credential-{helper}"
    try:
        done = subprocess.run(  # noqa: S603 - the helper that the user configured
            [command, "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_HELPER_TIMEOUT,
            env=dict(environ),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"the credential helper {command} does not run", hint=_HINT) from error
    if "credentials not found" in done.stdout:
        return None
    try:
        answer = json.loads(done.stdout)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the credential helper {command} failed for {key}", hint=_HINT) from error
    return Credentials("" if user == _IDENTITY else user, secret)


_HINT = f"run it by hand, or set {USER} and {PASSWORD}"
