"""The account that Google credentials are of."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials

TOKEN_INFO = "https://oauth2.googleapis.com/tokeninfo"  # noqa: S105 - not a secret
SECONDS = 3.0


def account_of(credentials: Any) -> str:
    """Return the e-mail address of a service account or a user; "" if it is unknown.

    The file of a user's credentials does not name the user: the token's own information does, if
    the user granted the scope `userinfo.email`, as `gcloud auth application-default login` asks.
    """
    for name in ("service_account_email", "account"):
        value = getattr(credentials, name, None)
        if isinstance(value, str) and value and value != "default":
            return value
    return _of_token(credentials) if isinstance(credentials, Credentials) else ""


def _of_token(credentials: Credentials) -> str:
    # A token that is limited to a scope has no address: this one has all granted scopes.
    own = Credentials(  # type: ignore[no-untyped-call]
        None,
        refresh_token=credentials.refresh_token,
        token_uri=credentials.token_uri,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
    )
    try:
        # The name is a courtesy to most commands: a slow network must not hold them up.
        own.refresh(partial(Request(), timeout=SECONDS))  # type: ignore[no-untyped-call]
        bearer = {"Authorization": f"Bearer {own.token}"}
        answer = requests.post(TOKEN_INFO, headers=bearer, timeout=SECONDS)
        found = answer.json() if answer.ok else {}
    except (GoogleAuthError, requests.RequestException):  # the first call says what is wrong
        return ""
    is_verified = str(found.get("email_verified", "")).lower() == "true"
    return str(found.get("email", "")) if is_verified else ""
