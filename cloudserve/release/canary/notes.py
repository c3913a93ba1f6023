"""Notes on the errors of canaries: which traffic there is now, and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloudserve.errors import RemoteError
from cloudserve.release.state.entries import Release
from cloudserve.release.traffic import percents
from cloudserve.release.types import Deployment


@contextmanager
def unread_noted(model: str, target: str) -> Iterator[None]:
    """Add to a Ctrl-C before the first reading that an earlier canary may still have traffic."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(
            "Nothing was changed, and the traffic was not read. A canary of an earlier run keeps "
            f"its share: look at `cloudserve status {model} --target {target}`; run the command "
            f"again, or: cloudserve rollback {model} --target {target}"
        )
        raise


@contextmanager
def sharing_noted(deployment: Deployment, live: str) -> Iterator[None]:
    """Add to a Ctrl-C, or a failed call, before the first change which revisions share the traffic.

    `live` is the revision that a rollback goes back to.
    """
    try:
        yield
    except (KeyboardInterrupt, RemoteError) as error:
        shares = {name: share for name, share in percents(deployment.traffic).items() if share}
        if len(shares) > 1 and not hasattr(error, "__notes__"):
            have = " and ".join(f"{name} has {share} %" for name, share in shares.items())
            error.add_note(
                f"Nothing was changed: {have} of the traffic, as before. Run the command again, "
                f"or: {rollback_command(deployment, live)}"
            )
        raise


@contextmanager
def canary_noted(
    deployment: Deployment, left: Release | None, revision: str, live: str
) -> Iterator[None]:
    """Add to an error that a canary which an earlier run left still has its traffic."""
    try:
        yield
    except BaseException as error:
        if left is not None:
            error.add_note(
                f"{revision} still has {left.percent} % of the traffic, of an earlier run. Run the "
                f"command again, or: {rollback_command(deployment, live)}"
            )
        raise


def rollback_command(deployment: Deployment, live: str) -> str:
    """Return the command that gives a revision all traffic."""
    return f"cloudserve rollback {deployment.model} --target {deployment.target} --to {live}"
