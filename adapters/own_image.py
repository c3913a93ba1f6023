"""Container images of the user's own: the limits of their rehearsal."""

from __future__ import annotations

from collections.abc import Mapping

from cloudserve.errors import ProjectError
from cloudserve.images.container_images import is_cloudserve
from cloudserve.images.rehearsal import COMMAND, FIELD, read_field
from cloudserve.project import Target


def check_rehearse(target: Target, image: str) -> None:
    """Raise ProjectError for a `rehearse` that names no command, or stands beside no image."""
    where = target.where_of(FIELD)
    if read_field(target.fields.get(FIELD), where) and not image:
        raise ProjectError(
            f"`{FIELD}` without an `image`",
            where=where,
            hint="name the image that the command stands for",
        )


def not_rehearsed(image: str, rehearse: Mapping[str, str]) -> tuple[str, ...]:
    """Return the limits of a rehearsal of an image; () for cloudserve's own.

    `rehearse` is the target's field of this name.
    """
    if command := rehearse.get(COMMAND):
        warning = (
            f"the offline clouds run `{command}` for the image {image}, where `cloudserve emulate` "
            "was started with this project file"
        )
        return (warning,)
    if is_cloudserve(image):
        return ()
    sentence = (
        f"the offline clouds do not run the image {image}: cloudserve's TensorFlow server answers "
        "in its place, so a rehearsal does not try what is in it"
    )
    return (sentence,)
