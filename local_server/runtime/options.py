"""How sessions are made, in words without TensorFlow: threads, devices, memory.

Source: tensorflow_serving/model_servers/server.cc (`Server::BuildAndStart`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cloudserve.modelfiles.kinds import SUFFIXES, Kind

from ..status import Code, StatusError
from .devices import parse_devices


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How sessions are made; raises StatusError (INVALID_ARGUMENT) for what cannot be.

    What is not given is the configuration file's, and else this server's choice.
    """

    parallelism: int = 0
    """Threads of an op and ops at a time; 0 where it is not given, like the two below."""
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    config_file: Path | None = None
    """A `ConfigProto` in text form."""
    gpu_memory_fraction: float = 0.0
    """The share of each GPU's memory that is taken at once, above 1 of unified memory; 0 takes
    what is needed when it is."""
    devices: tuple[str, ...] = ()
    """Where the replicas of each model stand: `cpu:0`, `gpu:1`, `gpu:all` or `all`; empty leaves
    one replica to TensorFlow, which takes the first GPU, else the CPU."""
    denied_ops: frozenset[str] = frozenset()
    """Ops that no model may have; see `denied_ops.read_denied_ops`."""

    op_libraries: tuple[Path, ...] = ()
    """Shared libraries of custom ops; those of CLOUDSERVE_OP_LIBRARIES where none is given."""

    def __post_init__(self) -> None:
        if self.parallelism > 0 < min(self.intra_op_threads, self.inter_op_threads):
            raise _invalid(
                "Either configure server_options.tensorflow_session_parallelism or "
                "(server_options.tensorflow_intra_op_parallelism, "
                "server_options.tensorflow_inter_op_parallelism) separately. "
                "You cannot configure all."
            )
        if not self.gpu_memory_fraction >= 0:
            raise _invalid(
                f"per_process_gpu_memory_fraction must not be {self.gpu_memory_fraction:g}."
            )
        parse_devices(self.devices)

    @property
    def threads(self) -> tuple[int, int]:
        """Return the threads of an op and the ops at a time; 0 where they are not given.

        Either of the two more exact options puts `parallelism` aside for both, as upstream.
        """
        if self.intra_op_threads > 0 or self.inter_op_threads > 0:
            return max(0, self.intra_op_threads), max(0, self.inter_op_threads)
        return max(0, self.parallelism), max(0, self.parallelism)


class FileRule(Enum):
    """Which models of one file are served."""

    NEVER = "SavedModels only"
    PREFER_TFLITE = "model.tflite in a version's folder, before the SavedModel"
    WITHOUT_SAVED_MODEL = "TensorFlow Lite and ONNX files where there is no SavedModel"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How models of one file are served."""

    rule: FileRule = FileRule.NEVER
    interpreters: int = 0
    """How many TensorFlow Lite interpreters each model may have; 0 is as many as the CPUs."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return the ends of the names of files that make a folder a version."""
        match self.rule:
            case FileRule.NEVER:
                return ()
            case FileRule.PREFER_TFLITE:
                return (Kind.TFLITE.usual_name,)
            case FileRule.WITHOUT_SAVED_MODEL:
                return SUFFIXES


def library_paths(words: str) -> tuple[Path, ...]:
    """Return the libraries of a comma-separated list."""
    return tuple(Path(word.strip()) for word in words.split(",") if word.strip())


def _invalid(message: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, message)
