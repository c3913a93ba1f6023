"""Endpoints that a plan does not change, and that use what it deletes.

SageMaker deletes a model or a configuration that an endpoint uses: the endpoint continues, and
cannot be scaled or updated from it. Source: API reference, `DeleteEndpointConfig` ("You must not
delete an EndpointConfig in use by an endpoint that is live").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

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
    try:
        for endpoint in endpoints_of(api):
            if endpoint.name not in changed:
                _check(api, endpoint, going)
    except RemoteError as error:
        if not is_denied(error):
            raise
        return (f"it is not known whether other endpoints use what is deleted: {error.message}",)
    return ()


def endpoints_of(api: SageMaker) -> Iterator[Endpoint]:
    """Yield the endpoints of the region, whoever owns them."""
    for arn in api.endpoint_arns():
        endpoint = api.endpoint(arn.rpartition("/")[2])
        if endpoint is not None:
            yield endpoint


def _check(api: SageMaker, endpoint: Endpoint, going: set[str]) -> None:
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
