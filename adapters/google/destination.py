"""The destination of a target's calls: a project and its account, or the offline clouds."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials

from cloudserve.release.destination import Destination, one_endpoint

from .credentials import Access

OWN = "googleapis.com"


def google_destination(
    api: str, endpoint: str, storage: str, project: str, region: str, access: Access
) -> Destination:
    """Return the destination of calls to an API at one endpoint, and to a storage endpoint.

    Reaches no network but a metadata server, or for a user's credentials the service that names
    the user. Raises UserError when one of both is offline and the other is not.
    """
    url = one_endpoint({api: endpoint, "storage": storage}, OWN)
    offline = Destination("google", url, f"project {project}", region)
    if offline.is_offline or access.tape.is_offline:
        return offline
    return Destination("google", url, f"project {project}", region, _principal(access))


def _principal(access: Access) -> str:
    """Return the account that the credentials are of; "" where they do not say."""
    try:
        credentials = access.credentials
    except (GoogleAuthError, OSError):  # no credentials: the first call says so
        return ""
    return account_of(credentials)


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
        claims = answer.json() if answer.ok else {}
    except (GoogleAuthError, requests.RequestException):  # the first call says what is wrong
        return ""
    is_verified = str(claims.get("email_verified", "")).lower() == "true"
    return str(claims.get("email", "")) if is_verified else ""
