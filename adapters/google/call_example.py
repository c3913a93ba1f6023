"""Calls of a prediction URL of Google Cloud as lines to copy."""

from __future__ import annotations

from collections.abc import Mapping

from cloudserve.release.calling import CallExample


def call_example(url: str, headers: Mapping[str, str]) -> CallExample:
    """Return calls by google-auth and by curl, with the application's own credentials."""
    sent = {"Content-Type": "application/json", **headers}
    python = (
        "AuthorizedSession(google.auth.default()[0]).post("
        f'"{url}", data=Path("request.json").read_bytes(), headers={sent}).json()'
    )
    more = " ".join(f'-H "{name}: {value}"' for name, value in sent.items())
    curl = (
        'curl -H "Authorization: Bearer $(gcloud auth print-access-token)" '
        f"{more} --data-binary @request.json {url}"
    )
    return CallExample(url, {"google-auth": python, "curl": curl})
