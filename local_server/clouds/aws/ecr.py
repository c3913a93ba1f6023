"""Amazon ECR, as far as the images of models need it: repositories, and manifests without layers.

`aws ecr put-image` with an image's manifest tells a rehearsal what kind of manifest the image has.
Source: botocore's model of ecr for the fields; the service's errors as its clients quote them
(aws/containers-roadmap#1873 for a manifest without a type).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..resources import Document, Resources
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError
from .protocol.json_app import Authorize, JsonApp
from .sagemaker.image_manifests import ImageManifests

TARGET = "AmazonEC2ContainerRegistry_V20150921."
_REPOSITORY = "aws/ecr-repository"


class Registry:
    """The operations on repositories and images."""

    def __init__(
        self, resources: Resources, images: ImageManifests, now: Callable[[], float]
    ) -> None:
        self._resources = resources
        self._images = images
        self._now = now

    def app(self, authorize: Authorize | None = None) -> JsonApp:
        """Return the service's HTTP application."""
        handlers = {
            "CreateRepository": self.create,
            "DescribeRepositories": self.describe_repositories,
            "PutImage": self.put,
            "DescribeImages": self.describe,
        }
        return JsonApp("ecr", TARGET, handlers, authorize=authorize)

    def create(self, region: str, body: Document) -> Document:
        """Create a repository, whose tags may move."""
        mutability = body.get("imageTagMutability", "MUTABLE")
        if mutability != "MUTABLE":
            raise AwsError(
                "InvalidParameterException",
                f"imageTagMutability {mutability} is not available offline.",
            )
        account, name = body.get("registryId", ACCOUNT), body["repositoryName"]
        key = f"{region}/{account}/{name}"
        if self._resources.get(_REPOSITORY, key) is not None:
            raise AwsError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists in the registry with id"
                f" '{account}'",
            )
        repository: Document = {
            "repositoryArn": f"arn:aws:ecr:{region}:{account}:repository/{name}",
            "registryId": account,
            "repositoryName": name,
            "repositoryUri": f"{account}.dkr.ecr.{region}.amazonaws.com/{name}",
            "createdAt": self._now(),
        }
        self._resources.put(_REPOSITORY, key, repository)
        return {"repository": repository}

    def describe_repositories(self, region: str, body: Document) -> Document:
        """Describe repositories by name, or all of a registry, in one page."""
        if "repositoryNames" in body:
            asked = [body | {"repositoryName": name} for name in body["repositoryNames"]]
            keys = ["/".join((region, *self._repository(region, each))) for each in asked]
            return {"repositories": [self._resources.get(_REPOSITORY, key) for key in keys]}
        prefix = f"{region}/{body.get('registryId', ACCOUNT)}/"
        known = self._resources.list(_REPOSITORY)
        return {"repositories": [each for key, each in known if key.startswith(prefix)]}

    def put(self, region: str, body: Document) -> Document:
        """Store an image's manifest under its digest, and a tag; one that is new."""
        account, name = self._repository(region, body)
        manifest = body["imageManifest"]
        kind = body.get("imageManifestMediaType") or _media_type(manifest)
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        if body.get("imageDigest", digest) != digest:
            raise AwsError(
                "ImageDigestDoesNotMatchException",
                f"The image digest {body['imageDigest']} does not match {digest}.",
            )
        tag = body.get("imageTag", "")
        self._check_new(region, account, name, digest, tag)
        image: Document = {
            "registryId": account,
            "repositoryName": name,
            "imageDigest": digest,
            "imageManifestMediaType": kind,
            "imagePushedAt": self._now(),
        }
        self._images.put(region, account, name, image, tag)
        identity = {"imageDigest": digest, **({"imageTag": tag} if tag else {})}
        answer = {"imageId": identity, "imageManifest": manifest, "imageManifestMediaType": kind}
        return {"image": {"registryId": account, "repositoryName": name, **answer}}

    def _check_new(self, region: str, account: str, name: str, digest: str, tag: str) -> None:
        """Raise AwsError for a push that changes nothing."""
        known = self._images.find(region, account, name, digest)
        if known is None or (tag and tag not in known.get("imageTags", ())):
            return
        tagged = f" and tag '{tag}'" if tag else ""
        raise AwsError(
            "ImageAlreadyExistsException",
            f"Image with digest '{digest}'{tagged} already exists in the repository with name"
            f" '{name}' in registry with id '{account}'",
        )

    def describe(self, region: str, body: Document) -> Document:
        """Describe images by tag or digest, or all of a repository."""
        account, name = self._repository(region, body)
        if body.get("filter"):
            raise AwsError("InvalidParameterException", "filter is not available offline.")
        if "imageIds" not in body:
            return {"imageDetails": self._images.all(region, account, name)}
        found = [self._found(region, account, name, each) for each in body["imageIds"]]
        return {"imageDetails": found}

    def _found(self, region: str, account: str, name: str, identity: Mapping[str, str]) -> Document:
        digest, tag = identity.get("imageDigest"), identity.get("imageTag")
        image = self._images.find(region, account, name, digest or tag or "")
        if image is None:
            raise AwsError(
                "ImageNotFoundException",
                f"The image with imageId {{imageDigest:'{digest or 'null'}',"
                f" imageTag:'{tag or 'null'}'}} does not exist within the repository with name"
                f" '{name}' in the registry with id '{account}'",
            )
        return image

    def _repository(self, region: str, body: Document) -> tuple[str, str]:
        account, name = body.get("registryId", ACCOUNT), body["repositoryName"]
        if self._resources.get(_REPOSITORY, f"{region}/{account}/{name}") is None:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id"
                f" '{account}'",
            )
        return account, name


def _media_type(manifest: str) -> str:
    """Return the type that a manifest names; raises AwsError if it names none, as ECR does."""
    try:
        document: Any = json.loads(manifest)
    except (ValueError, RecursionError):
        document = None
    kind = document.get("mediaType") if isinstance(document, dict) else None
    if not isinstance(kind, str):
        raise AwsError(
            "InvalidParameterException",
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON"
            " syntax'",
        )
    return kind
