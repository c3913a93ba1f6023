"""AWS's TensorFlow inference container: what SageMaker runs a SavedModel in.

A `Container` is one running image: its own model server, its request conversions, the user's
`code/inference.py` in processes of their own. The offline SageMaker and `cloudserve serve --as
sagemaker` are built on it. Source of its facts: aws/deep-learning-containers,
`scripts/docker/tensorflow/inference/sagemaker` (serve.py, tensorflowServing.js,
python_service.py, tfs_utils.py), in the behaviour of the 2.19 and of the 2.20 images.
"""

from .container import Container, Setup
from .nouns import Answer, Invocation
from .release import Release, release_of, serving_image_of

__all__ = [
    "Answer",
    "Container",
    "Invocation",
    "Release",
    "Setup",
    "release_of",
    "serving_image_of",
]
