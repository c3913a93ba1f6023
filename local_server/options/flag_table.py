"""The flags of `cloudserve model-server`: tensorflow_model_server's, and some additions.

Source: tensorflow_serving/model_servers/main.cc, defaults from server.h. Flags that
have no meaning here are accepted and ignored, which is logged.
"""

from __future__ import annotations

from dataclasses import dataclass

FlagValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: its type is that of its default."""

    name: str
    default: FlagValue
    usage: str
    bits: int = 32
    """The size of an integer."""
    has_effect: bool = True


_NOTHING = False

FLAGS: tuple[Flag, ...] = (
    Flag("port", 8500, "TCP port to listen on for gRPC API. Disabled if port set to zero."),
    Flag(
        "grpc_socket_path", "", "If non-empty, listen to a UNIX socket for gRPC API on this path."
    ),
    Flag("rest_api_port", 0, "Port to listen on for HTTP/REST API. If set to zero it is disabled."),
    Flag("rest_api_num_threads", 0, "Threads that run requests. Zero: twice the CPUs."),
    Flag("rest_api_timeout_in_ms", 30000, "Timeout for HTTP/REST API calls."),
    Flag("rest_api_enable_cors_support", False, "Enable CORS headers in response."),
    Flag("enable_batching", False, "Enable batching."),
    Flag(
        "allow_version_labels_for_unavailable_models",
        False,
        "Allow a new label to name a version that is not available yet.",
    ),
    Flag("batching_parameters_file", "", "Read a BatchingParameters text proto from this file."),
    Flag(
        "enable_per_model_batching_parameters",
        False,
        "Read batching_params.pbtxt from each model's version folder.",
    ),
    Flag("model_config_file", "", "Read a ModelServerConfig text proto from this file."),
    Flag(
        "model_config_file_poll_wait_seconds",
        0,
        "Read model_config_file again at this interval. Zero: read it once.",
    ),
    Flag("model_name", "default", "Name of the model (ignored with model_config_file)."),
    Flag("model_base_path", "", "Path of the model's versions (ignored with model_config_file)."),
    Flag("num_load_threads", 0, "Threads that load and unload. Zero: four times the CPUs."),
    Flag(
        "num_unload_threads",
        0,
        "Ignored: loads and unloads share threads.",
        has_effect=_NOTHING,
    ),
    Flag("max_num_load_retries", 5, "Number of retries of a failed load."),
    Flag("load_retry_interval_micros", 60_000_000, "Time between attempts to load.", bits=64),
    Flag(
        "file_system_poll_wait_seconds",
        1,
        "Seconds between reads of the base paths. Zero: read once; negative: never.",
    ),
    Flag("flush_filesystem_caches", True, "Ignored: there are none.", has_effect=_NOTHING),
    Flag("tensorflow_session_parallelism", 0, "Sets both parallelism flags below.", bits=64),
    Flag("tensorflow_session_config_file", "", "Read a ConfigProto text proto from this file."),
    Flag("tensorflow_intra_op_parallelism", 0, "Threads per op. Zero: one.", bits=64),
    Flag(
        "tensorflow_inter_op_parallelism",
        0,
        "Ops that run in parallel, over all requests. Zero: one per request.",
        bits=64,
    ),
    Flag("use_alts_credentials", False, "Ignored: no Google ALTS.", has_effect=_NOTHING),
    Flag("ssl_config_file", "", "Read an SSLConfig text proto for the gRPC API from this file."),
    Flag("platform_config_file", "", "Platforms other than tensorflow.", has_effect=_NOTHING),
    Flag(
        "per_process_gpu_memory_fraction",
        0.0,
        "Fraction of each GPU's memory to allocate at start. Zero: allocate on demand.",
    ),
    Flag("saved_model_tags", "serve", "Comma-separated tags of the meta graph to load."),
    Flag("grpc_channel_arguments", "", "Comma-separated key=value arguments of the gRPC server."),
    Flag("grpc_max_threads", 0, "Ignored: the event loop has one thread.", has_effect=_NOTHING),
    Flag("enable_model_warmup", True, "Replay assets.extra/tf_serving_warmup_requests at load."),
    Flag("num_request_iterations_for_warmup", 0, "Replays of each record. Zero: one."),
    Flag("version", False, "Display version."),
    Flag("monitoring_config_file", "", "Read a MonitoringConfig text proto from this file."),
    Flag(
        "remove_unused_fields_from_bundle_metagraph",
        True,
        "Ignored: unused fields are never kept.",
        has_effect=_NOTHING,
    ),
    Flag(
        "prefer_tflite_model",
        False,
        "Serve model.tflite of a version's folder, if there is one, before the SavedModel.",
    ),
    Flag("num_tflite_pools", 0, "TensorFlow Lite interpreters of a model. Zero: the CPUs."),
    Flag(
        "num_tflite_interpreters_per_pool",
        1,
        "Ignored: interpreters do not batch by themselves.",
        has_effect=_NOTHING,
    ),
    Flag(
        "enable_signature_method_name_check",
        False,
        "Require that a signature's method_name matches the call.",
    ),
    Flag("xla_cpu_compilation_enabled", False, "XLA JIT on CPU.", has_effect=_NOTHING),
    Flag("xla_gpu_compilation_enabled", False, "XLA JIT on GPU.", has_effect=_NOTHING),
    Flag("enable_profiler", True, "TensorFlow's profiler service.", has_effect=_NOTHING),
    Flag("thread_pool_factory_config_file", "", "Thread pools of C++.", has_effect=_NOTHING),
    Flag("mixed_precision", "", "Mixed precision on TPU.", has_effect=_NOTHING),
    Flag("skip_initialize_tpu", False, "TPU.", has_effect=_NOTHING),
    Flag("enable_grpc_healthcheck_service", False, "Enable the standard gRPC health service."),
    Flag(
        "enable_serialization_as_tensor_content",
        False,
        "Answer predictions over gRPC as tensor_content.",
    ),
    # Beyond TensorFlow Serving.
    Flag("listen_address", "", "Address of the ports. Empty: every address of this machine."),
    Flag(
        "auth_token_file",
        "",
        "Require a bearer token of this file: one a line, # for comments. The file is read again "
        "when it changes.",
    ),
    Flag(
        "grpc_transport",
        "native",
        "native: this project's HTTP/2, which is faster; or grpcio.",
    ),
    Flag(
        "deny_ops",
        "none",
        "Refuse models with these ops: comma-separated names; scan for the ops that "
        "saved_model_cli scan reports, which read and write files; or none.",
    ),
    Flag(
        "rest_api_ssl_config_file",
        "",
        "Read an SSLConfig text proto for the HTTP/REST API from this file.",
    ),
    Flag(
        "rest_api_max_inflated_bytes",
        100 * 2**20,
        "Maximum size of an inflated gzip body; a larger one counts as empty.",
    ),
    Flag(
        "rest_api_max_json_values",
        2**22,
        "Maximum number of values in a JSON body, and half as many lists and objects. Regular "
        "arrays of plain numbers are unlimited.",
    ),
    Flag(
        "devices",
        "",
        "Comma-separated devices with a replica of each model: cpu:N, gpu:N, gpu:all or all. "
        "Empty: one replica, on the first GPU if there is one.",
    ),
    Flag(
        "custom_op_libraries",
        "",
        "Comma-separated shared libraries of custom ops. Empty: those of CLOUDSERVE_OP_LIBRARIES.",
    ),
    Flag(
        "request_log_dir",
        "",
        "Log requests and responses here: PredictionLog TFRecord files by model, of at most 1000 "
        "records, each of which can warm up a version. Empty: only models with a logging_config.",
    ),
    Flag("request_log_sampling_rate", 1.0, "Fraction of requests to log, from 0 to 1."),
    Flag(
        "request_log_max_bytes",
        2**30,
        "Maximum size of each model's log; the oldest files are deleted first.",
        bits=64,
    ),
    Flag(
        "record",
        "",
        "Record predictions in this golden file, or in a folder with a file for each model. "
        "Empty: nothing is recorded.",
    ),
    Flag("record_rate", 1.0, "Fraction of requests to record, from 0 to 1."),
    Flag("record_most", 1000, "Maximum number of examples of each signature of a version."),
    Flag(
        "record_redact",
        "",
        "Comma-separated rules for what is written: drop:NAME, hash:NAME, round:NAME:DIGITS.",
    ),
    Flag("record_errors", False, "Record requests that the model refuses, too."),
    Flag(
        "strict_startup",
        True,
        "Open the ports when every model is available, and exit if one fails. "
        "False: open them immediately.",
    ),
    Flag(
        "enable_console",
        False,
        "Show browsers a console at / of the HTTP/REST API, and describe the models at "
        "/openapi.json and /docs.",
    ),
    Flag(
        "enable_otel",
        False,
        "Trace requests by OpenTelemetry, and export the spans as its variables OTEL_... say.",
    ),
    Flag("drain_seconds", 10, "Seconds for requests in flight at shutdown."),
    Flag("reload_timeout_seconds", 300, "Timeout of a ReloadConfig. Zero: none."),
    Flag("pretty_json", False, "Format REST responses as tensorflow_model_server does."),
    Flag("log_format", "text", "text, or json: one object per line."),
)
