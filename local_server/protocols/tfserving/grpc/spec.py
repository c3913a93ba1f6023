"""`ModelSpec` messages: the model a request names, and the model that answered.

Source: tensorflow_serving/apis/model.proto.
"""

from __future__ import annotations

from ....inference.types import ModelSpec
from ....status import Code, StatusError
from ....transport.grpc_types import Message


def read_spec(request: Message) -> ModelSpec:
    """Read the `model_spec` of a request; refuses a missing one or one without a name."""
    return check_name(read_any_spec(request))


def check_name(spec: ModelSpec) -> ModelSpec:
    """Return a spec unchanged; refuses one without a name."""
    if not spec.name:
        raise StatusError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
    return spec


def read_any_spec(request: Message) -> ModelSpec:
    """Read the `model_spec` of a request, whose name may be empty; refuses a missing one."""
    if not request.HasField("model_spec"):
        raise StatusError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return to_spec(request.model_spec)


def to_spec(message: Message) -> ModelSpec:
    """Convert a `ModelSpec` message."""
    choice = message.WhichOneof("version_choice")
    return ModelSpec(
        name=message.name,
        version=message.version.value if choice == "version" else None,
        label=message.version_label if choice == "version_label" else None,
        signature=message.signature_name,
    )


def write_spec(message: Message, spec: ModelSpec) -> None:
    """Write the model that answered: name, signature and actual version; never the label."""
    assert spec.version is not None
    message.name = spec.name
    message.signature_name = spec.signature
    message.version.value = spec.version
