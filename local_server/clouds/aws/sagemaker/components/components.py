"""The operations on inference components, and the background work that they start.

Sources: SageMaker API reference; users' reports for the texts of the service: terraform-provider-
aws#40644 (an endpoint of models), stdapi.ai#43 (no copies). A state in a refusal is as a user saw
it (`CREATE_IN_PROGRESS`, `UPDATE_RC_IN_PROGRESS` for a change of copies). Which state ends an
update that fails is not documented: here it is Failed, with the old copies in service.
"""

from __future__ import annotations

import uuid

from ....latency import Step as LatencyStep
from ....resources import Document
from ...protocol.errors import invalid
from ..endpoints.deployments import Deployment, Variant
from ..endpoints.table import EndpointTable, endpoint_arn
from ..endpoints.table import Status as EndpointStatus
from ..records import COMPONENT, Records
from .deployer import ComponentDeployer
from .placement import instance_size
from .shown import LISTED, described
from .specification import Containers, log_large_part, specification_of
from .table import BUSY, Component, ComponentTable, Hosted, Status, component_arn


class Components:
    """CreateInferenceComponent and the operations on what it creates."""

    def __init__(
        self, records: Records, containers: Containers, deployer: ComponentDeployer
    ) -> None:
        self._records = records
        self._table = ComponentTable(records)
        self._endpoints = EndpointTable(records)
        self._containers = containers
        self._deployer = deployer

    async def create(self, region: str, body: Document) -> Document:
        """Start to create a component; raises AwsError if it can be in no state but Failed."""
        name = body["InferenceComponentName"]
        specification = specification_of(body)
        deployment, variant = self._host(region, body)
        copies = _copies(body)
        hosted = await self._hosted(region, specification, deployment)
        self._host(region, body)  # again: the endpoint may have changed in the meantime
        instance_size(variant.instance)
        self._check_name_is_free(region, name)
        now = self._records.now()
        component = Component(
            name=name,
            arn=component_arn(region, name),
            endpoint=body["EndpointName"],
            endpoint_arn=endpoint_arn(region, body["EndpointName"]),
            variant=variant.name,
            created=now,
            modified=now,
            status=Status.CREATING,
            copies=copies,
            pending=hosted,
        )
        self._table.create(region, component, body.get("Tags", []))
        log_large_part(name, hosted.demand, variant.instance)
        self._deployer.start_deploying(region, component, LatencyStep.DEPLOY)
        return {"InferenceComponentArn": component.arn}

    def _host(self, region: str, body: Document) -> tuple[Deployment, Variant]:
        """Return the deployment and the variant that a request names; raises AwsError."""
        endpoint = self._endpoints.read(region, body["EndpointName"])
        deployment = endpoint.serving
        if deployment is None or endpoint.status is not EndpointStatus.IN_SERVICE:
            raise invalid(
                f'Cannot change inference components of endpoint "{endpoint.arn}" while it is'
                f" {endpoint.status}."
            )
        if not deployment.hosts_components:
            raise invalid(
                "Inference Components are not supported in this Endpoint. Please make sure this"
                " endpoint can deploy inference components."
            )
        if "VariantName" not in body:
            raise invalid("VariantName is required for an inference component.")
        for variant in deployment.variants:
            if variant.name == body["VariantName"]:
                return deployment, variant
        raise invalid(
            f'Could not find production variant "{body["VariantName"]}" of endpoint'
            f' "{endpoint.arn}".'
        )

    async def _hosted(self, region: str, specification: Document, deployment: Deployment) -> Hosted:
        container, isolated = await self._containers.of(region, specification, deployment)
        return Hosted(
            id=uuid.uuid4().hex,
            specification=specification,
            container=container,
            resolved=self._records.now(),
            isolated=isolated,
        )

    def _check_name_is_free(self, region: str, name: str) -> None:
        """Raise AwsError if a component has the name, in whatever case: ARNs are in lower case."""
        for _, component in self._table.all(region):
            if component.name.lower() == name.lower():
                raise invalid(
                    f'Cannot create already existing inference component "{component.arn}".'
                )

    async def update(self, region: str, body: Document) -> Document:
        """Start to change what a component runs, or how many copies there are."""
        if "DeploymentConfig" in body:
            raise invalid("DeploymentConfig of an inference component is not available offline.")
        component = self._changeable(region, body["InferenceComponentName"], "update")
        if not {"Specification", "Specifications", "RuntimeConfig"} & body.keys():
            raise invalid("Specification or RuntimeConfig is required to update a component.")
        deployment, variant = self._host(region, component.place)
        pending = None
        if body.keys() & {"Specification", "Specifications"}:
            pending = await self._hosted(region, specification_of(body), deployment)
            log_large_part(component.name, pending.demand, variant.instance)
            component = self._changeable(region, component.name, "update")
        copies = body.get("RuntimeConfig", {}).get("CopyCount", component.copies)
        return self._change(region, component, copies, pending)

    def update_copies(self, region: str, body: Document) -> Document:
        """Start to change how many copies there are."""
        component = self._changeable(region, body["InferenceComponentName"], "update")
        self._host(region, component.place)
        return self._change(region, component, body["DesiredRuntimeConfig"]["CopyCount"], None)

    def _change(
        self, region: str, component: Component, copies: int, pending: Hosted | None
    ) -> Document:
        with self._table.changing(region, component.name) as changed:
            changed.status, changed.modified = Status.UPDATING, self._records.now()
            changed.copies, changed.failure = copies, None
            # One that never was in service still has what it was created with.
            changed.pending = pending or (changed.pending if changed.serving is None else None)
        step = LatencyStep.DEPLOY if pending else LatencyStep.MUTATE
        self._deployer.start_deploying(region, component, step)
        return {"InferenceComponentArn": component.arn}

    def _changeable(self, region: str, name: str, action: str) -> Component:
        """Return a component that nothing is under way for; raises AwsError."""
        component = self._table.read(region, name)
        if component.status in BUSY:
            raise invalid(
                f'Cannot {action} inference component "{component.arn}" while it is in state'
                f" {_state(component)}."
            )
        return component

    def describe(self, region: str, body: Document) -> Document:
        """Return a component."""
        stored = self._records.stored(COMPONENT, region, body["InferenceComponentName"])
        component = self._table.read(region, body["InferenceComponentName"])
        self._deployer.show(component)
        return described(component, stored, self._records.rehearsed)

    def list(self, region: str, body: Document) -> Document:
        """Return a page of components."""
        return self._records.page(COMPONENT, region, body, LISTED)

    def delete(self, region: str, body: Document) -> None:
        """Start to delete a component; requests in progress are answered first."""
        component = self._changeable(region, body["InferenceComponentName"], "delete")
        with self._table.changing(region, component.name) as changed:
            changed.status, changed.modified = Status.DELETING, self._records.now()
        self._deployer.start_taking_down(region, component)


def _copies(body: Document) -> int:
    """Return how many copies a new component has; raises AwsError."""
    if "RuntimeConfig" not in body:
        raise invalid("RuntimeConfig is required for an inference component.")
    copies: int = body["RuntimeConfig"]["CopyCount"]
    if copies < 1:
        raise invalid("Inference components copy count an integer larger than 0")
    return copies


def _state(component: Component) -> str:
    if component.status is Status.UPDATING and component.pending is None:
        return "UPDATE_RC_IN_PROGRESS"
    words = {Status.CREATING: "CREATE", Status.UPDATING: "UPDATE", Status.DELETING: "DELETE"}
    return f"{words[component.status]}_IN_PROGRESS"
