"""Can what serves a target answer with a model? Adapters ask before anything is sent."""

from __future__ import annotations

from cloudserve.release.nouns import Artifact
from cloudserve.savedmodel.servable import check_is_restored, say_variables


def check_prebuilt(artifact: Artifact) -> None:
    """Raise ModelError for a model that a platform's own TensorFlow image cannot answer with.

    TensorFlow Serving runs in these images.
    """
    check_is_restored(artifact.unrestored, str(artifact.path) if artifact.path else None)


def own_image_warnings(artifact: Artifact, image: str) -> tuple[str, ...]:
    """Return what may go wrong in an image of one's own, which may hold any server."""
    if not artifact.unrestored:
        return ()
    sentence = (
        f"TensorFlow Serving does not restore {say_variables(artifact.unrestored)} of this model; "
        f"cloudserve's own server does: {image} must run that"
    )
    return (sentence,)
