"""An update whose rollback fails as well: both fleets serve until the next update."""

from __future__ import annotations

import pytest
import requests

from tests.local_server.clouds.aws.conftest import DOUBLED, TRIPLED, Aws, refused


@pytest.fixture
def running(new_emulator, models, tmp_path, poll_until):
    """Give clients of an emulator of its own, and what restarts it."""
    current = [new_emulator(tmp_path / "data")]
    current[0].upload("models", "", models)

    def restart() -> Aws:
        current.pop().stop()
        current.append(new_emulator(tmp_path / "data"))
        return Aws(current[0], poll_until)

    yield Aws(current[0], poll_until), restart
    current[0].stop()


def inject(aws, **rule) -> None:
    url = f"{aws.running.url}/_cloudserve/faults"
    body = {"faults": [{"route": "SageMaker.UpdateEndpoint", "times": 1, **rule}]}
    requests.post(url, json=body, timeout=60).raise_for_status()


def answers(aws, name: str) -> set[bytes]:
    return {aws.invoke(name) for _ in range(40)}


def update(aws, name: str, config: str) -> dict:
    aws.sm.update_endpoint(EndpointName=name, EndpointConfigName=config)
    return aws.settled(name)


@pytest.mark.slow
def test_both_fleets_serve_until_the_next_update(running, fresh):
    aws, restart = running
    for model in ("double", "triple"):
        aws.add_model(model, f"s3://models/{model}/")
        aws.add_config(model, aws.variant("main", model))
    aws.add_endpoint(fresh, "double")
    inject(aws, operation={"code": "UpdateRollbackFailed", "message": "no way back"})
    ended = update(aws, fresh, "triple")
    assert ended["EndpointStatus"] == "UpdateRollbackFailed"
    assert (ended["FailureReason"], ended["EndpointConfigName"]) == ("no way back", "double")
    assert answers(aws, fresh) == {DOUBLED, TRIPLED}

    aws = restart()
    assert aws.describe(fresh)["EndpointStatus"] == "UpdateRollbackFailed"
    assert aws.invoke(fresh) in {DOUBLED, TRIPLED}
    assert answers(aws, fresh) == {DOUBLED, TRIPLED}

    change = [{"VariantName": "main", "DesiredWeight": 1.0}]
    weights = aws.sm.update_endpoint_weights_and_capacities
    error = refused(weights, EndpointName=fresh, DesiredWeightsAndCapacities=change)["Error"]
    assert "after a failed rollback" in error["Message"]

    inject(aws, operation={"message": "no machines"})
    ended = update(aws, fresh, "triple")
    assert ended["EndpointStatus"] == "UpdateRollbackFailed"
    assert "no machines" in ended["FailureReason"]
    assert answers(aws, fresh) == {DOUBLED, TRIPLED}

    ended = update(aws, fresh, "triple")
    assert (ended["EndpointStatus"], ended["EndpointConfigName"]) == ("InService", "triple")
    assert "FailureReason" not in ended
    assert answers(aws, fresh) == {TRIPLED}
