"""Offline clouds in a process of their own, for programs and tests.

with cloudserve.offline_clouds() as clouds:
    subprocess.run(["./release.sh"], env={**os.environ, **clouds.environment})
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import UserError

# The emulator's command prints its environment, and ends when this process closes the pipe or ends.
_TELL = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


@dataclass(frozen=True, slots=True)
class OfflineClouds:
    """Running offline clouds, and the variables that point clients at them."""

    environment: Mapping[str, str]
    """The variables to set."""
    unset: frozenset[str]
    """The variables to unset: those of real accounts."""

    @property
    def url(self) -> str:
        """Return the base URL of all services, without a trailing slash."""
        pointed = self.environment.get("AWS_ENDPOINT_URL")
        return pointed or self.environment["CLOUDSERVE_OFFLINE_URL"]  # with `--intercept`

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment with `environment` set and without `unset`."""
        return {k: v for k, v in environ.items() if k not in self.unset} | dict(self.environment)


@contextmanager
def offline_clouds(data: Path | None = None, *options: str) -> Iterator[OfflineClouds]:
    """Start offline clouds on a free port, and stop them at the end of the block.

    `data` is the folder that keeps buckets and resources; None uses a temporary one. `options` are
    further options of `cloudserve emulate`. Log lines are written to standard error. The clouds
    also end if this process is killed. Raises UserError if they do not start.
    """
    folder = ("--data", str(data)) if data else ()
    command = (sys.executable, "-m", "cloudserve", "emulate", *folder, *options)
    tell = (sys.executable, "-I", "-S", "-c", _TELL)
    # A session of its own: Ctrl-C in a terminal must not end the clouds before their caller.
    with subprocess.Popen(  # noqa: S603 - this program, with options of the caller
        [*command, "--", *tell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield _read(process)


def _read(process: subprocess.Popen[str]) -> OfflineClouds:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise UserError(
            f"the offline clouds did not start: exit code {process.wait()}",
            hint="the reason is on standard error, above",
        )
    variables: dict[str, str] = json.loads(line)
    changed = {k: v for k, v in variables.items() if os.environ.get(k) != v}
    return OfflineClouds(changed, frozenset(os.environ.keys() - variables.keys()))
