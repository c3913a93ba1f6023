"""NaN and Infinity among numbers, for parsers without them.

Each is replaced by an unlikely number, and restored where the parser returned that number.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...runtime.types import Tensor

_NUMBERS = re.compile(rb"[-+.,0-9eE \t\n\rNaInfity\[\]]*+")
# Between spaces: adjacent digits would make another number.
_STANDS_FOR = (
    (b"-Inf", b" 7e-307 ", -np.inf),
    (b"Inf", b" 8e-307 ", np.inf),
    (b"NaN", b" 9e-307 ", np.nan),
)
_TAKEN = b"e-307"


def as_finite(text: bytes) -> bytes | None:
    """Return lists of numbers with placeholders for NaN and Infinity.

    None for a text without them, or with anything else in it.
    """
    if (b"N" not in text and b"I" not in text) or _TAKEN in text:
        return None
    if not _NUMBERS.fullmatch(text):
        return None
    text = text.replace(b"Infinity", b"Inf").replace(b"-NaN", b"NaN")
    for word, number, _ in _STANDS_FOR:
        text = text.replace(word, number)
    return text


def put_back(elements: Tensor, finite: bytes) -> Tensor:
    """Return doubles with NaN and Infinity restored, using their source text.

    Raises ValueError if the text contains one of the placeholders in another form.
    """
    whole: Tensor = elements.copy()
    for _, number, value in _STANDS_FOR:
        count = finite.count(number)
        places: Any = elements == float(number)
        if np.count_nonzero(places) != count:
            raise ValueError("the number that stands for another is meant")
        whole[places] = value
    return whole
