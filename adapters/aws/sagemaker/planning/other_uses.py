"""Endpoints that a plan does not change, and that use what it deletes.

SageMaker does not refuse to delete them, and says what a caller must not do (API reference,
`DeleteEndpointConfig`: "You must not delete an EndpointConfig in use by an endpoint that is live").
For models there are no such words; they are treated alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.types import Action

from ...errors import is_denied
from ..api.calls import SageMaker
from ..records import Endpoint

_DELETED = {"delete-model": "name", "delete-endpoint-config": "config"}
"""The argument that names what an action deletes, by the action's kind."""


def check_unused(api: SageMaker, actions: Collection[Action]) -> tuple[str, ...]:
    """Raise ConflictError for the first such endpoint; return warnings of what is not known.

    Nothing is read if nothing is deleted. The caller may have no permission to read the endpoints
    of others: a warning says so.
    """
    going = {str(a.args[_DELETED[a.kind]]) for a in actions if a.kind in _DELETED}
    if not going:
        return ()
    changed = {str(action.args["endpoint"]) for action in actions if "endpoint" in action.args}
    denied: list[str] = []
    names: list[str] = []
    with _noting(denied):
        names += (arn.rpartition("/")[2] for arn in api.endpoint_arns())
    for name in names:
        if name not in changed:
            with _noting(denied):
                _check(api, name, going)
    more = f" (and {len(denied) - 1} more)" if len(denied) > 1 else ""
    question = "it is not known whether other endpoints use what is deleted"
    return tuple(f"{question}: {text}{more}" for text in denied[:1])


@contextmanager
def _noting(denied: list[str]) -> Iterator[None]:
    """Note what the caller may not read, and continue: another endpoint may tell of a use."""
    try:
        yield
    except RemoteError as error:
        if not is_denied(error):
            raise
        denied.append(error.message)


def endpoints_of(api: SageMaker) -> Iterator[Endpoint]:
    """Yield the endpoints of the region, whoever owns them."""
    for arn in api.endpoint_arns():
        endpoint = api.endpoint(arn.rpartition("/")[2])
        if endpoint is not None:
            yield endpoint


def _check(api: SageMaker, name: str, going: set[str]) -> None:
    endpoint = api.endpoint(name)
    if endpoint is None:
        return
    coming = api.variants(endpoint.pending) if endpoint.pending else ()
    specs = (*endpoint.variants, *endpoint.shadows, *coming)
    models = {str(spec.get("ModelName", "")) for spec in specs}
    used = going & {endpoint.config, endpoint.pending, *models}
    if used:
        raise ConflictError(
            f"the endpoint {endpoint.name}, which no release made, uses {', '.join(sorted(used))}",
            where=api.where,
            hint="delete that endpoint first, or give it models and a configuration of its own",
        )
