"""What reading and writing JSON costs, beside bare orjson and json in the same run.

Run by `make bench-codecs`; not collected by pytest. Times are the least of several repeats, in
microseconds; ratios are what to compare between machines.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable

import numpy as np
import orjson
from cloudserve.local_server.codecs.json.layout import COMPACT, PRETTY
from cloudserve.local_server.codecs.request import parse_request

from cloudserve.savedmodel.signature import Signature, TensorSpec

REPEATS = 5
SHAPES = ((1, 10), (1, 784), (16, 784), (32, 784), (64, 784), (1, 224, 224, 3))
SIGNATURE = Signature("s", "", (TensorSpec("x", "x:0", "float32", None),), ())


def microseconds(work: Callable[[], object]) -> float:
    """Return the least time of a call."""
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    return min(timer.repeat(REPEATS, number)) / number * 1e6


def reading(shape: tuple[int, ...]) -> dict[str, float]:
    """Return what it costs to make an array of a request's floats, by the way taken."""
    rows = np.random.default_rng(0).random(shape, np.float32)
    body = orjson.dumps({"instances": rows}, option=orjson.OPT_SERIALIZE_NUMPY)
    objects = b'{"instances": [%b]}' % b",".join(
        b'{"x": %b}' % orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in rows
    )
    return {
        "cloudserve": microseconds(lambda: parse_request(body).decode(SIGNATURE)),
        "cloudserve, objects": microseconds(lambda: parse_request(objects).decode(SIGNATURE)),
        "orjson and numpy": microseconds(
            lambda: np.array(orjson.loads(body)["instances"], np.float32)
        ),
        "json and numpy": microseconds(lambda: np.array(json.loads(body)["instances"], np.float32)),
    }


def writing(shape: tuple[int, ...]) -> dict[str, float]:
    """Return what it costs to write an array of floats as an answer."""
    array = np.random.default_rng(0).random(shape, np.float32)
    holed = array.copy()
    holed.flat[0] = np.nan
    return {
        "cloudserve": microseconds(lambda: COMPACT.rows({"y": array})),
        "cloudserve, a NaN": microseconds(lambda: COMPACT.rows({"y": holed})),
        "cloudserve, pretty": microseconds(lambda: PRETTY.rows({"y": array})),
        "orjson": microseconds(
            lambda: orjson.dumps({"predictions": array}, option=orjson.OPT_SERIALIZE_NUMPY)
        ),
        "json": microseconds(lambda: json.dumps({"predictions": array.tolist()})),
    }


def show(title: str, figures: dict[str, float]) -> None:
    """Print times, and how many times cloudserve's each is."""
    own = figures["cloudserve"]
    sys.stdout.write(f"{title}\n")
    for name, time in figures.items():
        sys.stdout.write(f"  {name:22} {time:12,.1f} us  {time / own:6.2f} x\n")


def main() -> None:
    """Print the figures."""
    for shape in SHAPES:
        show(f"read {'x'.join(map(str, shape))} floats", reading(shape))
    for shape in ((1, 10), (64, 10), (64, 1000)):
        show(f"write {'x'.join(map(str, shape))} floats", writing(shape))


if __name__ == "__main__":
    main()
