"""The parts of a SageMaker target that its planners and its executor share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudserve.project import Where
from cloudserve.storage.contract import PartStore

from ...ownership import Ownership
from ...polling import Poller
from .options import Options
from .ownership import Owned

if TYPE_CHECKING:
    from .api import SageMaker


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
