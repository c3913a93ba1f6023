"""Components after a restart."""

from __future__ import annotations

import pytest

from tests.local_server.clouds.aws.conftest import DOUBLED, TRIPLED, Aws
from tests.local_server.clouds.aws.sagemaker.components.conftest import Host, add_host
from tests.local_server.clouds.aws.test_restart import change


@pytest.mark.slow
def test_a_component_serves_again_and_an_interrupted_one_is_created(
    start_emulator, models, tmp_path, poll_until
):
    aws = Aws(start_emulator(tmp_path), poll_until)
    aws.running.upload("models", "", models)
    host = add_host(aws, "e")
    for name in ("double", "triple"):
        aws.add_model(name, f"s3://models/{name}/")
        host.add(name, name)
    host.add("idle", "double")
    wanted = {"InferenceComponentName": "idle", "DesiredRuntimeConfig": {"CopyCount": 0}}
    host.sm.update_inference_component_runtime_config(**wanted)
    host.settled("idle")
    shown = host.describe("double")
    aws.running.stop()
    key = "aws/inference-component"
    serving = find(tmp_path, key, "us-east-1/triple")["_serving"]
    left = {"InferenceComponentStatus": "Creating", "_pending": serving, "_running": 0}
    change(tmp_path, key, "us-east-1/triple", **left, _serving=None)
    change(tmp_path, key, "us-east-1/idle", InferenceComponentStatus="Deleting")

    again = Host(Aws(start_emulator(tmp_path), poll_until), "e")
    assert again.ask("double") == DOUBLED
    assert without_id(again.describe("double")) == without_id(shown)
    assert again.settled("triple")["InferenceComponentStatus"] == "InService"
    assert again.ask("triple") == TRIPLED
    poll_until(
        again.sm.list_inference_components,
        lambda page: len(page["InferenceComponents"]) == 2,
    )


def find(folder, kind: str, name: str) -> dict:
    from cloudserve.local_server.clouds.resources import Resources

    resources = Resources(folder / "clouds.db")
    document = resources.get(kind, name)
    resources.close()
    assert document is not None
    return document


def without_id(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
