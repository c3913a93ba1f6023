"""The credentials for Google: the file that the environment names, or the default ones."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import google.auth
from google.auth.credentials import AnonymousCredentials

from cloudserve.known.tape import LIVE, Tape
from cloudserve.release.destination import is_loopback

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
        if self._path and not _is_of_google(Path(self._path)):
            return self.credentials
        return AnonymousCredentials()  # type: ignore[no-untyped-call]

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


def _is_of_google(path: Path) -> bool:
    """Return whether a credential file's tokens come from Google; False for an unreadable file.

    Of the kinds of files only that of a service account names its token service, which google-auth
    uses; it ignores the one in a user's file (`authorized_user`).
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):  # the first call says what is wrong with it
        return False
    if not isinstance(content, dict) or content.get("type") != "service_account":
        return True
    return not is_loopback(str(content.get("token_uri", "")))
