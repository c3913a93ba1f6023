"""How an application calls what was deployed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cloudserve import registry
from cloudserve.project import Project, Target


@dataclass(frozen=True, slots=True)
class CallExample:
    """Ways to call an endpoint, as texts to copy; the body is in the file `request.json`."""

    resource: str
    """The platform's name of the endpoint: an ARN, or a URL."""
    ways: Mapping[str, str]
    """Lines of code by the library or the command: `boto3`, `curl`."""


@runtime_checkable
class CallableProvider(Protocol):
    """A provider that knows how applications call its endpoints."""

    def call_example(self, model: str) -> CallExample | None:
        """Return how to call a model's endpoint; None if it is reached in another way."""
        ...


def call_example(
    project: Project, model: str, target: str, environ: Mapping[str, str] | None = None
) -> CallExample:
    """Return how an application calls a deployed model: first by this package's own client."""
    place = project.target(target)
    provider = registry.provider(place, os.environ if environ is None else environ)
    name = project.model(model).name
    own = {"Python": f"cloudserve.Client({_words(name, place)}).predict(inputs)"}
    example = provider.call_example(name) if isinstance(provider, CallableProvider) else None
    if example is None:
        return CallExample("", own)
    return CallExample(example.resource, {**own, **example.ways})


def _words(model: str, target: Target) -> str:
    """Return the client's arguments, with the environment: without it, another endpoint answers."""
    if not target.environment:
        return f'"{model}@{target.name}"'
    project = f'cloudserve.load_project(environment="{target.environment}")'
    return f'{project}, "{model}", "{target.name}"'
