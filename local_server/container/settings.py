"""Settings of a container, read from its environment variables and checked as in the image.

Source: serve.py (`ServiceManager.__init__`), tfs_utils.py (`create_batching_config`),
python_service.py. The variables in `IGNORED` tune processes that the offline container does
not have; they are accepted and have no effect.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from cloudserve.errors import ModelError

from ..batching.parameters import BatchingParameters

logger = logging.getLogger(__name__)

IGNORED = (
    "SAGEMAKER_TFS_INTER_OP_PARALLELISM",
    "SAGEMAKER_TFS_INTRA_OP_PARALLELISM",
    "SAGEMAKER_TFS_FRACTIONAL_GPU_MEM_MARGIN",
    "SAGEMAKER_GUNICORN_THREADS",
    "SAGEMAKER_GUNICORN_WORKER_CLASS",
)
_BATCH_TRANSFORM_QUEUE = 100_000_000
_PORTS = "1124-2220"
"""The default for the port range that SageMaker sets in a multi-model container."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A container's settings."""

    default_model: str | None = None
    """SAGEMAKER_TFS_DEFAULT_MODEL_NAME; None selects the first model of the tree."""
    batching: BatchingParameters | None = None
    wait_seconds: int = 55
    """The load timeout of a model in a multi-model container."""
    workers: int = 1
    """The number of processes that run `inference.py`."""
    answer_seconds: int = 60
    """The timeout of a request to `inference.py` (nginx's read timeout)."""
    multi_model: bool = False
    capacity: int = 0
    """The number of models for which a multi-model container has ports."""
    universal: tuple[str, str] | None = None
    """Bucket and prefix of an `inference.py` shared by all models."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read a container's variables; raises ModelError if the container would not start."""
    multi_model = _flag(environment, "SAGEMAKER_MULTI_MODEL")
    instances = _number(environment, "SAGEMAKER_TFS_INSTANCE_COUNT", 1)
    timeout = _number(environment, "SAGEMAKER_GUNICORN_TIMEOUT_SECONDS", 30)
    read_timeout = _number(environment, "SAGEMAKER_NGINX_PROXY_READ_TIMEOUT_SECONDS", 60)
    default = environment.get("SAGEMAKER_TFS_DEFAULT_MODEL_NAME", "None")
    for name in IGNORED:
        if name in environment:
            logger.warning("%s has no effect offline", name)
    return Settings(
        default_model=None if default == "None" else default,
        batching=_batching(environment),
        wait_seconds=_number(environment, "SAGEMAKER_TFS_WAIT_TIME_SECONDS", 55 // instances),
        workers=_number(environment, "SAGEMAKER_GUNICORN_WORKERS", 1),
        # nginx waits at least as long as gunicorn.
        answer_seconds=max(timeout, read_timeout),
        multi_model=multi_model,
        capacity=_capacity(environment, instances) if multi_model else 0,
        universal=_universal(environment),
    )


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise ModelError(f"{name} must be 'true' or 'false'")
    return value == "true"


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    try:
        number = int(text)
    except ValueError:
        raise ModelError(f"{name} is not a whole number: {text!r}") from None
    if number < 1:
        raise ModelError(f"{name} is less than 1: {number}")
    return number


def _batching(environment: Mapping[str, str]) -> BatchingParameters | None:
    if not _flag(environment, "SAGEMAKER_TFS_ENABLE_BATCHING"):
        return None
    cpus = os.cpu_count() or 1
    # Batch transform itself limits the requests.
    queue = _BATCH_TRANSFORM_QUEUE if "SAGEMAKER_BATCH" in environment else cpus
    return BatchingParameters(
        max_batch_size=_number(environment, "SAGEMAKER_TFS_MAX_BATCH_SIZE", 8),
        batch_timeout_micros=_number(environment, "SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS", 1000),
        num_batch_threads=_number(environment, "SAGEMAKER_TFS_NUM_BATCH_THREADS", cpus),
        max_enqueued_batches=_number(environment, "SAGEMAKER_TFS_MAX_ENQUEUED_BATCHES", queue),
    )


def _capacity(environment: Mapping[str, str], instances: int) -> int:
    """Return how many models have ports: REST uses half of nine tenths of the range."""
    text = environment.get("SAGEMAKER_SAFE_PORT_RANGE", _PORTS)
    low, dash, high = text.partition("-")
    if not (dash and low.isdecimal() and high.isdecimal() and int(low) < int(high)):
        raise ModelError(f"SAGEMAKER_SAFE_PORT_RANGE is not LOW-HIGH: {text!r}")
    upper = int(low) + int((int(high) - int(low)) * 0.9)
    rest_ports = (int(low) + upper) // 2 - int(low)
    return rest_ports // instances


def _universal(environment: Mapping[str, str]) -> tuple[str, str] | None:
    bucket = environment.get("SAGEMAKER_MULTI_MODEL_UNIVERSAL_BUCKET")
    prefix = environment.get("SAGEMAKER_MULTI_MODEL_UNIVERSAL_PREFIX")
    return (bucket, prefix) if bucket and prefix else None
