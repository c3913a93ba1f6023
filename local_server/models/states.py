"""The states of a model version (tensorflow_serving/apis/get_model_status.proto)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ..status import Code


class State(IntEnum):
    """A version's state; the numbers are those of `ModelVersionStatus.State`."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True)
class VersionState:
    """A version's state; END with a code other than OK is a failed load and its reason."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""
