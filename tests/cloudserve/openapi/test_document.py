"""OpenAPI documents: valid, and true of the requests and answers that they describe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from cloudserve.errors import ModelError
from cloudserve.golden.samples import sample_requests
from cloudserve.openapi.document import DescribedModel, openapi_document
from cloudserve.openapi.requests import predict_request
from cloudserve.openapi.tensors import takes_json, tensor_schema
from cloudserve.savedmodel import read_saved_model
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.signature import PREDICT_METHOD, Signature, TensorSpec

DTYPES = sorted({dtype_name(number) for number in range(1, 24)})
SHAPES = st.none() | st.lists(st.none() | st.integers(0, 4), max_size=3).map(tuple)
NAMES = st.text(min_size=1, max_size=8)
SPECS = st.builds(
    TensorSpec,
    NAMES,
    st.just("t:0"),
    st.sampled_from(DTYPES),
    SHAPES,
    st.sampled_from([(), ("c",)]),
)
METHODS = st.sampled_from(
    [PREDICT_METHOD, "tensorflow/serving/classify", "tensorflow/serving/regress"]
)


def distinct(specs):
    return tuple({spec.alias: spec for spec in specs}.values())


SIGNATURES = st.builds(
    Signature,
    NAMES,
    METHODS,
    st.lists(SPECS, max_size=3).map(distinct),
    st.lists(SPECS, min_size=1, max_size=3).map(distinct),
)


def body_schema(document, path):
    return document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]


@settings(max_examples=25)
@given(NAMES.filter(lambda name: "/" not in name), st.lists(SIGNATURES, max_size=3))
def test_a_document_of_any_signatures_is_valid(name, signatures):
    unique = tuple({one.name: one for one in signatures}.values())
    validate(openapi_document([DescribedModel(name, unique, (1, 2), {"stable": 1})], "t"))


@given(SPECS, st.booleans(), st.booleans())
def test_a_tensors_schema_is_valid(spec, is_output, drop_rows):
    Draft202012Validator.check_schema(tensor_schema(spec, is_output=is_output, drop_rows=drop_rows))


def test_sample_requests_of_real_models_fit_their_documents(shared_models):
    described = 0
    for file in sorted(shared_models.glob("*/*/saved_model.pb")):
        try:
            model = read_saved_model(file.parent)
        except ModelError:
            continue  # its variables were too large to be kept
        document = openapi_document([DescribedModel("m", model.signatures)], "t")
        validate(document)
        samples = {one.signature: one for one in sample_requests(model.signatures)}
        for signature in model.signatures:
            sample = samples[signature.name]
            if not predict_request(signature) or signature.method_name != PREDICT_METHOD:
                continue
            validator = Draft202012Validator(body_schema(document, "/v1/models/m:predict"))
            for body in filter(None, (sample.rows, sample.columns)):
                assert validator.is_valid(body), (file, body)
                described += 1
            assert not validator.is_valid({"instances": "none"})
            # Further names are ignored among columns, but none that has no default may be missing.
            others = {"inputs": {"no such input": [1]}}
            forms = map(Draft202012Validator, predict_request(signature))
            assert any(form.is_valid(others) for form in forms) == bool(signature.defaults)
    assert described >= 10


X = TensorSpec("x", "x:0", "float32", (None, 2))
LABEL = TensorSpec("label_bytes", "l:0", "string", (None,))
TWO = Signature("serving_default", PREDICT_METHOD, (X,), (X, LABEL))


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"instances": [[1, 2], [3, 4.5]]}, True),
        ({"instances": [{"x": [1, 2]}]}, True),
        ({"inputs": [[1, 2]]}, True),
        ({"inputs": {"x": [[1, 2]]}}, True),
        ({"signature_name": "serving_default", "instances": [[1, 2]]}, True),
        ({"signature_name": "other", "instances": [[1, 2]]}, False),
        ({"instances": []}, False),
        ({"instances": [[1, 2, 3]]}, False),
        ({"instances": [["1", "2"]]}, False),
        ({"instances": [{"y": [1, 2]}]}, False),
        ({}, False),
    ],
)
def test_a_request_fits_if_the_server_takes_it(body, fits):
    document = openapi_document([DescribedModel("m", (TWO,))], "t")
    schema = body_schema(document, "/v1/models/m:predict")
    assert Draft202012Validator(schema).is_valid(body) is fits


def test_outputs_of_bytes_are_base64():
    document = openapi_document([DescribedModel("m", (TWO,))], "t")
    answer = document["paths"]["/v1/models/m:predict"]["post"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"predictions": [{"x": [1, 2], "label_bytes": {"b64": "YQ=="}}]})
    assert not validator.is_valid({"predictions": [{"x": [1, 2], "label_bytes": "a"}]})
    assert validator.is_valid({"outputs": {"x": [[1, 2]], "label_bytes": [{"b64": "YQ=="}]}})


def test_a_signature_that_json_cannot_carry_has_no_path():
    spec = TensorSpec("x", "x:0", "complex64", (None,))
    assert not takes_json(spec)
    signature = Signature("serving_default", PREDICT_METHOD, (spec,), (spec,))
    document = openapi_document([DescribedModel("m", (signature,))], "t")
    assert [path for path in document["paths"] if path.endswith(":predict")] == []


def test_versions_and_labels_have_paths_of_their_own():
    document = openapi_document([DescribedModel("a b", (TWO,), (3, 1), {"live": 3})], "t")
    paths = document["paths"]
    assert list(paths) == [
        "/v1/models/a%20b",
        "/v1/models/a%20b/metadata",
        "/v1/models/a%20b:predict",
        "/v1/models/a%20b/versions/{version}:predict",
        "/v1/models/a%20b/labels/{label}:predict",
    ]
    (version,) = paths["/v1/models/a%20b/versions/{version}:predict"]["parameters"]
    assert version["schema"]["enum"] == [1, 3]
