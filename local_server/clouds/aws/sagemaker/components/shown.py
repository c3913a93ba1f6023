"""Inference components as Describe and List show them."""

from __future__ import annotations

from collections.abc import Collection

from ....resources import Document, shown
from ..images import running_image
from .table import Component, Hosted

LISTED = (
    "InferenceComponentName",
    "InferenceComponentArn",
    "EndpointName",
    "EndpointArn",
    "VariantName",
    "InferenceComponentStatus",
    "CreationTime",
    "LastModifiedTime",
)


def described(component: Component, stored: Document, rehearsed: Collection[str]) -> Document:
    """Return a component as Describe shows it. `rehearsed`: the images that a command replaces."""
    return shown(stored) | {
        "Specification": _specification(component.hosted, rehearsed),
        "RuntimeConfig": {
            "DesiredCopyCount": component.copies,
            "CurrentCopyCount": component.running,
        },
    }


def _specification(hosted: Hosted, rehearsed: Collection[str]) -> Document:
    specification = dict(hosted.specification)
    given = specification.pop("Container", None)
    if given is not None:
        image = given["Image"]
        specification["Container"] = {
            "DeployedImage": {
                "SpecifiedImage": image,
                "ResolvedImage": running_image(image, rehearsed),
                "ResolutionTime": hosted.resolved,
            },
            **{key: value for key, value in given.items() if key != "Image"},
        }
    return specification
