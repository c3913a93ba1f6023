"""The plans of a multi-model endpoint: its SageMaker Model, its configuration, itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from cloudserve.release.inspection.drift import Setting
from cloudserve.release.types import DIGITS_IN_ID, Action

from ....actions import planned
from ....extra_fields import extra_text, merged
from ..actions.steps import CreateEndpointConfig, CreateModel, DeleteSharedEndpoint
from ..context import AwsContext
from ..drift.scaling import scaling_drift
from ..drift.settings import container_settings, endpoint_settings, variant_settings
from ..drift.tags import tag_drift
from ..fields.endpoint_config import as_text, machines_text, network, settings, variant
from ..fields.extra import CONFIG, MODEL, VARIANT, extra_tag
from ..ownership import Owned
from ..planning.actions import (
    Config,
    await_endpoint,
    create_endpoint,
    delete_failed,
    update_endpoint,
)
from ..planning.tag_changes import tag_changes
from ..planning.undeploy import delete_config, delete_models, owned_configs
from ..records import CHANGING, FAILED, ONLY, Endpoint, canonical, config_name
from ..snapshot import tagged_model

SWITCH = "SAGEMAKER_MULTI_MODEL"
"""The variable that switches AWS's image to many models (Deep Learning Containers)."""
OWNER = "multi-model"
"""The tag of its resources instead of a model's name; no model can have this name."""


class MultiModelPlanner:
    """Plans for one target's endpoint; `Performer` carries the actions out."""

    def __init__(self, context: AwsContext, prefix: str) -> None:
        self._aws = context
        self._prefix = prefix
        self._name = context.options.multi_model

    def endpoint(self, existing: Endpoint | None) -> tuple[Action, ...]:
        """Plan the endpoint that the target describes; () if it exists as described."""
        create, config = self._create_model(), self._create_config()
        name = config.name
        if existing is None:
            return (create, config.action, self._create(config))
        if existing.status == FAILED:
            return (delete_failed(OWNER, existing), create, config.action, self._create(config))
        if existing.status in CHANGING:
            return (self._wait(existing, name),)
        if existing.config == name:
            return ()
        return (create, config.action, update_endpoint(config, existing, ONLY, self._summary))

    def tags(self, existing: Endpoint | None, before: tuple[Action, ...]) -> Iterator[Action]:
        """Yield the tag changes of the endpoint, its configuration and its SageMaker Model."""
        used = existing.variants if existing else ()
        names = {str(spec["ModelName"]) for spec in used if "ModelName" in spec}
        models = (tagged_model(self._aws.api, name) for name in sorted(names))
        return tag_changes(self._aws, OWNER, (existing,), filter(None, models), before)

    def settings(self, endpoint: Endpoint) -> Iterator[Setting]:
        """Yield what differs between the endpoint and what the target describes."""
        yield from endpoint_settings(self._aws, endpoint)
        models = []
        for spec in endpoint.variants:
            name = str(spec["VariantName"])
            expected = variant(self._aws.options, name, self._model)
            yield from variant_settings(self._aws, endpoint, expected, spec, endpoint.name)
            tagged = tagged_model(self._aws.api, str(spec.get("ModelName", "")))
            if tagged is not None:
                models.append(tagged)
                yield from container_settings(self._aws, tagged, self._env, endpoint.name)
        yield from scaling_drift(self._aws, endpoint)
        yield from tag_drift(self._aws, OWNER, (endpoint,), models)

    def removal(self, existing: Endpoint | None, owned: Owned) -> list[Action]:
        """Plan the deletion of the endpoint, its configurations and its SageMaker Models."""
        actions = self._delete(existing) if existing else []
        configs = owned_configs(self._aws.api, owned, self._name, OWNER, (existing,))
        actions += [delete_config(config, OWNER) for config in configs]
        pattern = re.compile(rf"{re.escape(self._name)}-[0-9a-f]{{{DIGITS_IN_ID}}}")
        names = filter(pattern.fullmatch, self._aws.api.model_names(f"{self._name}-"))
        models = (tagged_model(self._aws.api, name) for name in sorted(names))
        return [*actions, *delete_models(owned, models, OWNER)]

    def _delete(self, endpoint: Endpoint) -> list[Action]:
        """Plan the deletion of the endpoint, after a change of it that is running."""
        name = endpoint.name
        action = planned(
            DeleteSharedEndpoint(OWNER, name),
            f"delete the endpoint {name}",
            name=f"delete-{name}",
        )
        is_changing = endpoint.status in CHANGING and endpoint.status != "Deleting"
        return [await_endpoint(endpoint, ""), action] if is_changing else [action]

    def _create(self, config: Config) -> Action:
        return create_endpoint(config, self._name, ONLY, self._summary)

    def _wait(self, endpoint: Endpoint, config: str) -> Action:
        if config not in {endpoint.pending, endpoint.config} or endpoint.status == "Deleting":
            raise self._aws.busy(endpoint)
        return await_endpoint(endpoint, ONLY)

    def _create_model(self) -> Action:
        step = CreateModel(
            OWNER,
            self._model,
            0,
            self._digest,
            self._aws.image,
            self._prefix,
            self._aws.role_arn,
            self._env,
            many=True,
            network=network(self._aws.options),
            tags=dict(self._aws.options.tags),
            extra=dict(self._aws.options.extra.get(MODEL, {})),
        )
        sentence = f"create the model {self._model} of the archives below {self._prefix}"
        sentence += extra_text(self._aws.options.extra, MODEL)
        undo = f"delete the model {self._model}"
        return planned(step, sentence, undo)

    def _create_config(self) -> Config:
        spec = variant(self._aws.options, ONLY, self._model)
        variants = ({**spec, "InitialVariantWeight": 1.0},)
        more = settings(self._aws.options)
        name = config_name(self._name, canonical(variants), as_text(more))
        step = CreateEndpointConfig(
            OWNER,
            name,
            [dict(v) for v in variants],
            more,
            dict(self._aws.options.tags),
            extra_tag(self._aws.options.extra, CONFIG, VARIANT),
        )
        sentence = f"{self._summary}{extra_text(self._aws.options.extra, CONFIG, VARIANT)}"
        return Config.of(step, sentence)

    @property
    def _summary(self) -> str:
        machines = machines_text(variant(self._aws.options, ONLY, self._model))
        return f"{machines} for all models of the target"

    @property
    def _model(self) -> str:
        """Return the name of the SageMaker Model: it names the container."""
        return f"{self._name}-{self._digest[:DIGITS_IN_ID]}"

    @property
    def _env(self) -> dict[str, str]:
        return {SWITCH: "true", **self._aws.options.env}

    @property
    def _digest(self) -> str:
        options = self._aws.options
        parts = [self._aws.image, self._prefix, self._aws.role_arn, as_text(self._env)]
        # What a SageMaker Model has beside these, as the digest of a model without it has not.
        if more := merged(network(options), options.extra.get(MODEL, {})):
            parts.append(as_text(more))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
