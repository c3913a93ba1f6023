"""The data plane, once: what every protocol face, batch job and warm-up calls.

`data_plane` runs requests on the models of a manager; `nouns` are what is asked and answered,
`example_jobs` what classify and regress do, `observing` what is told of each request, `pace` which
of them the event loop answers itself. Imported by protocols, clouds, container, monitoring and
warmup; it imports models, batching and runtime.
"""

from .data_plane import Decode, Inference, Servables, UnknownSignatureError, Way

__all__ = ["Decode", "Inference", "Servables", "UnknownSignatureError", "Way"]
