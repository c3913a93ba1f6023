"""Container images of the user's own: what a rehearsal of them is worth."""

from __future__ import annotations

from cloudserve.container_images import is_cloudserve


def not_rehearsed(image: str) -> tuple[str, ...]:
    """Return a warning that the offline clouds do not run an image; () for cloudserve's own."""
    if is_cloudserve(image):
        return ()
    sentence = (
        f"the offline clouds do not run the image {image}: cloudserve's TensorFlow server answers "
        "in its place, so a rehearsal does not try what is in it"
    )
    return (sentence,)
