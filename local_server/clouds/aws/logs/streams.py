"""The log groups and streams that SageMaker writes to, and their writers.

Source: SageMaker developer guide, "Log groups and streams that Amazon SageMaker AI sends to Amazon
CloudWatch Logs".
"""

from __future__ import annotations

import hashlib

from ....child_processes import WriteLine
from .store import LogStore


class ContainerLogs:
    """Log streams of the containers of endpoints and transform jobs."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def of_endpoint(
        self, region: str, endpoint: str, variant: str, deployment: str, container: str = ""
    ) -> WriteLine:
        """Create the stream of a variant's instance in a deployment.

        The containers of a model of several have a stream each, by their names.
        """
        instance = _instance(f"{deployment}/{variant}")
        name = "/".join(filter(None, (variant, instance, container)))
        return self._open(region, f"/aws/sagemaker/Endpoints/{endpoint}", name)

    def of_component(self, region: str, component: str, key: str) -> WriteLine:
        """Create the stream of an inference component's copy.

        The group's name is a user's (huggingface's deployment guide of 2026); what the service
        calls the streams is not documented.
        """
        name = f"{component}/{_instance(key)}"
        return self._open(region, f"/aws/sagemaker/InferenceComponents/{component}", name)

    def of_transform(self, region: str, job: str) -> WriteLine:
        """Create the stream of a transform job's instance."""
        instance = f"{_instance(job)}-{self._store.now() // 1000}"
        return self._open(region, "/aws/sagemaker/TransformJobs", f"{job}/{instance}")

    def _open(self, region: str, group: str, name: str) -> WriteLine:
        store = self._store
        store.create_group(region, group)
        store.create_stream(region, group, name)

        def write(line: str) -> None:
            if line:
                store.add(region, group, name, [(store.now(), line)])

        return write


def _instance(key: str) -> str:
    return "i-" + hashlib.sha256(key.encode()).hexdigest()[:17]
