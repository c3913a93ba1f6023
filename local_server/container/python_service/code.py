"""The user's code in a model tree: `code/inference.py`, `code/lib`, `code/requirements.txt`.

Source: serve.py (`_need_python_service`, `_setup_gunicorn`). Requirements are installed only when
asked for, and never into the environment this runs in.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError

logger = logging.getLogger(__name__)

_INSTALL_SECONDS = 600.0
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class UserCode:
    """What a `code` folder holds; each is None where it is not there."""

    folder: Path
    script: Path | None
    lib: Path | None
    requirements: Path | None

    @property
    def wants_service(self) -> bool:
        """Say whether the image starts its Python service for it."""
        return any((self.script, self.lib, self.requirements))

    @property
    def installs(self) -> Path | None:
        """Return the requirements that count: none beside a `lib`, which goes before them."""
        return None if self.lib else self.requirements


def read_code(folder: Path) -> UserCode:
    """Return what a `code` folder holds; one that is not there holds nothing."""
    script, lib, requirements = (
        folder / name for name in ("inference.py", "lib", "requirements.txt")
    )
    return UserCode(
        folder,
        script if script.is_file() else None,
        lib if lib.is_dir() else None,
        requirements if requirements.is_file() else None,
    )


def needed(requirements: Path) -> tuple[str, ...]:
    """Return the lines of a requirements file that ask for something."""
    lines = requirements.read_text("utf-8", "replace").splitlines()
    asked = (line.split("#", maxsplit=1)[0].strip() for line in lines)
    return tuple(line for line in asked if line)


def prepare(
    code: UserCode, into: Path, environment: Mapping[str, str], *, install: bool
) -> tuple[Path, ...]:
    """Return the folders that `inference.py` imports from; may block for minutes to install.

    Packages are installed with the container's `environment`: their set-up code is users' code too.
    Without `install`, what the requirements ask for is told to the log and taken as it is found
    here. Raises ModelError when pip fails.
    """
    found = [code.folder, *([code.lib] if code.lib else [])]
    if code.lib and code.requirements:
        logger.warning("loading modules in 'code/lib', ignoring requirements.txt")
    if code.installs is None:
        return tuple(found)
    if not install:
        logger.warning(
            "code/requirements.txt asks for %s: not installed without --install-requirements",
            ", ".join(needed(code.installs)) or "nothing",
        )
        return tuple(found)
    _pip_install(code.installs, into, environment)
    return (*found, into)


def _pip_install(requirements: Path, into: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--target", str(into)]
    try:
        done = subprocess.run(  # noqa: S603 - asked for by --install-requirements
            [*command, "-r", str(requirements)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError("failed to install required packages: pip took too long") from error
    if done.returncode:
        said = done.stderr.strip()[-_SHOWN:]
        raise ModelError(f"failed to install required packages: {said}")
