"""What people report that Vertex AI refuses, replayed against the offline Vertex AI."""

from __future__ import annotations

import re

import pytest

TENSORFLOW = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"


def upload_a_folder_without_a_model(clouds):
    """Upload gs://models/half, whose SavedModel lies one folder deeper."""
    vertex = clouds.vertex
    model = {
        "displayName": "half",
        "artifactUri": "gs://models/half",
        "containerSpec": {"imageUri": TENSORFLOW},
    }
    vertex.done(vertex.locations.models().upload(parent=vertex.parent, body={"model": model}))


def upload(image):
    """Return a step that uploads the good model for a container image."""
    return lambda clouds: clouds.vertex.upload(image)


REPORTS = [
    pytest.param(
        upload("docker.io/tensorflow/serving:2.19.0"),
        "This URI must identify an image in Artifact Registry or Container Registry.",
        "aiplatform v1, ModelContainerSpec.imageUri",
        r'400: "docker\.io/tensorflow/serving:2\.19\.0" is not valid for `image_uri`: it must'
        r" identify an image in Artifact Registry or Container Registry\.",
        id="an image of Docker Hub",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-16:latest"),
        "there is no such image",
        "google-cloud-aiplatform, constants/prediction.py: the newest is 2.15",
        r"400: The image \S+/tf2-cpu\.2-16:latest is not one of the prebuilt images for"
        r" inference\.",
        id="a prebuilt image that never was",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:v1"),
        "Using image names without the latest tag isn't supported.",
        "Vertex AI, prebuilt containers for inference",
        r"400: The image \S+/tf2-cpu\.2-15:v1 is not one of the prebuilt images for inference\.",
        id="a prebuilt image without the latest tag",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-5:latest"),
        "Model directory … is expected to contain exactly one of: [model.pkl, model.joblib].",
        "GoogleCloudPlatform/vertex-ai-samples#1165",
        r"400: The image \S+ is not available offline: of the prebuilt ones only those of"
        r" TensorFlow are, not sklearn\.",
        id="a prebuilt image of scikit-learn with a SavedModel",
    ),
    pytest.param(
        upload_a_folder_without_a_model,
        "Model directory … is expected to contain exactly one of: [saved_model.pb, …]",
        "GoogleCloudPlatform/vertex-ai-samples#1165, of another framework's files",
        r"9: Model directory gs://models/half is expected to contain exactly one of:"
        r" \[saved_model\.pb, saved_model\.pbtxt\]\.",
        id="an artifact URI one folder above the SavedModel",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_vertex_ai_refuses(
    done, cloud, written, rehearsal, answer_to
):
    assert all((cloud, written)), "a row says what the cloud answers and where that is written"
    answer = answer_to(done)
    assert re.fullmatch(rehearsal, answer, re.DOTALL), answer
