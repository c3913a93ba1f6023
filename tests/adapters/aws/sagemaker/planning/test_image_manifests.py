"""An image with an OCI manifest is refused before anything is uploaded."""

from __future__ import annotations

import json

import pytest

from cloudserve.errors import UserError
from cloudserve.release.types import Artifact

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
MODEL = Artifact("2.20.0", 10_000, 4)


@pytest.fixture
def image(client, region):
    """Give what puts an image into the offline ECR, and returns its name."""

    def put(kind):
        ecr = client("ecr")
        text = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": []})
        repository = ecr.create_repository(repositoryName="team/scorer")["repository"]
        ecr.put_image(repositoryName="team/scorer", imageManifest=text, imageTag="1")
        return f"{repository['repositoryUri']}:1"

    return put


def test_an_oci_manifest_is_refused_with_the_builds_options(target, image):
    provider = target(image=image(OCI))
    with pytest.raises(UserError, match="SageMaker takes no image with an OCI manifest") as error:
        provider.check(MODEL)
    assert error.value.where.endswith(".image")
    assert "oci-mediatypes=false" in error.value.hint


def test_dockers_manifest_passes(target, image):
    target(image=image(DOCKER)).check(MODEL)


def test_an_image_that_ecr_does_not_know_is_left_to_sagemaker(target, region):
    target(image=f"000000000000.dkr.ecr.{region}.amazonaws.com/unknown:1").check(MODEL)
