"""The destination of a target's calls: a Google Cloud project, or the offline clouds."""

from __future__ import annotations

from google.auth.exceptions import GoogleAuthError

from cloudserve.release.destination import Destination, one_endpoint

from .credentials import Access
from .identity import account_of

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
    if offline.is_offline:
        return offline
    return Destination("google", url, f"project {project}", region, _principal(access))


def _principal(access: Access) -> str:
    """Return the account that the credentials are of; "" where they do not say."""
    try:
        credentials = access.credentials
    except (GoogleAuthError, OSError):  # no credentials: the first call says so
        return ""
    return account_of(credentials)
