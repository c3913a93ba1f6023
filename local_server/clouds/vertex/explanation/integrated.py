"""Integrated gradients: the gradients of an output along the line from a baseline to the instance.

Source: aiplatform v1, IntegratedGradientsAttribution (https://arxiv.org/abs/1703.01365); Vertex AI,
"Improve feature-based explanations", for the error, which compares the sum of the attributions with
the difference of the two outputs. That it is relative to the difference, and that the integral is
approximated at the nodes of Gauss and Legendre, is our reading: the service's values may differ by
the errors of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[np.floating]]
Gradients = Callable[[Arrays], Arrays]
"""Returns the gradients of the explained output at points: arrays with one row for each point."""


def integrated_gradients(
    gradients: Gradients, instance: Arrays, baseline: Arrays, steps: int
) -> Mapping[str, npt.NDArray[np.float64]]:
    """Return the attributions of each input, in its shape."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    places = (nodes + 1) / 2
    points = {
        name: _line(baseline[name], value, places).astype(value.dtype)
        for name, value in instance.items()
    }
    found = gradients(points)
    return {
        name: (value - baseline[name]).astype(np.float64)
        * np.tensordot(weights / 2, found[name].astype(np.float64), axes=1)
        for name, value in instance.items()
    }


def _line(
    begin: npt.NDArray[np.floating], end: npt.NDArray[np.floating], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return points on the line between two arrays, one row for each place from 0 to 1."""
    way = places.reshape(-1, *[1] * end.ndim)
    return begin[None] + way * (end - begin)[None]
