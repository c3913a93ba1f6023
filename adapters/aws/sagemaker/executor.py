"""Carry out SageMaker actions and wait for their end. Each may be done twice: it changes once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.nouns import Action
from cloudserve.release.traffic import ALL
from cloudserve.storage.contract import BlobStore, Notify

from ...polling import Poller
from .endpoint_config import as_mapping
from .endpoint_waiter import Watch
from .model_files.code_files import place_code
from .ownership import Owned
from .records import DIGEST, FAILED, Endpoint, Spec, container, source_of

if TYPE_CHECKING:
    from .api import SageMaker

Args = Mapping[str, str | int | float]
PLANNED = ("DesiredWeight", "DataCaptureConfig")
"""What an update takes from its configuration, not from the endpoint as it is."""


class Performer:
    """Performs the actions that `sagemaker.py` plans."""

    def __init__(self, api: SageMaker, poller: Poller, blobs: BlobStore, owned: Owned) -> None:
        self._api = api
        self._owned = owned
        self._blobs = blobs
        self._poller = poller

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action; raises UserError for a kind that is not SageMaker's."""
        args = action.args
        match action.kind:
            case "create-model":
                self._create_model(args, notify)
            case "delete-model":
                self._delete_model(args)
            case "create-endpoint-config":
                self._create_config(args, notify)
            case "delete-endpoint-config":
                self._delete_config(args)
            case "create-endpoint":
                self._create_endpoint(args, notify)
            case "update-endpoint":
                self._update_endpoint(args, notify)
            case "delete-endpoint":
                self._delete_endpoint(args, notify)
            case "set-weights":
                self._set_weights(args, notify)
            case "await-endpoint":
                name, variant = str(args["endpoint"]), str(args.get("variant", ""))
                self._await(name, notify, variant=variant)
            case kind:
                raise UserError(
                    f"sagemaker does not know the action `{kind}`", hint="make the plan again"
                )

    def _create_model(self, args: Args, notify: Notify) -> None:
        name, digest = str(args["name"]), str(args["digest"])
        if "code" in args:
            place_code(self._blobs, str(args["code"]), str(args["beside"]), notify)
        env, many = as_mapping(args.get("env")), bool(args.get("many"))
        made = self._api.create(
            f"create the model {name}",
            "create_model",
            ModelName=name,
            PrimaryContainer=container(str(args["image"]), str(args["source"]), env, many=many),
            ExecutionRoleArn=args["role_arn"],
            Tags=self._owned.tags(str(args["model"]), number=args["number"], digest=digest),
        )
        if made:
            return
        found = self._api.model(name)
        if found is None or not self._is_ours(found, args) or source_of(found) != args["source"]:
            raise self._owned.taken(f"model {name}")
        notify(f"model {name}: there already")

    def _delete_model(self, args: Args) -> None:
        name = str(args["name"])
        found = self._api.model(name)
        if found is None:
            return
        if not self._is_ours(found, args):
            raise self._owned.taken(f"model {name}")
        self._api.delete(f"delete the model {name}", "delete_model", ModelName=name)

    def _is_ours(self, found: Mapping[str, Any], args: Args) -> bool:
        tags = self._api.tags(found["ModelArn"])
        same = tags.get(DIGEST) == args["digest"]
        return same and self._owned.is_own(str(args["model"]), found, tags)

    def _create_config(self, args: Args, notify: Notify) -> None:
        name = str(args["config"])
        wanted = msgspec.json.decode(str(args["variants"]), type=list[dict[str, object]])
        more = as_mapping(args.get("settings"))
        made = self._api.create(
            f"create the endpoint configuration {name}",
            "create_endpoint_config",
            EndpointConfigName=name,
            ProductionVariants=wanted,
            Tags=self._owned.tags(str(args["model"])),
            **more,
        )
        if made:
            return
        shadows = more.get("ShadowProductionVariants", [])
        arn = (self._api.config(name) or {}).get("EndpointConfigArn")
        if (
            not arn
            or self._owned.other_owner(arn) is not None
            or not _same([*wanted, *shadows], self._api.variants(name))
        ):
            raise self._owned.taken(f"endpoint configuration {name}")
        notify(f"endpoint configuration {name}: there already")

    def _delete_config(self, args: Args) -> None:
        name = str(args["config"])
        found = self._api.config(name)
        if found is None:
            return
        if not self._owned.owns_config(str(args["model"]), found):
            raise self._owned.taken(f"endpoint configuration {name}")
        what = f"delete the endpoint configuration {name}"
        self._api.delete(what, "delete_endpoint_config", EndpointConfigName=name)

    def _create_endpoint(self, args: Args, notify: Notify) -> None:
        name, config, model = str(args["endpoint"]), str(args["config"]), str(args["model"])
        made = self._api.create(
            f"create the endpoint {name}",
            "create_endpoint",
            EndpointName=name,
            EndpointConfigName=config,
            Tags=self._owned.tags(model),
        )
        if not made:
            found = self._api.endpoint(name)
            if found is None or found.config != config:
                raise self._owned.taken(f"endpoint {name}")
            self._owned.take(found, model, notify)
        self._await(name, notify, config=config, variant=str(args.get("variant", "")))

    def _update_endpoint(self, args: Args, notify: Notify) -> None:
        name, config = str(args["endpoint"]), str(args["config"])
        found = self._api.endpoint(name)
        if found is not None:
            self._owned.take(found, str(args["model"]), notify)
        if found is None or config not in {found.config, found.pending}:
            policy = as_mapping(args.get("policy"))
            self._api.change(
                f"update the endpoint {name}",
                "update_endpoint",
                EndpointName=name,
                EndpointConfigName=config,
                RetainAllVariantProperties=True,
                ExcludeRetainedVariantProperties=[
                    {"VariantPropertyType": kind} for kind in self._planned(found, config)
                ],
                **({"DeploymentConfig": policy} if policy else {}),
            )
        self._await(name, notify, config=config, variant=str(args.get("variant", "")))

    def _planned(self, found: Endpoint | None, config: str) -> tuple[str, ...]:
        """Return which properties are the plan's.

        What autoscaling made of the instance counts stays, unless the plan has other counts than
        the configuration that it scaled.
        """
        before = _counts(found.variants if found else ())
        after = _counts(self._api.variants(config))
        same = all(after.get(name, count) == count for name, count in before.items())
        return PLANNED if same else (*PLANNED, "DesiredInstanceCount")

    def _delete_endpoint(self, args: Args, notify: Notify) -> None:
        name = str(args["endpoint"])
        found = self._api.endpoint(name)
        if found is None:
            return
        self._owned.check(found, str(args["model"]))
        if "idle" not in args and found.status not in {FAILED, "Deleting"}:
            raise ConflictError(
                f"the endpoint {name} is {found.status}, no longer {FAILED}",
                where=self._api.where,
                hint="run the same command again: the plan is out of date",
            )
        if found.status != "Deleting":
            self._api.delete(f"delete the endpoint {name}", "delete_endpoint", EndpointName=name)
        self._poller.until(
            lambda: True if self._api.endpoint(name) is None else None,
            what=f"deleting the endpoint {name}",
            where=self._api.where,
            notify=notify,
        )

    def _set_weights(self, args: Args, notify: Notify) -> None:
        name, chosen = str(args["endpoint"]), str(args["revision"])
        wanted = msgspec.json.decode(str(args["weights"]), type=dict[str, int])
        found = self._api.endpoint(name)
        gone = [variant for variant in wanted if found is None or not found.has(variant)]
        if found is None or gone:
            raise ConflictError(
                f"{', '.join(gone) or chosen} is not on the endpoint {name} any more",
                where=self._api.where,
                hint="run the same command again: the plan is out of date",
            )
        self._owned.take(found, str(args["model"]), notify)
        weights = {
            spec["VariantName"]: wanted.get(spec["VariantName"], 0) / ALL for spec in found.variants
        }
        if found.weights != weights:
            self._api.change(
                f"move the traffic of the endpoint {name}",
                "update_endpoint_weights_and_capacities",
                EndpointName=name,
                DesiredWeightsAndCapacities=[
                    {"VariantName": variant, "DesiredWeight": weight}
                    for variant, weight in weights.items()
                ],
            )
        self._await(name, notify, weights=weights)

    def _await(
        self,
        name: str,
        notify: Notify,
        *,
        config: str = "",
        weights: Mapping[str, float] | None = None,
        variant: str = "",
    ) -> None:
        watch = Watch(self._api, name, notify, config=config, weights=weights, variant=variant)
        self._poller.until(
            watch.look, what=f"the endpoint {name}", where=self._api.where, notify=notify
        )


def _same(wanted: list[dict[str, object]], there: tuple[Spec, ...]) -> bool:
    """Compare what was asked for; the service's answer may have more fields."""
    by_name = {spec["VariantName"]: spec for spec in there}
    return len(wanted) == len(there) and all(
        by_name.get(spec["VariantName"], {}).get(key) == value
        for spec in wanted
        for key, value in spec.items()
    )


def _counts(variants: tuple[Spec, ...]) -> dict[str, int]:
    return {str(spec["VariantName"]): spec.get("InitialInstanceCount", 0) for spec in variants}
