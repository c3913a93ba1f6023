"""The actions that SageMaker plans consist of, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudserve.release.nouns import Action, Location, Revision

from ....ownership import Ownership
from ..endpoint_config import as_text, settings
from ..model_files.archive import source_url
from ..options import Options
from ..records import Endpoint, Spec, canonical, config_name, model_name, source_of

Args = dict[str, str | int | float]


class Steps:
    """Makes actions for one target."""

    def __init__(self, options: Options, image: str, names: Ownership) -> None:
        self._options = options
        self._names = names
        self._image = image

    def model(
        self,
        model: str,
        revision: Revision,
        location: Location,
        there: Mapping[str, Any] | None,
    ) -> list[Action]:
        """Return what makes the SageMaker Model; one with another image, role or source goes."""
        name = model_name(self._names.endpoint(model), revision.id)
        archived = self._options.archived
        source = source_url(location, archived=archived)
        args: Args = {
            "model": model,
            "name": name,
            "number": revision.number,
            "digest": revision.digest,
            "image": self._image,
            "source": source,
            "role_arn": self._options.role_arn,
            "env": as_text(self._options.env),
        }
        if not archived:  # an archive has the code in its place already
            args |= {"code": f"{location.saved_model}code/", "beside": f"{location.root}code/"}
        create = Action(
            "create-model",
            "create-model",
            f"create the model {name} from {source} with {self._image}",
            args,
            f"delete the model {name}",
        )
        if there is None:
            return [create]
        other = self._other(source, there)
        if not other:
            return []
        sentence = f"delete the model {name}, which has another {' and '.join(other)}"
        return [Action("delete-model", "delete-model", sentence, args), create]

    def _other(self, source: str, there: Mapping[str, Any]) -> list[str]:
        primary = there.get("PrimaryContainer", {})
        same = {
            "image": primary.get("Image") == self._image,
            "source": source_of(there) == source,
            "role": there.get("ExecutionRoleArn") == self._options.role_arn,
            "environment": primary.get("Environment", {}) == self._options.env,
        }
        return [name for name, is_same in same.items() if not is_same]

    def config(
        self, model: str, variants: Sequence[Spec], sentence: str, shadows: Sequence[Spec] = ()
    ) -> Action:
        """Return what makes the endpoint configuration of these variants."""
        body, more = canonical(variants), settings(self._options)
        if shadows:
            more["ShadowProductionVariants"] = list(shadows)
        archived = {"archive": True} if self._options.archived else {}
        container = as_text({"image": self._image, "env": self._options.env, **archived})
        # The container is in no configuration; another one makes another name, so that the
        # endpoint is updated to it.
        base = self._names.endpoint(model)
        config = config_name(base, body, as_text(more), container, self._options.role_arn)
        args: Args = {"model": model, "config": config, "variants": body}
        if more:
            args["settings"] = as_text(more)
        return Action(
            "create-endpoint-config",
            "create-endpoint-config",
            f"create the endpoint configuration {config}: {sentence}",
            args,
            f"delete the endpoint configuration {config}",
        )


def create_endpoint(config: Action, endpoint: str, variant: str, sentence: str) -> Action:
    """Return what makes an endpoint with a configuration that an action before it makes."""
    name = str(config.args["config"])
    args: Args = {
        "model": config.args["model"],
        "endpoint": endpoint,
        "config": name,
        "variant": variant,
    }
    return Action(
        "create-endpoint",
        "create-endpoint",
        f"create the endpoint {endpoint} with {name}, {sentence}",
        args,
        f"delete the endpoint {endpoint}",
    )


def update_endpoint(
    config: Action,
    endpoint: Endpoint,
    variant: str,
    sentence: str,
    policy: Mapping[str, Any] | None = None,
) -> Action:
    """Return what moves an endpoint to a configuration that an action before it makes."""
    name = str(config.args["config"])
    args: Args = {
        "model": config.args["model"],
        "endpoint": endpoint.name,
        "config": name,
        "variant": variant,
    }
    if policy:
        args["policy"] = as_text(policy)
    return Action(
        "update-endpoint",
        "update-endpoint",
        f"update the endpoint {endpoint.name} with {name}, {sentence}",
        args,
        f"update it to {endpoint.config}",
    )


def await_endpoint(endpoint: Endpoint, variant: str) -> Action:
    """Return what waits for a change of an endpoint that is under way."""
    return Action(
        "await-endpoint",
        "await-endpoint",
        f"wait for the endpoint {endpoint.name}, which is {endpoint.status}",
        {"endpoint": endpoint.name, "variant": variant},
    )


def delete_failed(model: str, endpoint: Endpoint) -> Action:
    """Return what deletes an endpoint that takes no other call."""
    why = endpoint.reason or "no reason given"
    return Action(
        "delete-endpoint",
        "delete-endpoint",
        f"delete the endpoint {endpoint.name}, which failed ({why}) and takes no update",
        {"endpoint": endpoint.name, "model": model},
    )


def delete_staging(model: str, endpoint: Endpoint) -> Action:
    """Return what deletes a revision's own endpoint."""
    return Action(
        f"delete-{endpoint.name}",
        "delete-endpoint",
        f"delete the endpoint {endpoint.name}, on which its revision waited for its promotion",
        {"endpoint": endpoint.name, "model": model, "idle": 1},
    )
