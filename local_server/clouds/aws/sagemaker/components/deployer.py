"""The background work of inference components: places, containers, instance counts."""

from __future__ import annotations

from ....background_tasks import BackgroundTasks, Observations
from ....latency import Latency
from ....latency import Step as LatencyStep
from ...protocol.errors import AwsError
from ...quotas import Quotas
from ..containers.pool import ContainerPool, Hosting
from ..endpoints.deployments import DeploymentError
from ..endpoints.table import Endpoint, EndpointTable
from ..records import Records
from .placement import NO_ROOM, demands_on, instance_count
from .table import BUSY, Component, ComponentTable, Hosted, Status


class ComponentDeployer:
    """Deploys components, and takes them down."""

    def __init__(
        self,
        records: Records,
        pool: ContainerPool,
        work: BackgroundTasks,
        latency: Latency,
        quotas: Quotas,
    ) -> None:
        self._records = records
        self._table = ComponentTable(records)
        self._endpoints = EndpointTable(records)
        self._pool = pool
        self._work = work
        self._latency = latency
        self._quotas = quotas
        self._observed = Observations(latency.clock.sleep)

    def start_deploying(self, region: str, component: Component, step: LatencyStep) -> None:
        """Deploy a component in the background, after what is under way for it."""
        self._work.start(component.arn, self._deploy(region, component.name, step))

    def start_taking_down(self, region: str, component: Component) -> None:
        """Take a component down in the background."""
        self._work.start(component.arn, self._take_down(region, component.name))

    async def _deploy(self, region: str, name: str, step: LatencyStep) -> None:
        """Place the copies and start what is pending, or fail."""
        component = self._place(region, name)
        if component is None:
            return
        await self._pass_by(component, step)
        hosted, old = component.hosted, component.serving if component.pending else None
        try:
            if component.copies and not self._pool.has(hosted.key):
                await self._pool.load_component(self._hosting(region, component, hosted))
        except DeploymentError as error:
            self._end(region, name, failure=error.message)
            return
        self._end(region, name)
        if old is not None:
            await self._pool.unload_component(old.key)
        if not component.copies:
            await self._pool.unload_component(hosted.key)

    async def _pass_by(self, component: Component, step: LatencyStep) -> None:
        if step is LatencyStep.MUTATE and not self._latency.is_realistic:
            await self._observed.wait(component.arn)
        else:
            await self._latency.pass_by(step)

    def show(self, component: Component) -> None:
        """Note that Describe has shown a component: a change of its copies may end."""
        if component.status is Status.UPDATING and component.pending is None:
            self._observed.show(component.arn)

    def _place(self, region: str, name: str) -> Component | None:
        """Reserve the resources that a component needs; None if it failed for lack of them."""
        with self._table.changing(region, name) as component:
            before, component.placed = component.placed, component.copies
        try:
            refusal = self._fit(region, component)
        except AwsError as error:
            refusal = error.message
        if refusal is None:
            return component
        with self._table.changing(region, name) as component:
            component.placed = before
        self._end(region, name, failure=refusal)
        return None

    def _fit(self, region: str, component: Component) -> str | None:
        """Give the endpoint the instances that its components need; return why it cannot."""
        endpoint = self._endpoints.find(region, component.endpoint)
        serving = endpoint.serving if endpoint else None
        if endpoint is None or serving is None:
            return f"The endpoint {component.endpoint} is not in service."
        variant = next((v for v in serving.variants if v.name == component.variant), None)
        if variant is None:
            return f"The variant {component.variant} does not exist."
        demands = demands_on(self._table, region, endpoint.name, variant.name)
        count = instance_count(variant, demands)
        if count is None:
            return NO_ROOM
        self._scale(region, endpoint, variant.name, count)
        return None

    def _scale(self, region: str, endpoint: Endpoint, variant: str, count: int) -> None:
        """Set the instance count of a variant; raises AwsError above the account's quota."""
        with self._endpoints.changing(region, endpoint.name) as changed:
            assert changed.serving is not None
            chosen = next(v for v in changed.serving.variants if v.name == variant)
            self._quotas.check_more(region, chosen.instance, count - chosen.count)
            chosen.count = count

    def _hosting(self, region: str, component: Component, hosted: Hosted) -> Hosting:
        endpoint = self._endpoints.read(region, component.endpoint)
        variants = endpoint.serving.variants if endpoint.serving else []
        instance = next((v.instance for v in variants if v.name == component.variant), None)
        startup = hosted.specification.get("StartupParameters", {}).get(
            "ContainerStartupHealthCheckTimeoutInSeconds"
        )
        return Hosting(
            hosted.key,
            region,
            component.name,
            hosted.container,
            instance,
            startup,
            hosted.isolated,
        )

    def _end(self, region: str, name: str, *, failure: str | None = None) -> None:
        """End a creation or a change, with what is deployed now or the reason of its failure."""
        with self._table.changing(region, name) as component:
            component.status = Status.FAILED if failure else Status.IN_SERVICE
            component.failure, component.modified = failure, self._records.now()
            if failure is None:
                component.running = component.placed
                component.serving, component.pending = component.hosted, None
            elif component.serving is not None:
                component.pending, component.placed = None, component.running
            else:
                component.placed = 0
        self._release(region, component)

    def _release(self, region: str, component: Component) -> None:
        """Release instances that a component no longer needs."""
        endpoint = self._endpoints.find(region, component.endpoint)
        if endpoint is not None and endpoint.serving is not None:
            self._fit(region, component)

    async def _take_down(self, region: str, name: str) -> None:
        component = self._table.read(region, name)
        for hosted in filter(None, (component.serving, component.pending)):
            await self._pool.unload_component(hosted.key)
        await self._latency.pass_by(LatencyStep.UNDEPLOY)
        self._table.delete(region, name)
        self._release(region, component)

    def restore(self) -> None:
        """Start the components of an earlier process again, and resume unfinished work."""
        for region, component in self._table.all():
            name = component.name
            if component.status is Status.DELETING:
                self.start_taking_down(region, component)
                continue
            if component.serving is not None and component.running:
                self._work.start(component.arn, self._reload(region, name))
            if component.status in BUSY:
                self.start_deploying(region, component, LatencyStep.DEPLOY)

    async def _reload(self, region: str, name: str) -> None:
        component = self._table.read(region, name)
        assert component.serving is not None
        try:
            await self._pool.load_component(self._hosting(region, component, component.serving))
        except DeploymentError as error:
            with self._table.changing(region, name) as changed:
                changed.failure, changed.running = error.message, 0
                if changed.status not in BUSY:
                    changed.status = Status.FAILED

    async def serving(self, region: str, name: str) -> Component | None:
        """Return a component once its container runs, if it has copies that answer."""
        component = self._table.find(region, name)
        if component is None or component.serving is None or not component.running:
            return component
        if not self._pool.has(component.serving.key):  # after a restart it may still be loading
            await self._work.settled(component.arn)
            component = self._table.find(region, name)
        return component
