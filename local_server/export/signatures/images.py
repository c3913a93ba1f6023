"""A signature of encoded images in front of a model that takes pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cloudserve.errors import UserError
from cloudserve.local.model_export import ImageInput

from ...runtime.types import Tensor
from ..served import Served

IMAGE_SIGNATURE = IMAGE_ALIAS = "image_bytes"
_CHANNELS = 3
_SAMPLE_SIDES = (24, 16)


def of_images(tf: Any, served: Served, image: ImageInput) -> Served:
    """Return a model's signature behind a decoder of images, in the size that it takes.

    Raises UserError for a model that takes no images.
    """
    spec = served.specs[0]
    shape = spec.shape.as_list() if spec.shape.rank else []
    if len(served.specs) != 1 or len(shape) not in {_CHANNELS, _CHANNELS + 1}:
        raise UserError(
            f"the model takes no images: its input is {spec.dtype.name}{shape}",
            hint="leave --image-bytes out",
        )
    height, width = image.height or shape[1], image.width or shape[2]
    channels = shape[3] if len(shape) > _CHANNELS else 1
    if not height or not width:
        raise UserError("the size of the images is open", hint="give --image-size HEIGHTxWIDTH")
    resize = _resize(tf, image, height, width)

    def decode(data: Any) -> Any:
        pixels = tf.io.decode_image(data, channels=channels, expand_animations=False)
        pixels = tf.ensure_shape(pixels, [None, None, channels])
        scaled = tf.cast(resize(pixels) / image.scale - image.offset, spec.dtype)
        return scaled if len(shape) > _CHANNELS else tf.squeeze(scaled, -1)

    def serve(image_bytes: Any) -> Any:
        size = [height, width, channels][: len(shape) - 1]
        decoded = tf.map_fn(
            decode, image_bytes, fn_output_signature=tf.TensorSpec(size, spec.dtype)
        )
        return served.function(decoded)

    specs = (tf.TensorSpec([None], tf.string, IMAGE_ALIAS),)
    return Served(serve, specs, samples={IMAGE_ALIAS: partial(_sample, tf, channels or _CHANNELS)})


def _resize(tf: Any, image: ImageInput, height: int, width: int) -> Callable[[Any], Any]:
    if image.resize == "pad":
        return partial(_pad, tf, height=height, width=width, method=image.method)
    if image.resize == "crop":
        return partial(_crop, tf, height=height, width=width, method=image.method)
    stretch = partial(tf.image.resize, size=[height, width], method=image.method)
    return lambda pixels: tf.cast(stretch(pixels), tf.float32)


def _pad(tf: Any, pixels: Any, *, height: int, width: int, method: str) -> Any:
    return tf.cast(tf.image.resize_with_pad(pixels, height, width, method=method), tf.float32)


def _crop(tf: Any, pixels: Any, *, height: int, width: int, method: str) -> Any:
    """Resize so that the shorter side fits, and keep the middle."""
    sides = tf.cast(tf.shape(pixels)[:2], tf.float32)
    ratio = tf.reduce_max([height / sides[0], width / sides[1]])
    size = tf.maximum(tf.cast(tf.round(sides * ratio), tf.int32), [height, width])
    resized = tf.cast(tf.image.resize(pixels, size, method=method), tf.float32)
    return tf.image.resize_with_crop_or_pad(resized, height, width)


def _sample(tf: Any, channels: int, rows: int, random: Any) -> Tensor:
    """Return PNG files of noise."""
    pixels = random.integers(0, 256, (rows, *_SAMPLE_SIDES, channels), "uint8")
    files: Tensor = tf.stack([tf.io.encode_png(one) for one in pixels]).numpy()
    return files
