"""What runs of a project's models on its targets, each read by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudserve import registry
from cloudserve.errors import CloudserveError
from cloudserve.project import Project
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.types import Deployment, State


@dataclass(frozen=True, slots=True)
class Standing:
    """A model on a target: its deployment, or why that could not be read."""

    model: str
    target: str
    deployment: Deployment | None = None
    error: CloudserveError | None = None

    @property
    def is_well(self) -> bool:
        """Return whether it could be read and has not failed."""
        return self.deployment is not None and self.deployment.state is not State.FAILED


def read_overview(
    project: Project,
    targets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    announce: Callable[[Destination], None] | None = None,
) -> Iterator[Standing]:
    """Yield the standing of every model on the named targets, by default on all.

    A target that cannot be reached does not hide the others. `announce` is called with each
    target's destination first. Raises UserError for an unknown target.
    """
    environ = os.environ if environ is None else environ
    for name in targets or tuple(project.targets):
        target = project.target(name)
        try:
            provider = registry.provider(target, environ)
            destination = destination_of(target, provider.destination())
        except CloudserveError as error:
            yield from (Standing(model, name, error=error) for model in project.models)
            continue
        if announce is not None:
            announce(destination)
        for model in project.models:
            try:
                yield Standing(model, name, provider.read(model).deployment)
            except CloudserveError as error:
                yield Standing(model, name, error=error)
