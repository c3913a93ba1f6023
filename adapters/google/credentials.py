"""The credentials for Google: the file that the environment names, or the default ones."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import google.auth
from google.auth import identity_pool
from google.auth.credentials import AnonymousCredentials

from cloudserve.known.tape import LIVE, Tape
from cloudserve.release.destination import is_loopback

WORKLOAD = "external_account"
"""The type of a file for workload identity federation."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Access:
    """Credentials, loaded when they are first needed: making a provider reaches no network.

    `google.auth.default` asks a metadata server where nothing else is configured.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        self.tape: Tape = LIVE
        """The way of all reads."""

    def credentials_for(self, endpoint: str) -> Any:
        """Return the credentials of calls to an endpoint.

        Offline those of a real account are not used: a token would be fetched from Google or from a
        metadata server, and sent to a server that does not check it.
        """
        if not is_loopback(endpoint):
            return self.credentials
        if not self._path:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        fields = _read(Path(self._path))
        if fields is None:  # the first call says what is wrong with the file
            return self.credentials
        if _is_of_google(fields):
            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        return self._workload if fields["type"] == WORKLOAD else self.credentials

    @cached_property
    def _workload(self) -> Any:
        # google.auth asks Google's Resource Manager for the project of such a file.
        return identity_pool.Credentials.from_file(  # type: ignore[no-untyped-call]
            self._path, scopes=[SCOPE]
        )

    @cached_property
    def credentials(self) -> Any:
        """Return google.auth credentials; raises google.auth.exceptions when there are none."""
        if not self._path:
            return google.auth.default(scopes=[SCOPE])[0]
        with warnings.catch_warnings():
            # The warning is for programs that load files of unknown origin. This one is the
            # operator's own choice, and google.auth.default treats it the same way.
            warnings.simplefilter("ignore", DeprecationWarning)
            return google.auth.load_credentials_from_file(  # type: ignore[no-untyped-call]
                self._path, scopes=[SCOPE]
            )[0]


def _read(path: Path) -> Mapping[str, Any] | None:
    """Return the fields of a credential file, {} for other JSON, None if it cannot be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else {}


def _is_of_google(fields: Mapping[str, Any]) -> bool:
    """Return whether a credential file's tokens come from Google.

    google-auth uses the token services that the files of a service account and of a workload
    identity name; it ignores the one in a user's file (`authorized_user`), and that of an
    impersonation (`impersonated_service_account`).
    """
    match fields.get("type"):
        case "service_account":
            urls = [fields.get("token_uri")]
        case "external_account":
            urls = [fields.get("token_url")]
            urls += filter(None, [fields.get("service_account_impersonation_url")])
            source = fields.get("credential_source")
            # The other sources are AWS's metadata, a program and a certificate.
            if not (isinstance(source, dict) and source.keys() & {"file", "url"}):
                return True
        case _:
            return True
    return not all(is_loopback(str(url)) for url in urls)
