"""The git commit of a project, and whether its files differ from it."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

SECONDS = 10.0
# Without the repository's hooks, and without taking a lock that an editor may wait for.
GIT = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks")

logger = logging.getLogger(__name__)


def git_state(folder: Path) -> tuple[str, bool | None]:
    """Return the commit of the work tree around a folder, and whether tracked files changed.

    Returns ("", None) without a repository, a commit or git, or if git is too slow.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return "", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - constant arguments
            [*GIT, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.debug("git reports nothing about %s: %s", folder, error)
        return None
    return done.stdout.strip()
