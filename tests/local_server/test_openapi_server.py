"""The OpenAPI document of a running server: true of what it answers."""

import json

import pytest
from cloudserve.local_server.options.serve_options import serve_options
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from cloudserve.local.servers import ServeCommand
from tests.local_server.monitoring.test_monitored_server import ask, serving


@pytest.fixture(scope="module")
def half(shared_models):
    return shared_models / "tfs_half_plus_two_2v"


@pytest.fixture(scope="module")
def exchange(half):
    """Give the document of a server, and its answers to the document's examples."""

    def work(server):
        status, body = ask(server, "/openapi.json")
        assert status == 200
        document = json.loads(body)
        answers = []
        for path, item in document["paths"].items():
            if "{" in path or "post" not in item:
                continue
            content = item["post"]["requestBody"]["content"]["application/json"]
            bodies = [example["value"] for example in content.get("examples", {}).values()]
            answers += [(path, *ask(server, path, body)) for body in bodies]
        missing = ask(server, "/v1/models/none:predict", {"instances": [1]})
        return document, answers, missing

    return serving(serve_options(half, ServeCommand()), work)


def test_the_document_is_valid_and_has_the_models_versions(exchange):
    document, _, _ = exchange
    validate(document)
    path = document["paths"]["/v1/models/tfs_half_plus_two_2v/versions/{version}:predict"]
    assert path["parameters"][0]["schema"]["enum"] == [124]


def test_answers_to_the_examples_fit_the_document(exchange):
    document, answers, _ = exchange
    assert {status for _, status, _ in answers} == {200}
    assert len(answers) >= 2
    for path, _, body in answers:
        answer = document["paths"][path]["post"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        Draft202012Validator(schema).validate(json.loads(body))


def test_errors_fit_the_document(exchange):
    document, _, (status, body) = exchange
    assert status == 404
    schema = document["components"]["schemas"]["Error"]
    Draft202012Validator(schema).validate(json.loads(body))


def test_the_drop_in_server_has_no_such_path(half):
    from dataclasses import replace

    options = serve_options(half, ServeCommand())
    options = replace(options, rest=replace(options.rest, openapi=False))
    assert serving(options, lambda server: ask(server, "/openapi.json"))[0] == 404
