"""The credentials for Google: the file that the environment names, or the default ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import google.auth

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Access:
    """Credentials, loaded when they are first needed: making a provider reaches no network.

    `google.auth.default` asks a metadata server where nothing else is configured.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")

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
