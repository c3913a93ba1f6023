"""TensorFlow's `ConfigProto` from a server's options."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.textproto import parse_text_file
from ..messages import Message, message_class
from .devices import Device, count_cpus
from .options import SessionOptions

# On small batches more threads an op make a call two to three times slower: requests are what runs
# in parallel.
_INTRA_OP_THREADS = 1


def read_config(options: SessionOptions) -> Message:
    """Return the options' `ConfigProto`, with 0 where the server is to choose.

    The flags go before the file where they are given. (Upstream overwrites the file's threads and
    memory fraction with the flags' zeros; a file that says them means them.) Raises StatusError
    for a file that is missing, or is no ConfigProto.
    """
    message = message_class("tensorflow.ConfigProto")
    file = options.config_file
    config = parse_text_file(file, message) if file else message()
    intra, inter = options.threads
    config.intra_op_parallelism_threads = intra or config.intra_op_parallelism_threads
    config.inter_op_parallelism_threads = inter or config.inter_op_parallelism_threads
    gpus = config.gpu_options
    if options.gpu_memory_fraction:
        gpus.per_process_gpu_memory_fraction = options.gpu_memory_fraction
    elif not gpus.per_process_gpu_memory_fraction:
        gpus.allow_growth = True
    return config


def session_config(base: Message, devices: Sequence[Device]) -> Message:
    """Complete a `ConfigProto` for sessions that see these devices.

    Placement is soft: of a model pinned to a GPU, or exported with one if there is none now,
    the ops that cannot run there run on a CPU.
    """
    config = type(base)()
    config.CopyFrom(base)
    config.intra_op_parallelism_threads = base.intra_op_parallelism_threads or _INTRA_OP_THREADS
    config.allow_soft_placement = True
    cpus = count_cpus(devices)
    if cpus > config.device_count.get("CPU", 1):
        config.device_count["CPU"] = cpus
    return config
