"""The actions of SageMaker's plans for one target, with their sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudserve.release.types import Action, Location, Revision

from ....actions import planned
from ....extra_fields import extra_text, merged
from ..actions.steps import (
    AwaitEndpoint,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    DeleteModel,
    UpdateEndpoint,
)
from ..context import AwsContext
from ..fields.endpoint_config import as_text, network, same_network, settings
from ..fields.extra import CONFIG, MODEL, VARIANT, extra_tag
from ..fields.extra import TAG as EXTRA
from ..model_files.archive import source_url
from ..records import Endpoint, Spec, canonical, config_name, model_name, source_of
from ..snapshot import TaggedModel


class Steps:
    """Makes actions for one target."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def model(
        self,
        model: str,
        revision: Revision,
        location: Location,
        existing: TaggedModel | None,
    ) -> list[Action]:
        """Return the creation of the SageMaker Model; a different one is deleted first."""
        name = model_name(self._aws.names.endpoint(model), revision.id)
        archived = self._aws.options.archived
        source = source_url(location, archived=archived)
        step = CreateModel(
            model,
            name,
            revision.number,
            revision.digest,
            self._aws.image,
            source,
            self._aws.role_arn,
            dict(self._aws.options.env),
            # An archive has the code in its place already.
            code="" if archived else f"{location.saved_model}code/",
            code_target="" if archived else f"{location.root}code/",
            network=network(self._aws.options),
            tags=dict(self._aws.options.tags),
            extra=dict(self._aws.options.extra.get(MODEL, {})),
        )
        create = planned(
            step,
            f"create the model {name} from {source} with {self._aws.image}"
            f"{extra_text(self._aws.options.extra, MODEL)}",
            f"delete the model {name}",
        )
        if existing is None:
            return [create]
        other = [
            *self._other(source, existing.record),
            *([] if self._has_extra(existing.tags, MODEL) else ["extra fields"]),
        ]
        if not other:
            return []
        sentence = f"delete the model {name}, which has another {' and '.join(other)}"
        return [planned(DeleteModel(model, name, revision.digest), sentence), create]

    def _other(self, source: str, existing: Mapping[str, Any]) -> list[str]:
        primary = existing.get("PrimaryContainer", {})
        same = {
            "image": primary.get("Image") == self._aws.image,
            "source": source_of(existing) == source,
            "role": existing.get("ExecutionRoleArn") == self._aws.role_arn,
            "environment": primary.get("Environment", {}) == self._aws.options.env,
            "network": same_network(network(self._aws.options), existing),
        }
        return [name for name, is_same in same.items() if not is_same]

    def has_extra(self, endpoint: Endpoint) -> bool:
        """Return whether an endpoint's configuration was created with the target's extra fields."""
        arn = endpoint.config_record.get("EndpointConfigArn")
        tags = self._aws.api.existing_tags(str(arn)) if arn else None
        return tags is None or self._has_extra(tags, CONFIG, VARIANT)

    def _has_extra(self, tags: Mapping[str, str], *names: str) -> bool:
        return tags.get(EXTRA) == extra_tag(self._aws.options.extra, *names).get(EXTRA)

    def config(
        self, model: str, variants: Sequence[Spec], sentence: str, shadows: Sequence[Spec] = ()
    ) -> Config:
        """Return the creation of the endpoint configuration of these variants."""
        more = settings(self._aws.options)
        if shadows:
            more["ShadowProductionVariants"] = list(shadows)
        options = self._aws.options
        archived = {"archive": True} if options.archived else {}
        place = merged(network(options), options.extra.get(MODEL, {}))
        container = as_text({"image": self._aws.image, "env": options.env, **archived, **place})
        # A configuration does not contain the container. It is part of the name, so that another
        # container makes another configuration, to which the endpoint is updated.
        base = self._aws.names.endpoint(model)
        name = config_name(base, canonical(variants), as_text(more), container, self._aws.role_arn)
        step = CreateEndpointConfig(
            model,
            name,
            [dict(spec) for spec in sorted(variants, key=lambda spec: str(spec["VariantName"]))],
            more,
            dict(self._aws.options.tags),
            extra_tag(options.extra, CONFIG, VARIANT),
        )
        text = f"{sentence}{extra_text(options.extra, CONFIG, VARIANT)}"
        return Config.of(step, text)


@dataclass(frozen=True, slots=True)
class Config:
    """The creation of an endpoint configuration, for the actions that use it."""

    model: str
    name: str
    action: Action
    tags: Mapping[str, str]

    @classmethod
    def of(cls, step: CreateEndpointConfig, sentence: str) -> Config:
        """Return the creation of a configuration."""
        action = planned(
            step,
            f"create the endpoint configuration {step.config}: {sentence}",
            f"delete the endpoint configuration {step.config}",
        )
        return cls(step.model, step.config, action, step.tags)


def create_endpoint(config: Config, endpoint: str, variant: str, sentence: str) -> Action:
    """Return the creation of an endpoint with a configuration that is created before."""
    return planned(
        CreateEndpoint(config.model, endpoint, config.name, variant, dict(config.tags)),
        f"create the endpoint {endpoint} with {config.name}, {sentence}",
        f"delete the endpoint {endpoint}",
    )


def update_endpoint(
    config: Config,
    endpoint: Endpoint,
    variant: str,
    sentence: str,
    policy: Mapping[str, Any] | None = None,
) -> Action:
    """Return the update of an endpoint to a configuration that is created before."""
    step = UpdateEndpoint(
        config.model, endpoint.name, config.name, variant, endpoint.config, dict(policy or {})
    )
    return planned(
        step,
        f"update the endpoint {endpoint.name} with {config.name}, {sentence}",
        f"update it to {endpoint.config}",
    )


def await_endpoint(endpoint: Endpoint, variant: str) -> Action:
    """Return the wait for a change of an endpoint that has begun."""
    sentence = f"wait for the endpoint {endpoint.name}, which is {endpoint.status}"
    return planned(AwaitEndpoint(endpoint.name, variant), sentence)


def delete_failed(model: str, endpoint: Endpoint) -> Action:
    """Return the deletion of an endpoint that failed: it accepts no other call."""
    why = endpoint.reason or "no reason given"
    return planned(
        DeleteEndpoint(model, endpoint.name),
        f"delete the endpoint {endpoint.name}, which failed ({why}) and takes no update",
    )


def delete_staging(model: str, endpoint: Endpoint) -> Action:
    """Return the deletion of a revision's own endpoint."""
    return planned(
        DeleteEndpoint(model, endpoint.name, idle=True),
        f"delete the endpoint {endpoint.name}, on which its revision waited for its promotion",
        name=f"delete-{endpoint.name}",
    )
