"""Checks of a target: the caller, the clock, the bucket, the endpoints, the platform's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cloudserve.doctor.result import DiagnosedProvider, Result, Status, failure, guarded
from cloudserve.errors import CloudserveError
from cloudserve.project import Project
from cloudserve.release.destination import Destination
from cloudserve.release.provider import Provider
from cloudserve.release.types import State

MOST_SKEW = 240.0
"""Seconds: AWS refuses signatures of 5 minutes (SigV4), S3 of 15."""
CLOCKS = {"aws": "https://sts.amazonaws.com", "google": "https://storage.googleapis.com"}
"""Where the time is asked, by cloud, unless the calls go to another endpoint."""
_SECONDS = 5.0


def check_target(
    project: Project, provider: Provider, destination: Destination
) -> Iterator[Result]:
    """Yield the results; the platform and the bucket are read, and nothing is changed."""
    yield _caller(destination)
    yield _clock(destination.endpoint or CLOCKS.get(destination.cloud, ""))
    yield guarded("bucket", partial(_bucket, provider))
    for model in project.models:
        yield guarded(f"endpoint of {model}", partial(_endpoint, provider, model))
    if isinstance(provider, DiagnosedProvider):
        yield from _of_adapter(provider, tuple(project.models))


def _of_adapter(provider: DiagnosedProvider, models: Sequence[str]) -> Iterator[Result]:
    """Yield the results of the platform's adapter; an error ends them, as a failure."""
    try:
        yield from provider.diagnose(models)
    except CloudserveError as error:
        yield failure("platform", error)


def _caller(destination: Destination) -> Result:
    if destination.is_offline or destination.account:
        return Result("account", Status.OK, str(destination))
    return Result(
        "account",
        Status.FAILED,
        f"{destination}: the caller is unknown",
        "the platform refuses calls without credentials",
        "sign in (`aws sso login`, `gcloud auth application-default login`), or set the variables",
    )


def _clock(endpoint: str, now: Callable[[], float] = time.time) -> Result:
    """Compare this clock with the Date of an answer of the endpoint."""
    try:
        with urlopen(Request(endpoint, method="HEAD"), timeout=_SECONDS) as answer:  # noqa: S310
            date = answer.headers.get("Date")
    except HTTPError as error:
        date = error.headers.get("Date")
    except (URLError, OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)  # urllib writes its own as `<urlopen error …>`
        return Result("clock", Status.SKIPPED, f"{endpoint} does not answer: {reason}")
    try:
        skew = now() - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Result("clock", Status.SKIPPED, f"{endpoint} tells no time")
    text = f"this clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {endpoint}"
    if abs(skew) > MOST_SKEW:
        return Result("clock", Status.FAILED, text, "signed requests are refused", "set the clock")
    return Result("clock", Status.OK, text)


def _bucket(provider: Provider) -> Result:
    url = provider.blobs.url
    if provider.blobs.exists():
        return Result("bucket", Status.OK, f"{url} exists")
    text = f"{url} does not exist"
    return Result("bucket", Status.WARNING, text, "the first deployment creates it")


def _endpoint(provider: Provider, model: str) -> Result:
    deployment = provider.read(model).deployment
    live = deployment.live
    identity, text = f"endpoint of {model}", f"{live} is live" if live else "nothing has traffic"
    if deployment.state is State.FAILED:
        return Result(identity, Status.FAILED, f"it has failed: {deployment.reason or 'no reason'}")
    return Result(identity, Status.OK, text)
