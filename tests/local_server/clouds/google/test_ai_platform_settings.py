"""A version's settings, as AI Platform takes and refuses them."""

from __future__ import annotations

import pytest
import requests

P = "projects/settings"
RUNTIME = (
    "Field: version.runtime_version Error: The specified runtime version '{}' with the Python"
    " version '{}' is not supported or is deprecated. Please specify a different runtime version."
    " See https://cloud.google.com/ml/docs/concepts/runtime-version-list for a list of supported"
    " versions"
)
N1 = {"machineType": "n1-standard-4"}


@pytest.fixture
def send(clouds):
    """Give a function that sends JSON and returns the status and the JSON that comes."""

    def send(method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        answer = requests.request(method, f"{clouds.url}/v1/{path}", json=body, timeout=60)
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def model(send, fresh):
    return send("POST", f"{P}/models", {"name": fresh})[1]["name"]


@pytest.fixture
def create(send, model):
    """Give a function that creates the version `v` with these settings."""

    def create(**settings) -> tuple[int, dict]:
        body = {
            "name": "v",
            "deploymentUri": "gs://models/double/1",
            "runtimeVersion": "2.11",
            "pythonVersion": "3.7",
            **settings,
        }
        return send("POST", f"{model}/versions", body)

    return create


@pytest.fixture
def ready(send, model, create, poll_until):
    """Give a function that creates the version, waits until it is ready, and returns its name."""

    def make(**settings) -> str:
        status, operation = create(**settings)
        assert status == 200, operation
        poll_until(lambda: send("GET", operation["name"])[1], lambda now: now.get("done", False))
        return f"{model}/versions/v"

    return make


def test_missing_settings_get_defaults(send, ready):
    version = send("GET", ready())[1]
    assert (version["machineType"], version["framework"]) == ("mls1-c1-m2", "TENSORFLOW")


@pytest.mark.parametrize(
    "settings",
    [
        {"runtimeVersion": "1.15"},
        {"runtimeVersion": "1.15", "pythonVersion": "2.7"},
        {"runtimeVersion": "1.4", "pythonVersion": "3.5"},
        {"machineType": "n1-highcpu-32", "autoScaling": {"minNodes": 1, "maxNodes": 1}},
        {"autoScaling": {"minNodes": 0}},
        {**N1, "acceleratorConfig": {"count": "8", "type": "NVIDIA_TESLA_V100"}},
        {**N1, "manualScaling": {"nodes": 3}},
    ],
)
def test_settings_of_ai_platform_are_accepted(create, settings):
    status, answer = create(**settings)
    assert status == 200, answer
    shown = answer["metadata"]["version"]
    assert shown | settings == shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runtimeVersion": "2.12"}, RUNTIME.format("2.12", "3.7")),
        ({"runtimeVersion": "latest"}, RUNTIME.format("latest", "3.7")),
        ({"pythonVersion": "2.7"}, RUNTIME.format("2.11", "2.7")),
        ({"runtimeVersion": "1.15", "pythonVersion": "3.5"}, RUNTIME.format("1.15", "3.5")),
        ({"runtimeVersion": ""}, "Field: version.runtime_version Error: This field is required."),
        (
            {"machineType": "n2-standard-2"},
            "Field: version.machine_type Error: Machine type 'n2-standard-2' is not supported.",
        ),
        (
            {"acceleratorConfig": {"count": "1", "type": "NVIDIA_TESLA_T4"}},
            (
                "Field: version.accelerator_config Error: Machine type 'mls1-c1-m2' has no"
                " accelerators; Compute Engine (N1) types do."
            ),
        ),
        (
            {**N1, "acceleratorConfig": {"count": "3", "type": "NVIDIA_TESLA_T4"}},
            (
                "Field: version.accelerator_config Error: n1-standard-4 does not support 3 of"
                " NVIDIA_TESLA_T4."
            ),
        ),
        (
            {**N1, "autoScaling": {"minNodes": 0}},
            (
                "Field: version.auto_scaling.min_nodes Error: min_nodes is 0; it must be at least 1"
                " for use with a Compute Engine machine type."
            ),
        ),
        (
            {**N1, "autoScaling": {"minNodes": 3, "maxNodes": 2}},
            "Field: version.auto_scaling.max_nodes Error: max_nodes is 2, less than min_nodes.",
        ),
        (
            {"autoScaling": {"minNodes": 1}, "manualScaling": {"nodes": 1}},
            (
                "Field: version.auto_scaling Error: Only one of auto_scaling and manual_scaling may"
                " be set."
            ),
        ),
        (
            {"manualScaling": {"nodes": 0}},
            "Field: version.manual_scaling.nodes Error: The number of nodes must be at least 1.",
        ),
        (
            {"labels": {"Team": "vision"}},
            (
                'Field: version.labels Error: "Team": "vision" is not a label: up to 63 lowercase'
                " letters, digits, underscores and dashes; a key begins with a letter."
            ),
        ),
    ],
)
def test_settings_that_break_a_rule_are_refused_by_their_field(create, settings, message):
    status, answer = create(**settings)
    assert (status, answer["error"]["message"]) == (400, message)
    field = message.removeprefix("Field: ").partition(" ")[0]
    assert answer["error"]["details"][0]["fieldViolations"][0]["field"] == field


def test_a_models_labels_keep_the_rule_too(send, model):
    body = {"name": "labelled", "labels": {"a": "B"}}
    assert send("POST", f"{P}/models", body)[0] == 400
    assert send("PATCH", f"{model}?updateMask=labels", {"labels": {"1": "b"}})[0] == 400
    assert "labels" not in send("GET", model)[1]


def test_nodes_and_logging_are_patched_in_place(send, ready):
    name = ready(**N1, autoScaling={"minNodes": 1, "maxNodes": 4})
    body = {"autoScaling": {"minNodes": 2, "maxNodes": 9}, "description": "not in the mask"}
    status, operation = send("PATCH", f"{name}?updateMask=autoScaling.minNodes", body)
    assert (status, operation["metadata"]["operationType"]) == (200, "UPDATE_VERSION")
    logging = {"samplingPercentage": 0.5, "bigqueryTableName": "p.d.t"}
    body = {"requestLoggingConfig": logging}
    assert send("PATCH", f"{name}?updateMask=requestLoggingConfig", body)[0] == 200
    version = send("GET", name)[1]
    assert version["autoScaling"] == {"minNodes": 2, "maxNodes": 4}
    assert version["requestLoggingConfig"] == logging
    assert "description" not in version


@pytest.mark.parametrize(
    ("mask", "body"),
    [
        ("autoScaling.minNodes", {"autoScaling": {"minNodes": 5}}),
        ("manualScaling.nodes", {"manualScaling": {"nodes": 2}}),
        ("autoScaling.maxNodes", {"autoScaling": {"maxNodes": 2}}),
        ("machineType", {"machineType": "n1-standard-2"}),
    ],
)
def test_a_patch_that_breaks_a_rule_changes_nothing(send, ready, mask, body):
    name = ready(**N1, autoScaling={"minNodes": 1, "maxNodes": 4})
    before = send("GET", name)[1]
    assert send("PATCH", f"{name}?updateMask={mask}", body)[0] == 400
    assert send("GET", name)[1] == before
