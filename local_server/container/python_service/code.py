"""The user's code in a model tree: `code/inference.py`, `code/lib`, `code/requirements.txt`.

Source: serve.py (`_need_python_service`, `_setup_gunicorn`). Requirements are installed only on
request, and never into the environment of this process.
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
    """The contents of a `code` folder; None for a missing part."""

    folder: Path
    script: Path | None
    lib: Path | None
    requirements: Path | None

    @property
    def needs_service(self) -> bool:
        """Return whether the image starts its Python service for it."""
        return any((self.script, self.lib, self.requirements))

    @property
    def effective_requirements(self) -> Path | None:
        """Return the requirements to install; None if there is a `lib`, which takes precedence."""
        return None if self.lib else self.requirements


def read_code(folder: Path) -> UserCode:
    """Return the contents of a `code` folder, which need not exist."""
    script, lib, requirements = (
        folder / name for name in ("inference.py", "lib", "requirements.txt")
    )
    return UserCode(
        folder,
        script if script.is_file() else None,
        lib if lib.is_dir() else None,
        requirements if requirements.is_file() else None,
    )


def read_requirements(path: Path) -> tuple[str, ...]:
    """Return the requirements in a file, without comments and empty lines."""
    lines = path.read_text("utf-8", "replace").splitlines()
    stripped = (line.split("#", maxsplit=1)[0].strip() for line in lines)
    return tuple(line for line in stripped if line)


def prepare(
    code: UserCode,
    into: Path,
    environment: Mapping[str, str],
    *,
    install: bool,
    network: bool = True,
) -> tuple[Path, ...]:
    """Return the folders that `inference.py` imports from; an installation may block for minutes.

    pip runs with the container's `environment`: the set-up code of packages is users' code too.
    Without `install`, the requirements are logged and imports find the packages of this
    installation. Raises ModelError if pip fails, and for requirements without a `network`.
    """
    folders = [code.folder, *([code.lib] if code.lib else [])]
    if code.lib and code.requirements:
        logger.warning("loading modules in 'code/lib', ignoring requirements.txt")
    if code.effective_requirements is None:
        return tuple(folders)
    wanted = read_requirements(code.effective_requirements)
    if wanted and not network:
        raise ModelError(
            f"failed to install required packages: {', '.join(wanted)} of code/requirements.txt: "
            "the container has no network (EnableNetworkIsolation)"
        )
    if not install:
        logger.warning(
            "code/requirements.txt asks for %s: not installed without --install-requirements",
            ", ".join(wanted) or "nothing",
        )
        return tuple(folders)
    _pip_install(code.effective_requirements, into, environment)
    return (*folders, into)


def _pip_install(requirements: Path, into: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--target", str(into)]
    try:
        done = subprocess.run(  # noqa: S603 - requested by --install-requirements
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
        output = done.stderr.strip()[-_SHOWN:]
        raise ModelError(f"failed to install required packages: {output}")
