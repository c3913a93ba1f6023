"""The manifests of the images that the offline ECR knows, and those that SageMaker refuses.

CreateModel takes Docker's schema 2 alone, and names the type that it found:
aws/amazon-sagemaker-feedback#180 (`application/vnd.oci.image.manifest.v1+json`) and mlflow#13834
(`…image.index.v1+json`, which `docker buildx` writes with its attestations). An image that nobody
put into the offline ECR is not checked.
"""

from __future__ import annotations

from ...resources import Document, Resources
from ..protocol.errors import invalid
from .images import parse

IMAGE = "aws/ecr-image"
_REFUSED = "application/vnd.oci."


class ImageManifests:
    """The stored images by region, account, repository and digest; a tag is of one of them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def find(self, region: str, account: str, repository: str, reference: str) -> Document | None:
        """Return an image by its tag or digest, or None."""
        for image in self.all(region, account, repository):
            if reference in {image["imageDigest"], *image.get("imageTags", ())}:
                return image
        return None

    def put(self, region: str, account: str, repository: str, image: Document, tag: str) -> None:
        """Write an image, and move a tag to it; "" is no tag."""
        with self._resources.transaction():
            for other in self.all(region, account, repository):
                same = other["imageDigest"] == image["imageDigest"]
                tags = {*other.get("imageTags", ())} - {tag} | ({tag} if same and tag else set())
                self._write(region, account, repository, other, tags)
            if self.find(region, account, repository, image["imageDigest"]) is None:
                self._write(region, account, repository, image, {tag} - {""})

    def _write(
        self, region: str, account: str, repository: str, image: Document, tags: set[str]
    ) -> None:
        document = {key: value for key, value in image.items() if key != "imageTags"}
        document |= {"imageTags": sorted(tags)} if tags else {}
        key = f"{region}/{account}/{repository}@{image['imageDigest']}"
        self._resources.put(IMAGE, key, document)

    def all(self, region: str, account: str, repository: str) -> list[Document]:
        """Return the images of a repository, by digest."""
        prefix = f"{region}/{account}/{repository}@"
        return [document for _, document in self._resources.list(IMAGE, prefix)]

    def check(self, name: str) -> None:
        """Raise AwsError for a known image whose manifest SageMaker refuses."""
        image = parse(name)
        if image is None:
            return
        reference = name.partition("@")[2] or image.tag or "latest"
        known = self.find(image.region, image.account, image.repository, reference)
        kind = known["imageManifestMediaType"] if known else ""
        if kind.startswith(_REFUSED):
            raise invalid(
                f"Unsupported manifest media type {kind} for image {name}. Ensure that valid"
                " manifest media type is used for specified image."
            )
