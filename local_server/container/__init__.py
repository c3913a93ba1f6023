"""AWS's TensorFlow inference container, in which SageMaker serves a SavedModel.

A `Container` is one running image: its model server, its request conversions, and the processes of
the user's `code/inference.py`. The offline SageMaker and `cloudserve serve --as
sagemaker` are built on it. Source of its facts: aws/deep-learning-containers,
`scripts/docker/tensorflow/inference/sagemaker` (serve.py, tensorflowServing.js,
python_service.py, tfs_utils.py); it behaves like the 2.19 or the 2.20 images.
"""

from .container import Container, Setup
from .release import Release, release_of, serving_image_of
from .types import Answer, Invocation

__all__ = [
    "Answer",
    "Container",
    "Invocation",
    "Release",
    "Setup",
    "release_of",
    "serving_image_of",
]
