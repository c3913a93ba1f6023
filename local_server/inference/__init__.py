"""The data plane: the one entry of protocols, batch jobs and warm-up.

`data_plane` runs requests on the models of a manager; `types` are requests and results,
`example_requests` runs classify and regress, `observation` reports every request to observers,
`latency` estimates which requests the event loop may run itself. Imported by protocols, clouds,
container, monitoring and warmup; it imports models, batching and runtime.
"""

from .data_plane import Decode, ExecutionMode, Inference, Servables, UnknownSignatureError

__all__ = ["Decode", "ExecutionMode", "Inference", "Servables", "UnknownSignatureError"]
