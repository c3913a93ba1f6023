"""All checks that apply, in their order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from cloudserve import registry
from cloudserve.doctor.machine import check_machine
from cloudserve.doctor.project import check_project
from cloudserve.doctor.result import Diagnosis, Result, Status, failure
from cloudserve.doctor.target import check_target
from cloudserve.errors import CloudserveError
from cloudserve.project import Project
from cloudserve.release.destination import destination_of


def diagnose(
    read: Callable[[], Project] | None,
    target: str = "",
    environ: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Check this machine, and with a project its models and targets, and a target's account.

    `read` loads the project; None if there is none. Its errors are results.
    """
    environ = dict(os.environ if environ is None else environ)
    results: list[Result] = list(check_machine())
    if read is None:
        text = "there is no cloudserve.yaml here or above"
        results.append(Result("project", Status.SKIPPED, text, hint="cloudserve init"))
        return Diagnosis("this machine", tuple(results))
    try:
        project = read()
    except CloudserveError as error:
        results.append(failure("project", error))
        return Diagnosis("this machine", tuple(results))
    results += check_project(project, environ)
    if not target:
        return Diagnosis("this machine and project", tuple(results))
    # A target whose fields are wrong is in the results already.
    known = {one.id for one in results if one.status is Status.FAILED}
    results += (one for one in _of_target(project, target, environ) if one.id not in known)
    return Diagnosis(f"this machine, project and target {target}", tuple(results))


def _of_target(project: Project, name: str, environ: Mapping[str, str]) -> Iterator[Result]:
    try:
        target = project.target(name)
        provider = registry.provider(target, environ)
        destination = destination_of(target, provider.destination())
    except CloudserveError as error:
        yield failure(f"target {name}", error)
        return
    yield from check_target(project, provider, destination)
