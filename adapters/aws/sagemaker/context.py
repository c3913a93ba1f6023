"""The parts of a SageMaker target that its planners and its executor share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudserve.errors import ConflictError
from cloudserve.project import Where
from cloudserve.storage.contract import PartStore

from ...ownership import Ownership
from ...polling import Poller
from .fields.options import Options
from .ownership import Owned
from .records import Endpoint, model_name

if TYPE_CHECKING:
    from .api.calls import SageMaker


@dataclass(frozen=True, slots=True)
class AwsContext:
    """One target: its names, options and image, and the services that it calls."""

    names: Ownership
    options: Options
    image: str
    api: SageMaker
    blobs: PartStore
    poller: Poller
    owned: Owned
    where_of: Where
    """The location of a field of the target."""

    def model_name(self, model: str, revision_id: str) -> str:
        """Return the name of a revision's SageMaker Model."""
        return model_name(self.names.endpoint(model), revision_id)

    def busy(self, endpoint: Endpoint) -> ConflictError:
        """Return the error of an endpoint that another change has taken."""
        return ConflictError(
            f"the endpoint {endpoint.name} is {endpoint.status}: another change is under way",
            where=self.api.where,
            hint="run the same command again when it is done",
        )

    def not_serving(self, model: str) -> ConflictError:
        """Return the error of a model whose endpoint does not exist or has failed."""
        return ConflictError(
            f"the endpoint {self.names.endpoint(model)} does not exist or has failed",
            where=self.api.where,
            hint=f"cloudserve deploy {model} --target {self.names.target}",
        )

    @property
    def role_arn(self) -> str:
        """Return the ARN of the target's role; a role given by name is of the caller's account."""
        return self.options.role_arn or self.api.role_arn(self.options.role)
