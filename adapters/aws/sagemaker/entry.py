"""The entry point `sagemaker` of `cloudserve.adapters`.

It imports the SDK only when it is called, so that a missing one is named with its extra.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudserve.project import Target
from cloudserve.release.provider import Provider

from ...extras import extra


def create(target: Target, environ: Mapping[str, str]) -> Provider:
    """Make the provider of a target, as `provider.create` does.

    Raises MissingExtraError without `cloudserve[aws]`.
    """
    with extra(f"target {target.name}", "aws"):
        from .provider import create as create_provider
    return create_provider(target, environ)
