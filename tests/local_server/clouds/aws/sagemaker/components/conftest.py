"""An endpoint that hosts inference components, and a short way to make them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.local_server.clouds.aws.conftest import ROLE, Aws


@dataclass
class Host:
    """An endpoint without models."""

    aws: Aws
    name: str

    @property
    def sm(self):
        return self.aws.sm

    def request(self, name: str, model: str, copies: int = 1, **needs) -> dict:
        """Return the arguments of CreateInferenceComponent."""
        return {
            "InferenceComponentName": name,
            "EndpointName": self.name,
            "VariantName": "main",
            "Specification": {
                "ModelName": model,
                "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 1024} | needs,
            },
            "RuntimeConfig": {"CopyCount": copies},
        }

    def add(self, name: str, model: str, copies: int = 1, **needs) -> dict:
        self.sm.create_inference_component(**self.request(name, model, copies, **needs))
        return self.settled(name)

    def describe(self, name: str) -> dict:
        return self.sm.describe_inference_component(InferenceComponentName=name)

    def settled(self, name: str) -> dict:
        return self.aws.poll(
            lambda: self.describe(name),
            lambda shown: not shown["InferenceComponentStatus"].endswith("ing"),
        )

    def remove(self, name: str) -> None:
        self.sm.delete_inference_component(InferenceComponentName=name)
        self.aws.poll(
            self.sm.list_inference_components,
            lambda page: (
                name not in [each["InferenceComponentName"] for each in page["InferenceComponents"]]
            ),
        )

    def instances(self) -> int:
        return self.aws.describe(self.name)["ProductionVariants"][0]["CurrentInstanceCount"]

    def ask(self, component: str, body: bytes = b'{"instances": [1]}', **more) -> bytes:
        return self.aws.invoke(self.name, body, InferenceComponentName=component, **more)


def add_host(aws: Aws, name: str, **variant) -> Host:
    """Create an endpoint of an ml.m5.large (2 cores, 8 GiB) that hosts components."""
    own = {"VariantName": "main", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    aws.add_config(name, own | variant, ExecutionRoleArn=ROLE)
    aws.add_endpoint(name)
    return Host(aws, name)


@pytest.fixture
def host(aws, fresh) -> Host:
    """Provide an endpoint with the models `NAME-2` and `NAME-3`, which double and triple."""
    aws.add_model(f"{fresh}-2", "s3://models/double/")
    aws.add_model(f"{fresh}-3", "s3://models/triple/")
    return add_host(aws, fresh)
