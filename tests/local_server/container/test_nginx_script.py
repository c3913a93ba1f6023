"""A container without user code: requests of every content type, with exact texts."""

from __future__ import annotations

import json

import pytest
from cloudserve.local_server.container import Answer, Invocation, Release

from cloudserve.errors import ModelError

JSON = "application/json"


def predictions(answer: Answer) -> object:
    assert answer.status == 200, answer
    return json.loads(answer.body)["predictions"]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (JSON, b'{"instances": [1.0, 2.0, 5.0]}', [3.5, 4.0, 5.5]),
        (JSON, b'{"instances": [[1.0, 2.0], [5.0, 5.0]]}', [[3.5, 4.0], [5.5, 5.5]]),
        (JSON, b"[1.0, 2.0, 5.0]", [[3.5, 4.0, 5.5]]),
        (JSON, b"[[1.0, 2.0], [5.0, 5.0]]", [[3.5, 4.0], [5.5, 5.5]]),
        (JSON, b"5.0", [5.5]),
        (JSON, b"[1.0]\n[2.0]", [[3.5], [4.0]]),
        ("application/jsonlines", b"[1.0]\n[2.0]", [[3.5], [4.0]]),
        ("application/jsons", b'{"x": 1.0}\n{"x": 2.0}', [3.5, 4.0]),
        ("text/csv", b"1.0,2.0,5.0\n1.0,2.0,5.0", [[3.5, 4.0, 5.5], [3.5, 4.0, 5.5]]),
        ("text/csv", b"1.0\n2.0", [3.5, 4.0]),
    ],
)
def test_every_content_type_reaches_the_model(both, kind, body, expected):
    assert predictions(both.invoke(body, kind)) == expected


def test_columns_come_back_as_outputs(both):
    answer = both.invoke(b'{"inputs": [1.0]}')
    assert json.loads(answer.body) == {"outputs": [3.5]}


@pytest.mark.parametrize(("version", "expected"), [("123", 3.5), ("124", 3.5)])
def test_attributes_choose_name_and_version(both, version, expected):
    attributes = f"tfs-model-name=half_plus_three,tfs-model-version={version},other=1"
    answer = both.invoke(b'{"instances": [1.0]}', attributes=attributes)
    assert predictions(answer) == [expected]


def test_an_attribute_chooses_the_method(both):
    body = b'{"examples": [{"x": 2.0}]}'
    answer = both.invoke(body, attributes="tfs-method=regress")
    assert answer.status == 400
    # Its signature takes plain numbers: the method was found, and the model refuses it.
    assert b"No regression inputs found in SignatureDef" in answer.body


@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize(
    ("method", "signature", "answers"),
    [
        ("regress", "regress_x_to_y", [3.0, 2.0]),
        ("classify", "classify_x_to_y", [[["", 3.0]], [["", 2.0]]]),
    ],
)
def test_examples_are_answered_by_the_method_that_an_attribute_names(
    shared_models, start, release, method, signature, answers
):
    body = {"signature_name": signature, "examples": [{"x": 2.0}, {"x": 0.0}]}
    container = start(shared_models / "tfs_half_plus_two_2v", release=release)
    content = json.dumps(body).encode()
    result = container.invoke(content, attributes=f"tfs-method={method}", accept=JSON)
    assert result.status == 200, result
    assert json.loads(result.body) == {"results": answers}
    assert b"\n" not in result.body


def test_a_missing_version(both):
    answer = both.invoke(b"[1.0]", attributes="tfs-model-version=7")
    assert answer.status == 404
    message = "Servable not found for request: Specific(half_plus_three, 7)"
    assert json.loads(answer.body) == {"error": message}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ("tfs-model-name=../../x", "invalid tfs-model-name"),
        ("tfs-model-name=-x", "invalid tfs-model-name"),
        ("tfs-model-version=latest", "invalid tfs-model-version"),
        ("tfs-method=explain", "invalid tfs-method"),
    ],
)
def test_wrong_attributes_are_refused_by_2_20_and_left_to_serving_by_2_19(
    both, attributes, message
):
    answer = both.invoke(b"[1.0]", attributes=attributes)
    assert answer.status in {400, 404}
    is_own = answer.body == json.dumps({"error": message}, separators=(",", ":")).encode()
    assert is_own == (both.release is Release.V2_20)


def test_an_attribute_with_a_second_equals_sign_is_ignored(both):
    answer = both.invoke(b"[1.0]", attributes="tfs-model-version=1=2")
    assert predictions(answer) == [[3.5]]


@pytest.mark.parametrize(
    ("accept", "old", "new"),
    [
        (JSON, JSON, JSON),
        ("application/jsonlines", "application/jsonlines", JSON),
        ("text/csv, application/json", "text/csv", JSON),
    ],
)
def test_accepted_json_loses_its_newlines(both, accept, old, new):
    answer = both.invoke(b'{"instances": [1.0]}', accept=accept)
    assert answer.body == b'{    "predictions": [3.5]}'
    assert answer.content_type == (old if both.release is Release.V2_19 else new)


@pytest.mark.parametrize("accept", [None, "*/*", "text/csv"])
def test_other_answers_are_as_serving_wrote_them(both, accept):
    answer = both.invoke(b'{"instances": [1.0]}', accept=accept)
    assert answer == Answer(200, b'{\n    "predictions": [3.5]\n}', JSON)


def test_the_text_of_an_unsupported_type(both):
    answer = both.invoke(b"", "Application/X-Image")
    assert answer.status == 415
    assert (
        answer.body
        == {
            Release.V2_19: b'{"error": "Unsupported Media Type: Application/X-Image"}',
            Release.V2_20: b'{"error":"Unsupported Media Type: application/x-image"}',
        }[both.release]
    )


def test_a_refusal_of_serving_passes_through(both):
    answer = both.invoke(b'{"instances": []}')
    assert answer.status == 400
    assert b"No values in 'instances' array" in answer.body


def test_ping_looks_at_the_model(both):
    assert both.run(both.container.ping()).status == 200
    other = Invocation(attributes="tfs-model-name=nobody")
    assert both.run(both.container.ping(other)).status == 502


def test_a_missing_default_model_fails_the_ping(half_plus_three, start):
    running = start(
        half_plus_three, environment={"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "somebody-else"}
    )
    assert running.run(running.container.ping()).status == 502
    assert running.invoke(b"[1.0]").status == 404


def test_a_tree_without_models_does_not_start(start, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no SavedModel bundles found!"):
        start(tmp_path / "empty")


def test_a_broken_model_is_reported_with_the_containers_path(start, tmp_path):
    broken = tmp_path / "tree" / "m" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(ModelError) as caught:
        start(tmp_path / "tree")
    assert str(tmp_path) not in caught.value.message


def test_a_batching_container_answers_the_same(half_plus_three, start):
    running = start(
        half_plus_three,
        environment={
            "SAGEMAKER_TFS_ENABLE_BATCHING": "true",
            "SAGEMAKER_TFS_MAX_BATCH_SIZE": "4",
            "SAGEMAKER_TFS_NUM_BATCH_THREADS": "1",
        },
    )
    assert predictions(running.invoke(b'{"instances": [1.0, 2.0]}')) == [3.5, 4.0]
    too_many = running.invoke(b'{"instances": [1.0, 2.0, 3.0, 4.0, 5.0]}')
    assert too_many.status == 400
    assert b"larger than" in too_many.body or b"max" in too_many.body
