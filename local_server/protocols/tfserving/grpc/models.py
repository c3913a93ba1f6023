"""`tensorflow.serving.ModelService` on the data plane and the models' life cycle.

Source: tensorflow_serving/apis/model_service.proto, model_servers/model_service_impl.cc,
get_model_status_impl.cc.
"""

from __future__ import annotations

from ....config import read_config
from ....inference import Inference
from ....messages import message_class
from ....status import Code, StatusError
from ....transport.grpc_types import Call, Message, Method, Service
from ...middleware.foreign import Sites
from .services import Reloader
from .spec import read_any_spec

GetModelStatusRequest = message_class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = message_class("tensorflow.serving.GetModelStatusResponse")
ReloadConfigRequest = message_class("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = message_class("tensorflow.serving.ReloadConfigResponse")

_ANY_HOST = Sites(checks_host=False)
"""A load balancer may have any name."""


class ModelService:
    """Reports the states of versions, and replaces the configuration if there is a reloader."""

    def __init__(
        self, inference: Inference, reloader: Reloader | None, reload_seconds: float | None = None
    ) -> None:
        self._inference = inference
        self._reloader = reloader
        self._reload_seconds = reload_seconds

    def service(self) -> Service:
        """Return the service to register."""
        methods = {
            "GetModelStatus": Method(GetModelStatusRequest, self.status),
            "HandleReloadConfigRequest": Method(ReloadConfigRequest, self.reload, _admit_programs),
        }
        return Service("tensorflow.serving.ModelService", methods)

    async def status(self, _call: Call, request: Message) -> Message:
        """Return the state of a version, or of all; a label is ignored."""
        spec = read_any_spec(request)
        response = GetModelStatusResponse()
        for state in self._inference.status(spec.name, spec.version):
            version = response.model_version_status.add(version=state.version, state=state.state)
            version.status.error_code = state.code
            version.status.error_message = state.message
        return response

    async def reload(self, _call: Call, request: Message) -> Message:
        """Replace the configuration. `metric_names` is ignored: this server has no such metrics."""
        if self._reloader is None:
            text = "The models of this server are fixed: it was started without a configuration"
            raise StatusError(Code.UNIMPLEMENTED, text)
        if request.config.WhichOneof("config") != "model_config_list":
            text = (
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
            raise StatusError(Code.INVALID_ARGUMENT, text)
        await self._reloader.reload(read_config(request.config), self._reload_seconds)
        response = ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _admit_programs(call: Call) -> None:
    """Refuse a call sent by a web page."""
    problem = _ANY_HOST.problem({key: str(value) for key, value in call.metadata})
    if problem:
        raise StatusError(Code.PERMISSION_DENIED, problem)
