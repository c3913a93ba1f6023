"""The last known state in commands: `--offline`, and what the other commands keep for it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cloudserve.errors import CloudserveError
from cloudserve.plural import counted

if TYPE_CHECKING:
    from cloudserve.cli.options import Subject
    from cloudserve.known.tape import Recorder
    from cloudserve.release.service import Releases

logger = logging.getLogger(__name__)
offline_option = click.option(
    "--offline",
    is_flag=True,
    help="Work from the last known state, without any network; it says from when the state is.",
)
MINUTE, HOUR, DAY = 60, 3600, 86400


def recalled(subject: Subject) -> Releases:
    """Return the verbs that answer from the last known state of a subject."""
    from cloudserve.cli.consent import announce
    from cloudserve.release.last_known import recall

    releases = recall(subject.project(), subject.model, subject.target)
    announce(releases.destination)
    return releases


def remember(subject: Subject, releases: Releases, tape: Recorder | None = None) -> None:
    """Keep the state of a subject for `--offline`, with what a command has read already.

    `releases` are those of the command, whose connections are used again.

    The command itself is done: what fails here is left out.
    """
    from cloudserve.release.last_known import remember as keep

    try:
        names = subject.model, subject.target
        keep(subject.project(), *names, tape=tape, provider=releases.provider)
    except (CloudserveError, KeyboardInterrupt) as error:
        logger.info("the state is not kept for --offline: %s", str(error) or "interrupted")
    except Exception:  # a defect here must not hide the result of a release
        logger.warning("the state is not kept for --offline", exc_info=True)


def since_line(since: datetime) -> str:
    """Return the line that says from when a state is: `state of 2026-11-30 12:01 UTC, …`."""
    return f"state of {since:%Y-%m-%d %H:%M} UTC, {_age(since)}"


def _age(since: datetime) -> str:
    seconds = int((datetime.now(UTC) - since).total_seconds())
    if seconds < 0:
        return "later than this machine's clock, which was set back"
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= unit:
            return f"{counted(seconds // unit, name)} ago"
    return "less than a minute ago"
