"""The offline ECR: manifests of images, and what SageMaker says of them."""

from __future__ import annotations

import hashlib
import json

import pytest
from botocore.exceptions import ClientError

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


def manifest(kind: str) -> str:
    return json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": []})


@pytest.fixture
def ecr(clouds):
    return clouds.aws("ecr")


@pytest.fixture
def repository(ecr, fresh):
    answer = ecr.create_repository(repositoryName=fresh)["repository"]
    assert answer["repositoryUri"] == f"{REGISTRY}/{fresh}"
    return fresh


@pytest.mark.parametrize("kind", [OCI, INDEX])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_create_model_refuses_an_oci_manifest(aws, ecr, repository, archived, kind, by):
    text = manifest(kind)
    ecr.put_image(repositoryName=repository, imageManifest=text, imageTag="1")
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    image = f"{REGISTRY}/{repository}" + (":1" if by == "tag" else f"@{digest}")
    with pytest.raises(ClientError) as error:
        aws.add_model(repository, archived["double"], image)
    said = error.value.response["Error"]
    assert said["Code"] == "ValidationException"
    assert said["Message"] == (
        f"Unsupported manifest media type {kind} for image {image}. Ensure that valid manifest"
        " media type is used for specified image."
    )


def test_create_model_takes_dockers_manifest_and_an_image_that_is_not_known(
    aws, ecr, repository, archived
):
    ecr.put_image(repositoryName=repository, imageManifest=manifest(OCI), imageTag="latest")
    ecr.put_image(repositoryName=repository, imageManifest=manifest(DOCKER), imageTag="latest")
    aws.add_model(repository, archived["double"], f"{REGISTRY}/{repository}")
    aws.add_model(f"{repository}-2", archived["double"], f"{REGISTRY}/unknown:3")


def test_repositories_are_described_by_name_or_all(ecr, repository):
    (named,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert named["repositoryUri"] == f"{REGISTRY}/{repository}"
    assert named in ecr.describe_repositories()["repositories"]
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.describe_repositories(repositoryNames=[repository, "nobody"])


def test_images_are_described_with_their_tags(ecr, repository):
    for kind, tag in ((OCI, "1"), (OCI, "2"), (DOCKER, "2")):
        ecr.put_image(repositoryName=repository, imageManifest=manifest(kind), imageTag=tag)
    found = ecr.describe_images(repositoryName=repository)["imageDetails"]
    tags = {each["imageManifestMediaType"]: each["imageTags"] for each in found}
    assert tags == {OCI: ["1"], DOCKER: ["2"]}
    (one,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "2"}])[
        "imageDetails"
    ]
    assert one["imageManifestMediaType"] == DOCKER


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("describe_images", {"repositoryName": "not-there"}, "RepositoryNotFoundException"),
        ("describe_images", {"imageIds": [{"imageTag": "9"}]}, "ImageNotFoundException"),
        ("create_repository", {}, "RepositoryAlreadyExistsException"),
        ("create_repository", {"imageTagMutability": "IMMUTABLE"}, "InvalidParameterException"),
        ("put_image", {"imageManifest": "no json"}, "InvalidParameterException"),
        ("put_image", {"imageManifest": "[" * 20_000}, "InvalidParameterException"),
        ("put_image", {"imageManifest": '{"schemaVersion": 2}'}, "InvalidParameterException"),
        (
            "put_image",
            {"imageManifest": manifest(OCI), "imageDigest": f"sha256:{'0' * 64}"},
            "ImageDigestDoesNotMatchException",
        ),
        ("list_images", {}, "UnsupportedOperationException"),
    ],
)
def test_absent_images_and_wrong_manifests_are_refused(ecr, repository, call, arguments, code):
    with pytest.raises(ClientError) as error:
        getattr(ecr, call)(**{"repositoryName": repository, **arguments})
    assert error.value.response["Error"]["Code"] == code


def test_a_push_that_changes_nothing_is_refused(ecr, repository):
    """PutImage: "there were no changes to the manifest or image tag after the last push"."""
    image = {"repositoryName": repository, "imageManifest": manifest(DOCKER)}
    ecr.put_image(**image, imageTag="1")
    ecr.put_image(**image, imageTag="2")
    for again in ({"imageTag": "1"}, {}):
        with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
            ecr.put_image(**image, **again)
