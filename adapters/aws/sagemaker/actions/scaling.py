"""The executor of the actions on automatic scaling."""

from __future__ import annotations

from cloudserve.errors import ConflictError
from cloudserve.storage.events import Reporter

from ..context import AwsContext
from .steps import SCALED, DeregisterScaling, RegisterScaling, ScalingStep


class Scaling:
    """Registers and deregisters variants of the target's endpoints."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def perform(self, step: ScalingStep, reporter: Reporter) -> None:
        """Carry out one action; raises ConflictError for another owner's endpoint."""
        name = step.endpoint
        endpoint = self._aws.api.endpoint(name)
        if endpoint is not None:
            self._aws.owned.check(endpoint, step.model)
        match step:
            case DeregisterScaling():
                self._aws.api.scaling.deregister(name, step.variant)
                reporter.line(f"{step.variant} of the endpoint {name} is not scaled any more")
            case RegisterScaling():
                if endpoint is None:
                    raise ConflictError(
                        f"the endpoint {name} does not exist any more",
                        where=self._aws.api.where,
                        hint="run the same command again: the plan is out of date",
                    )
                self._register(step, endpoint.arn)

    def _register(self, step: RegisterScaling, arn: str) -> None:
        # The tag comes first: a later run looks for registered variants only where it is.
        tags = [{"Key": SCALED, "Value": "true"}]
        what = f"tag the endpoint {step.endpoint}"
        self._aws.api.change(what, "add_tags", ResourceArn=arn, Tags=tags)
        limits = (step.minimum, step.maximum)
        self._aws.api.scaling.register(step.endpoint, step.variant, limits, step.policy)
