"""The devices that replicas of a model stand on, from words to TensorFlow's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..status import Code, FileStatusError

_DEVICE = re.compile(r"(cpu|gpu):([0-9]{1,3})", re.IGNORECASE)
_CPU, _GPU = "CPU", "GPU"
_ALL_GPUS, _EVERYTHING = "gpu:all", "all"
# TensorFlow makes as many CPU devices as it is asked for; each costs memory.
_MOST_CPUS = 64


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this process, as TensorFlow counts them."""

    kind: str
    """`CPU` or `GPU`."""
    index: int

    @property
    def name(self) -> str:
        """Return TensorFlow's name: `/device:GPU:0`."""
        return f"/device:{self.kind}:{self.index}"

    def __str__(self) -> str:
        return f"{self.kind.lower()}:{self.index}"


def parse_devices(words: Iterable[str]) -> tuple[Device | None, ...]:
    """Read devices; None stands for all GPUs.

    Raises FileStatusError (INVALID_ARGUMENT) for what is not a device, and for one named twice.
    """
    devices = tuple(map(_parse, words))
    twice = next((device for device in devices if devices.count(device) > 1), None)
    if twice or devices.count(None) > 1:
        raise _invalid(f"the device {twice or _ALL_GPUS} is named twice")
    return devices


def find_devices(words: Sequence[str], names: Callable[[], Sequence[str]]) -> tuple[Device, ...]:
    """Return the devices that words name and this machine has; none for no words.

    `all` is every GPU, or the CPU if there is none. `names` gives TensorFlow's names of the
    devices that it sees; it is asked if there are words. Raises FileStatusError
    (FAILED_PRECONDITION) for a missing GPU.
    """
    gpus = tuple(_gpus(names())) if words else ()
    chosen: list[Device] = []
    for word, device in zip(words, parse_devices(words), strict=True):
        if device is None:
            chosen += gpus or _without_gpus(word)
        elif device.kind == _GPU and device not in gpus:
            raise _missing(f"there is no {device}; TensorFlow sees {_list(gpus)}")
        else:
            chosen.append(device)
    return tuple(dict.fromkeys(chosen))


def count_cpus(devices: Iterable[Device]) -> int:
    """Return how many CPU devices TensorFlow has to make; one is always there."""
    return max((device.index for device in devices if device.kind == _CPU), default=0) + 1


def is_on_cpu(name: str) -> bool:
    """Return whether a graph's device name, in any of TensorFlow's spellings, is a CPU's."""
    return "cpu:" in name.lower()


def _parse(word: str) -> Device | None:
    text = word.strip().lower()
    if text in {_ALL_GPUS, _EVERYTHING}:
        return None
    match = _DEVICE.fullmatch(text)
    if match is None:
        raise _invalid(f"{word!r} is not a device; name cpu:N, gpu:N, {_ALL_GPUS} or {_EVERYTHING}")
    device = Device(match[1].upper(), int(match[2]))
    if device.kind == _CPU and device.index >= _MOST_CPUS:
        raise _invalid(f"{device} is out of range: there may be {_MOST_CPUS} CPU devices")
    return device


def _gpus(names: Iterable[str]) -> Iterator[Device]:
    for name in names:
        kind, _, index = name.rpartition("device:")[2].partition(":")
        if kind == _GPU:
            yield Device(_GPU, int(index))


def _without_gpus(word: str) -> tuple[Device, ...]:
    if word.strip().lower() == _ALL_GPUS:
        raise _missing(f"{_ALL_GPUS} is asked for, and TensorFlow sees no GPU")
    return (Device(_CPU, 0),)


def _list(gpus: Sequence[Device]) -> str:
    return ", ".join(map(str, gpus)) or "no GPU"


def _invalid(message: str) -> FileStatusError:
    return FileStatusError(Code.INVALID_ARGUMENT, message)


def _missing(message: str) -> FileStatusError:
    return FileStatusError(Code.FAILED_PRECONDITION, message)
