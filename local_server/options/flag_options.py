"""Flags to server options, checked with TensorFlow Serving's texts.

Source: tensorflow_serving/model_servers/server.cc (`Server::BuildAndStart`).
"""

from __future__ import annotations

import logging
from pathlib import Path

from cloudserve.golden.recording import Recording, recording

from ..codecs.limits import JsonLimits
from ..config import ModelConfig, ModelServerConfig
from ..models import Retry
from ..monitoring.log_options import LEAST_LOG_BYTES, LogLimits, RequestLogOptions
from ..runtime.loading.denied_ops import read_denied_ops
from ..runtime.options import FileOptions, FileRule, SessionOptions, library_paths
from ..status import Code, StatusError
from .flags import FlagValues
from .server_options import (
    Address,
    BatchingOptions,
    GrpcOptions,
    GrpcTransport,
    RestOptions,
    ServerOptions,
    Startup,
)

logger = logging.getLogger(__name__)

_MICROS = 1e-6
_MILLIS = 1e-3
_PORTS = range(65536)


def flag_options(flags: FlagValues) -> ServerOptions:
    """Return the options that flags describe.

    Raises StatusError (INVALID_ARGUMENT) with TensorFlow Serving's texts for invalid ones,
    UserError for an invalid rule of redaction.
    """
    _check(flags)
    ignored = flags.without_effect()
    if ignored:
        logger.warning(
            "ignored, no effect in this server: %s", ", ".join(f"--{name}" for name in ignored)
        )
    file = _path(flags, "model_config_file")
    return ServerOptions(
        config=ModelServerConfig() if file else _single_model(flags),
        config_file=file,
        config_poll_seconds=flags.number("model_config_file_poll_wait_seconds"),
        rest=_rest(flags),
        grpc=_grpc(flags),
        startup=Startup.EVERY if flags.is_on("strict_startup") else Startup.AT_ONCE,
        poll_seconds=flags.number("file_system_poll_wait_seconds"),
        retry=Retry(
            flags.number("max_num_load_retries"),
            flags.number("load_retry_interval_micros") * _MICROS,
        ),
        tags=tuple(flags.text("saved_model_tags").split(",")),
        load_threads=_positive(flags.number("num_load_threads")),
        request_threads=_positive(flags.number("rest_api_num_threads")),
        labels_may_wait=flags.is_on("allow_version_labels_for_unavailable_models"),
        check_methods=flags.is_on("enable_signature_method_name_check"),
        batching=_batching(flags),
        session=_session(flags),
        files=_files(flags),
        warmup_iterations=_warmup_iterations(flags),
        monitoring_config_file=_path(flags, "monitoring_config_file"),
        request_log=_request_log(flags),
        recording=_recording(flags),
        otel=flags.is_on("enable_otel"),
        auth_token_file=_path(flags, "auth_token_file"),
        drain_seconds=flags.number("drain_seconds"),
        reload_seconds=_positive(flags.number("reload_timeout_seconds")),
    )


def _check(flags: FlagValues) -> None:
    checks: dict[str, object] = {
        "At least one of server_options.grpc_port or server_options.grpc_socket_path "
        "must be set.": flags.number("port") or flags.text("grpc_socket_path"),
        "Either use_alts_credentials must be false or ssl_config_file must be empty.": not (
            flags.is_on("use_alts_credentials") and flags.text("ssl_config_file")
        ),
        "Both server_options.model_base_path and server_options.model_config_file are empty!": (
            flags.text("model_base_path") or flags.text("model_config_file")
        ),
        "server_options.batching_parameters_file is set without setting "
        "server_options.enable_batching to true.": (
            flags.is_on("enable_batching") or not flags.text("batching_parameters_file")
        ),
    }
    for name in ("rest_api_max_inflated_bytes", "rest_api_max_json_values"):
        checks[f"--{name} must be more than 0"] = flags.number(name) > 0
    # gRPC's library takes a port modulo 65536.
    for name in ("port", "rest_api_port"):
        port = flags.number(name)
        checks[f"--{name}={port} is not a port: choose one of 1 to 65535"] = port in _PORTS
    for message, holds in checks.items():
        if not holds:
            raise StatusError(Code.INVALID_ARGUMENT, message)


def _single_model(flags: FlagValues) -> ModelServerConfig:
    return ModelServerConfig(
        (ModelConfig(flags.text("model_name"), flags.text("model_base_path")),)
    )


def _rest(flags: FlagValues) -> RestOptions | None:
    port = flags.number("rest_api_port")
    if not port:
        return None
    if port == flags.number("port"):
        logger.error(
            "--rest_api_port cannot be same as --port. Please use a different port for HTTP/REST "
            "API. Skipped exporting HTTP/REST API."
        )
        return None
    millis = flags.number("rest_api_timeout_in_ms")
    return RestOptions(
        Address(flags.text("listen_address") or "::", port),
        seconds=millis * _MILLIS if millis > 0 else None,
        cors=flags.is_on("rest_api_enable_cors_support"),
        ssl_config_file=_path(flags, "rest_api_ssl_config_file"),
        pretty=flags.is_on("pretty_json"),
        openapi=flags.is_on("enable_console"),
        console=flags.is_on("enable_console"),
        limits=JsonLimits(
            inflated_bytes=flags.number("rest_api_max_inflated_bytes"),
            values=flags.number("rest_api_max_json_values"),
        ),
    )


def _grpc(flags: FlagValues) -> GrpcOptions:
    port = flags.number("port")
    return GrpcOptions(
        Address(flags.text("listen_address") or "0.0.0.0", port) if port else None,  # noqa: S104  as TensorFlow Serving
        socket_path=_path(flags, "grpc_socket_path"),
        ssl_config_file=_path(flags, "ssl_config_file"),
        health=flags.is_on("enable_grpc_healthcheck_service"),
        tensor_content=flags.is_on("enable_serialization_as_tensor_content"),
        transport=_grpc_transport(flags.text("grpc_transport")),
        channel_arguments=_channel_arguments(flags.text("grpc_channel_arguments")),
    )


def _grpc_transport(text: str) -> GrpcTransport:
    try:
        return GrpcTransport(text)
    except ValueError:
        known = " or ".join(each.value for each in GrpcTransport)
        message = f"grpc_transport must be {known}; was {text}"
        raise StatusError(Code.INVALID_ARGUMENT, message) from None


def _channel_arguments(text: str) -> dict[str, int | str]:
    """Parse `k=v,k=v`; a numeric value becomes an integer."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {key: int(value) if value.lstrip("-").isdecimal() else value for key, _, value in pairs}


def _batching(flags: FlagValues) -> BatchingOptions | None:
    if not flags.is_on("enable_batching"):
        return None
    return BatchingOptions(
        _path(flags, "batching_parameters_file"),
        per_model=flags.is_on("enable_per_model_batching_parameters"),
    )


def _session(flags: FlagValues) -> SessionOptions:
    words = flags.text("devices")
    return SessionOptions(
        parallelism=flags.number("tensorflow_session_parallelism"),
        intra_op_threads=flags.number("tensorflow_intra_op_parallelism"),
        inter_op_threads=flags.number("tensorflow_inter_op_parallelism"),
        config_file=_path(flags, "tensorflow_session_config_file"),
        gpu_memory_fraction=flags.fraction("per_process_gpu_memory_fraction"),
        devices=tuple(words.split(",")) if words else (),
        denied_ops=read_denied_ops(flags.text("deny_ops")),
        op_libraries=library_paths(flags.text("custom_op_libraries")),
    )


def _files(flags: FlagValues) -> FileOptions:
    rule = FileRule.PREFER_TFLITE if flags.is_on("prefer_tflite_model") else FileRule.NEVER
    return FileOptions(rule, max(0, flags.number("num_tflite_pools")))


def _request_log(flags: FlagValues) -> RequestLogOptions:
    rate, most = flags.fraction("request_log_sampling_rate"), flags.number("request_log_max_bytes")
    if not 0 <= rate <= 1:
        text = f"request_log_sampling_rate must be between 0 and 1; was {rate:g}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    if most < LEAST_LOG_BYTES:
        text = f"request_log_max_bytes must be at least {LEAST_LOG_BYTES}; was {most}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    directory = _path(flags, "request_log_dir")
    return RequestLogOptions(directory, rate, LogLimits(total_bytes=most))


def _recording(flags: FlagValues) -> Recording | None:
    rate, most = flags.fraction("record_rate"), flags.number("record_most")
    if not 0 <= rate <= 1:
        text = f"record_rate must be between 0 and 1; was {rate:g}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    if most < 1:
        raise StatusError(Code.INVALID_ARGUMENT, f"record_most must be at least 1; was {most}")
    rules = flags.text("record_redact")
    return recording(
        flags.text("record"),
        rate=rate,
        most=most,
        redact=tuple(rules.split(",")) if rules else (),
        errors=flags.is_on("record_errors"),
    )


def _warmup_iterations(flags: FlagValues) -> int:
    if not flags.is_on("enable_model_warmup"):
        return 0
    return max(flags.number("num_request_iterations_for_warmup"), 1)


def _path(flags: FlagValues, name: str) -> Path | None:
    text = flags.text(name)
    return Path(text) if text else None


def _positive(number: int) -> int | None:
    return number if number > 0 else None
