"""Pipelines of CI systems that rehearse and release a model.

Each has the same jobs: rehearse on offline clouds, plan, deploy, promote after an approval, roll
back by hand. Jobs get the cloud's identity from the CI system, without stored keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from cloudserve._version import __version__
from cloudserve.errors import UserError
from cloudserve.project import Project, Target

from .new_file import write_new


@dataclass(frozen=True, slots=True)
class _System:
    """A CI system: its template, the file that it reads, and how its jobs log in to a cloud."""

    template: str
    path: str
    logins: Mapping[str, str] = field(default_factory=dict)
    """Cloud -> a template of steps; "" if the system's own identity is used."""
    elsewhere: str = ""
    """Why there are no other clouds."""


@dataclass(frozen=True, slots=True)
class _Cloud:
    """A cloud's package extra, the variables of its login, and the audience of its tokens."""

    extra: str
    variables: str
    audience: str


_SYSTEMS = {
    "github": _System(
        "github.yml",
        ".github/workflows/release-%model%.yml",
        {"aws": "github-aws.yml", "google": "github-google.yml"},
    ),
    "gitlab": _System(
        "gitlab.yml", ".gitlab-ci.yml", {"aws": "gitlab-aws.yml", "google": "gitlab-google.yml"}
    ),
    "cloudbuild": _System(
        "cloudbuild.yaml",
        "cloudbuild.yaml",
        {"google": ""},
        "a build has the identity of a Google service account",
    ),
    "codebuild": _System(
        "buildspec.yml", "buildspec.yml", {"aws": ""}, "a build has the identity of an AWS role"
    ),
    "jenkins": _System(
        "Jenkinsfile", "Jenkinsfile", {"aws": "jenkins-aws.txt", "google": "jenkins-google.txt"}
    ),
}
SYSTEMS = tuple(_SYSTEMS)
"""The CI systems that have a template."""
_CLOUDS = {
    "aws": _Cloud("aws", "AWS_ROLE_ARN, AWS_REGION", "sts.amazonaws.com"),
    "google": _Cloud(
        "gcp",
        "GOOGLE_CLOUD_PROJECT, GOOGLE_WORKLOAD_IDENTITY_PROVIDER, GOOGLE_SERVICE_ACCOUNT",
        "cloudserve",
    ),
}
_CLOUD_OF = {"sagemaker": "aws", "vertex": "google", "ai-platform": "google"}
_LOGIN = "%identity%"


def write_pipeline(
    system: str, project: Project, model: str, target: str, *, force: bool = False
) -> Path:
    """Write a pipeline for a model and a target, and return its path.

    The file is where the system reads it: in the project's Git repository, or else beside the
    project file. Raises UserError for names that the project does not have, or if the system
    cannot log in to the target's cloud; ConflictError if the file exists and `force` is not set.
    """
    text = render_pipeline(system, project, model, target)
    root = _root(project.path)
    path = root / _SYSTEMS[system].path.replace("%model%", model)
    if path.parent != root:
        _make_folder(path.parent)
    write_new(path, text, force=force)
    return path


def render_pipeline(system: str, project: Project, model: str, target: str) -> str:
    """Return the text of a pipeline. Raises UserError as `write_pipeline`."""
    project.model(model)
    settings = _SYSTEMS[system]
    name = _cloud_of(project.target(target), system, settings)
    cloud = _CLOUDS[name]
    text = _with_login(_read(settings.template), settings.logins[name])
    values = {
        "project": project.path.resolve().relative_to(_root(project.path)).as_posix(),
        "model": model,
        "target": target,
        "extra": cloud.extra,
        "variables": cloud.variables,
        "audience": cloud.audience,
        "version": __version__,
    }
    for key, value in values.items():
        text = text.replace(f"%{key}%", value)
    return text


def _root(project_file: Path) -> Path:
    """Return the folder of the Git repository, or of the project file if there is none."""
    folder = project_file.resolve().parent
    repositories = (path for path in (folder, *folder.parents) if (path / ".git").exists())
    return next(repositories, folder)


def _cloud_of(target: Target, system: str, settings: _System) -> str:
    cloud = _CLOUD_OF.get(target.provider)
    if cloud is None:
        raise UserError(
            f"there is no pipeline for a target of `{target.provider}`",
            where=target.where,
            hint=f"choose a target of {', '.join(_CLOUD_OF)}, and change the login of its jobs",
        )
    if cloud not in settings.logins:
        raise UserError(
            f"{system} does not release to `{target.provider}`: {settings.elsewhere}",
            where=target.where,
            hint="choose github, gitlab or jenkins",
        )
    return cloud


def _with_login(text: str, login: str) -> str:
    """Replace each line of `%identity%` by the steps of a login, indented as it is."""
    steps = _read(login).splitlines() if login else []
    lines: list[str] = []
    for line in text.splitlines():
        indent, mark, _ = line.partition(_LOGIN)
        lines += [f"{indent}{step}".rstrip() for step in steps] if mark else [line]
    return "".join(f"{line}\n" for line in lines)


def _read(name: str) -> str:
    return (files("cloudserve.templates.ci") / name).read_text("utf-8")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder cannot be made: {error.strerror}",
            where=str(folder),
            hint="make it, or move what is in its place",
        ) from error
