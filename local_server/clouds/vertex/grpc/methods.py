"""The gRPC methods of aiplatform v1, as the installed google-cloud-aiplatform declares them.

Nothing is imported before the first call: the package takes seconds.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ....status import Code, StatusError
from ....transport.grpc_types import Message

PACKAGE: Final = "google.cloud.aiplatform.v1."
_SDK: Final = "google.cloud.aiplatform_v1"
_MIXINS: Final = {
    "google.longrunning.Operations": "google.longrunning.operations_pb2",
    "google.iam.v1.IAMPolicy": "google.iam.v1.iam_policy_pb2",
    "google.cloud.location.Locations": "google.cloud.location.locations_pb2",
}
"""Services that every API has, and the modules that declare them."""
_HOME: Final = "EndpointService"
"""The service whose REST transport has the URLs of the mixins; they are the same in all."""
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MISSING: Final = (
    "The offline Vertex AI answers gRPC with the message types of google-cloud-aiplatform, which is"
    " not installed beside cloudserve: install it, or use the REST transport."
)


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """A gRPC method: its messages, and the REST requests that it stands for."""

    path: str
    request: Message
    response: Message
    http: Sequence[Mapping[str, str]]
    """The bindings of its `google.api.http` annotation; none if it is gRPC's alone."""
    takes_stream: bool = False


class Methods:
    """The methods by their paths, read from the SDK service by service."""

    def __init__(self) -> None:
        self._services: dict[str, Mapping[str, RpcMethod]] = {}
        self._lock = threading.Lock()

    def known(self, path: str) -> RpcMethod | None:
        """Return a method of a service that was loaded before."""
        return self._services.get(_service_of(path), {}).get(path)

    def find(self, path: str) -> RpcMethod:
        """Return the method of a path, `/package.Service/Method`. Blocks.

        Raises StatusError UNIMPLEMENTED for an unknown method, or without the SDK.
        """
        name = _service_of(path)
        with self._lock:
            if name not in self._services:
                self._services[name] = _load(name)
        method = self._services[name].get(path)
        if method is None:
            raise StatusError(Code.UNIMPLEMENTED, "Method not found!")
        return method


def _service_of(path: str) -> str:
    return path[1:].partition("/")[0]


def _load(name: str) -> Mapping[str, RpcMethod]:
    try:
        importlib.import_module(_SDK)
    except ImportError as error:
        raise StatusError(Code.UNIMPLEMENTED, _MISSING) from error
    return _mixin(name) if name in _MIXINS else _service(name.removeprefix(PACKAGE))


def _service(name: str) -> Mapping[str, RpcMethod]:
    """Return the methods of a service of aiplatform v1; none if the SDK does not have it."""
    transport = _transport(name, "grpc", f"{name}GrpcTransport")
    bindings = _bindings(name)
    if transport is None:
        return {}
    prefix = f"/{PACKAGE}{name}/"
    recorded = _recorded(transport)
    return {
        path: _method(path, each, bindings(path.removeprefix(prefix)))
        for path, each in recorded.items()
        if path.startswith(prefix)
    }


def _mixin(name: str) -> Mapping[str, RpcMethod]:
    from google.protobuf.message_factory import GetMessageClass

    module = importlib.import_module(_MIXINS[name])
    service = module.DESCRIPTOR.services_by_name[name.rpartition(".")[2]]
    bindings = _bindings(_HOME)
    return {
        f"/{name}/{method.name}": RpcMethod(
            f"/{name}/{method.name}",
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
            bindings(method.name),
        )
        for method in service.methods
    }


def _transport(service: str, module: str, name: str) -> Any:
    """Return a class of a service's transports; None if the SDK does not have the service."""
    folder = _WORD.sub("_", service).lower()
    try:
        found = importlib.import_module(f"{_SDK}.services.{folder}.transports.{module}")
    except ModuleNotFoundError:
        return None
    return getattr(found, name)


def _bindings(service: str) -> Callable[[str], Sequence[Mapping[str, str]]]:
    """Return a function from a method's name to its REST requests."""
    rest = _transport(service, "rest_base", f"_Base{service}RestTransport")

    def of(method: str) -> Sequence[Mapping[str, str]]:
        declared = getattr(rest, f"_Base{method}", None)
        options = getattr(declared, "_get_http_options", None)
        return options() if options else ()

    return of


@dataclass(frozen=True, slots=True)
class _Declared:
    """A method as the SDK's transport declares it to its channel."""

    serialize: Any
    deserialize: Any
    takes_stream: bool


def _recorded(transport: Any) -> Mapping[str, _Declared]:
    """Return the methods that a transport of the SDK declares when it is made.

    The transport gets a channel that connects to nothing.
    """
    import grpc

    declared: dict[str, _Declared] = {}

    def declare(*, takes_stream: bool) -> Callable[..., Callable[..., None]]:
        def multi_callable(
            _: object, path: str, request_serializer: Any, response_deserializer: Any, **_more: Any
        ) -> Callable[..., None]:
            declared[path] = _Declared(request_serializer, response_deserializer, takes_stream)
            return lambda *_arguments, **_keywords: None

        return multi_callable

    unary, streaming = declare(takes_stream=False), declare(takes_stream=True)
    nothing = dict.fromkeys(
        ("subscribe", "unsubscribe", "close", "__enter__", "__exit__"), lambda *_: None
    )
    calls = {"unary_unary": unary, "unary_stream": unary}
    calls |= {"stream_unary": streaming, "stream_stream": streaming}
    channel = type("Channel", (grpc.Channel,), nothing | calls)()
    # Its own channel logs calls, and declares a method to ours at the first call only.
    kept = property(lambda _: channel, lambda *_: None)
    type("Transport", (transport,), {"_logged_channel": kept})(channel=channel)
    return declared


def _method(path: str, declared: _Declared, http: Sequence[Mapping[str, str]]) -> RpcMethod:
    return RpcMethod(
        path,
        _class_of(declared.serialize),
        _class_of(declared.deserialize),
        http,
        declared.takes_stream,
    )


def _class_of(function: Any) -> Message:
    """Return the protobuf class whose `FromString`, or proto-plus class whose method, this is."""
    owner = function.__self__
    pb = getattr(owner, "pb", None)
    return owner if pb is None else type(pb(owner()))
