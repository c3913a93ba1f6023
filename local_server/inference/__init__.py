"""The data plane: the one entry of protocols, batch jobs and warm-up.

`requests` makes predict, classify, regress and multi-inference one kind of request, `types` are
their specs and answers. `data_plane` runs requests on the models of a manager: `serving` for an
event loop, `opened` in the calling thread; `slices` are the loop's work on requests of moderate
size. `observation` reports every request to observers, `latency` estimates which requests the event
loop may run itself. Imported by protocols, clouds, container, monitoring and warmup; it imports
models, batching and runtime.
"""

from .data_plane import Inference

__all__ = ["Inference"]
