"""The client of a model, the same for every target.

    Client, AsyncClient   predictions of a server, a target of the project, or a directory
    Answer                outputs as arrays, and the version that answered
    Access, Retry         tokens and certificates; what is sent again, and when
    Weights               client-side A/B: shares of versions, sticky by a key
    Mirror                copies of requests to a second client, and their differences
    example               a serialized tf.Example of a mapping

A prediction is a `conversation`: a generator that knows the payload, its limits and its retries,
and yields steps. A `Channel` performs steps over one transport, in threads or on an event loop.
Programs import this package through `cloudserve`; inside the project `cli`, `golden` and `mlflow`
may import it, and `local_server.run` takes the forms of array files from `payloads`. It imports no
cloud's SDK: targets are reached through the registry.
"""

from cloudserve.client.answer import Answer
from cloudserve.client.async_client import AsyncClient
from cloudserve.client.client import Client
from cloudserve.client.mirror import Mirror, MirrorReport
from cloudserve.client.payloads.examples import example
from cloudserve.client.retry import Retry
from cloudserve.client.transports.access import Access
from cloudserve.client.weights import Weights

__all__ = [
    "Access",
    "Answer",
    "AsyncClient",
    "Client",
    "Mirror",
    "MirrorReport",
    "Retry",
    "Weights",
    "example",
]
