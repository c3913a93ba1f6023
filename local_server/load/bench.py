"""One load test, from a URL or a path to a Result."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cloudserve.bench import process
from cloudserve.bench.child import ChildServer, child_server
from cloudserve.bench.result import Result
from cloudserve.bench.settings import Load, Settings
from cloudserve.bench.target import Target, parse_target
from cloudserve.errors import UserError
from cloudserve.hints import did_you_mean
from cloudserve.modelfiles.kinds import is_model_file
from cloudserve.savedmodel.signature import Signature, read_signature

from ..transport.loop import run
from .measurement.measurement import Measurement, Subject
from .measurement.slots import Wire
from .payloads import decode_bodies, generate, grpc_body, read_bodies, rest_body

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def bench(subject: str, load: Load, settings: Settings) -> Result:
    """Measure a server; see `cloudserve.bench.measure`."""
    path = Path(subject)
    if not path.is_dir() and not is_model_file(path):
        if settings.server_options:
            raise UserError("options of the server need a path", hint="give a SavedModel")
        return run(_measure(parse_target(subject), load, settings, None))
    with child_server(path, settings.server_options) as child:
        url = child.grpc if settings.use_grpc else child.rest
        if not url:
            raise UserError("the server has no gRPC port", hint="leave out --no-grpc")
        return run(_measure(parse_target(url), load, settings, child))


async def _measure(
    target: Target, load: Load, settings: Settings, child: ChildServer | None
) -> Result:
    wire = _wire(target, settings)
    try:
        signature, bodies = await _bodies(wire, target, settings)
        requests = [wire.prepare(body) for body in bodies]
        first = await wire.ask(requests[0])
        if first.failure:
            raise wire.refusal(first)
        size = sum(map(len, bodies)) // len(bodies)
        subject = Subject(target, signature, size, _processes(target, child))
        measurement = Measurement(load, subject, child)
        with _signals_call(measurement.interrupt) if settings.catch_signals else nullcontext():
            return await measurement.run(wire, requests)
    finally:
        await wire.close()


@contextmanager
def _signals_call(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _wire(target: Target, settings: Settings) -> Wire:
    headers = _headers(settings.auth_token_file)
    if target.is_grpc:
        from .grpc.calls import GrpcWire

        roots = settings.ca_file.read_bytes() if settings.ca_file else None
        return GrpcWire(target, headers, roots)
    from .rest import RestWire

    return RestWire(target, headers, _tls(settings.ca_file) if target.is_secure else None)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise UserError(
            f"the file has no certificates in PEM form: {error.reason}",
            where=str(ca_file),
            hint="give a file with -----BEGIN CERTIFICATE----- lines",
        ) from error


def _headers(token_file: Path | None) -> Mapping[str, str]:
    if token_file is None:
        return {}
    lines = (line.strip() for line in token_file.read_text().splitlines())
    token = next((line for line in lines if line and not line.startswith("#")), None)
    if token is None:
        raise UserError(
            "the file has no token",
            where=str(token_file),
            hint="write one token per line; lines with # are comments",
        )
    return {"Authorization": f"Bearer {token}"}


async def _bodies(wire: Wire, target: Target, settings: Settings) -> tuple[str, list[bytes]]:
    """Return the signature and the bodies of the requests."""
    name = settings.request.signature
    recorded = read_bodies(settings.payload) if settings.payload else []
    if recorded and not target.is_grpc:
        return name if target.model else "", recorded
    if not target.model:
        raise UserError(
            f"no request can be made up for `{target.url}`",
            hint="give http://HOST:PORT/v1/models/NAME, or a request: --payload FILE",
        )
    signature = await _signature(wire, target, name)
    if recorded:
        inputs = decode_bodies(recorded, signature, str(settings.payload))
    else:
        inputs = generate(signature, settings.request)
    if target.is_grpc:
        return name, [grpc_body(target, name, values) for values in inputs]
    return name, [rest_body(signature, values) for values in inputs]


async def _signature(wire: Wire, target: Target, name: str) -> Signature:
    definitions = (await wire.metadata()).signature_def
    if name not in definitions:
        raise UserError(
            f"the model has no signature {name!r}",
            where=target.url,
            hint=did_you_mean(name, sorted(definitions)),
        )
    return read_signature(name, definitions[name])


def _processes(target: Target, child: ChildServer | None) -> frozenset[int]:
    if child is not None:
        return frozenset({child.process.pid})
    return process.listeners(target.port) if target.is_local else frozenset()
