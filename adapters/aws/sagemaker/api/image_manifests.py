"""The manifests of images in Amazon ECR."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudserve.errors import UserError

from ...session import Access

_ECR = re.compile(
    r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"/([^:@]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?"
)


class ImageManifests:
    """What ECR says of images, for the account and region of a target."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def media_type(self, image: str, region: str) -> str:
        """Return the type of an image's manifest; "" if the caller may not or cannot know it.

        The permission `ecr:DescribeImages` is optional: SageMaker itself refuses a wrong image.
        """
        match = _ECR.fullmatch(image)
        if match is None or match[2] != region:
            return ""
        return self._access.tape.ask(f"manifest of {image}", lambda: self._media_type(match))

    def _media_type(self, match: re.Match[str]) -> str:
        named = {"imageDigest": match[5]} if match[5] else {"imageTag": match[4] or "latest"}
        try:
            answer = self._client.describe_images(
                registryId=match[1], repositoryName=match[3], imageIds=[named]
            )
        except (BotoCoreError, ClientError, UserError):  # UserError: ECR would be another cloud's
            return ""
        details = answer["imageDetails"]
        return str(details[0].get("imageManifestMediaType", "")) if details else ""

    @cached_property
    def _client(self) -> Any:
        return self._access.client("ecr")
