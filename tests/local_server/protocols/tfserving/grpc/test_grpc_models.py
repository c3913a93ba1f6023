"""GetModelMetadata, GetModelStatus and HandleReloadConfigRequest with the own stubs."""

import pytest

from .conftest import model_config, refusal, serving

FIELD = "signature_def"


@pytest.fixture(scope="module")
def apis():
    """Give the messages of the requests."""
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataRequest,
        SignatureDefMap,
    )
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    class Apis:
        metadata, signatures = GetModelMetadataRequest, SignatureDefMap
        status, reload = GetModelStatusRequest, ReloadConfigRequest

    return Apis


def about(request, name, version=None, label=""):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    return request


# Metadata.


def described(apis, response):
    signatures = apis.signatures()
    assert response.metadata[FIELD].Unpack(signatures)
    return signatures.signature_def


def test_metadata_reports_the_signatures_of_a_version_without_a_signatures_name(predictions, apis):
    request = about(apis.metadata(metadata_field=[FIELD]), "half", label="stable")
    response = predictions.GetModelMetadata(request)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 1, "")
    signatures = described(apis, response)
    assert set(signatures) == {"serving_default", "slow", "broken", "two", "defaulted"}
    reported = signatures["serving_default"]
    assert reported.method_name == "tensorflow/serving/predict"
    assert (reported.inputs["x"].name, reported.inputs["x"].dtype) == ("x:0", 1)
    assert reported.inputs["x"].tensor_shape.unknown_rank


def test_metadata_of_a_real_model_is_what_stands_in_its_file(shared_models, apis):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    name = "tfs_half_plus_two_2v"
    file = SavedModel.FromString((shared_models / name / "124" / "saved_model.pb").read_bytes())
    with serving(model_config(shared_models, name)) as served, served.channel() as channel:
        request = about(apis.metadata(metadata_field=[FIELD]), name)
        signatures = described(apis, PredictionServiceStub(channel).GetModelMetadata(request))
    written = file.meta_graphs[0].signature_def
    assert dict(signatures) == dict(written)


@pytest.mark.parametrize(
    ("fields", "name", "answer"),
    [
        (
            [],
            "half",
            (
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
        ),
        (["f"], "half", ("INVALID_ARGUMENT", "Metadata field f is not supported")),
        ([FIELD, "f"], "half", ("INVALID_ARGUMENT", "Metadata field f is not supported")),
        ([FIELD], "", ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        ([FIELD], "m", ("NOT_FOUND", "Servable not found for request: Latest(m)")),
        (
            [],
            "m",
            (
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
        ),
    ],
)
def test_metadata_that_cannot_be_reported_is_refused(predictions, apis, fields, name, answer):
    request = about(apis.metadata(metadata_field=fields), name)
    assert refusal(predictions.GetModelMetadata, request) == answer


def test_metadata_needs_a_model_spec(predictions, apis):
    answer = refusal(predictions.GetModelMetadata, apis.metadata(metadata_field=[FIELD]))
    assert answer == ("INVALID_ARGUMENT", "Missing ModelSpec")


# Status.


def states(response):
    from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

    name = ModelVersionStatus.State.Name
    return [(each.version, name(each.state)) for each in response.model_version_status]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, [(2, "AVAILABLE"), (1, "AVAILABLE")]),
        ({"version": 1}, [(1, "AVAILABLE")]),
        ({"label": "stable"}, [(2, "AVAILABLE"), (1, "AVAILABLE")]),
        ({"label": "unheard of"}, [(2, "AVAILABLE"), (1, "AVAILABLE")]),
    ],
)
def test_status_reports_one_version_or_all_the_highest_first_whatever_the_label(
    model_service, apis, which, expected
):
    response = model_service.GetModelStatus(about(apis.status(), "half", **which))
    assert states(response) == expected
    assert [each.status.error_code for each in response.model_version_status] == [0] * len(expected)


@pytest.mark.parametrize(
    ("which", "text"),
    [
        ({"name": "m"}, "Could not find any versions of model m"),
        ({"name": ""}, "Could not find any versions of model "),
        ({"name": "half", "version": 9}, "Could not find version 9 of model half"),
    ],
)
def test_a_status_that_is_not_known_is_not_found(model_service, apis, which, text):
    assert refusal(model_service.GetModelStatus, about(apis.status(), **which)) == (
        "NOT_FOUND",
        text,
    )


def test_status_needs_a_model_spec(model_service, apis):
    answer = refusal(model_service.GetModelStatus, apis.status())
    assert answer == ("INVALID_ARGUMENT", "Missing ModelSpec")


# Reload.


@pytest.fixture
def own(model_folder):
    """Serve `half`, to be reconfigured by one test."""
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    configs = model_config(model_folder, "half")
    with serving(configs, reload_seconds=30) as served, served.channel() as channel:
        yield ModelServiceStub(channel)


def listing(apis, model_folder, *names, **labels):
    request = apis.reload()
    for name in names:
        config = request.config.model_config_list.config.add()
        config.name, config.base_path = name, str(model_folder / name)
        config.model_platform = "tensorflow"
        config.model_version_policy.all.SetInParent()
        for label, version in labels.items():
            config.version_labels[label] = version
    return request


def test_a_new_configuration_replaces_the_old_one(own, apis, model_folder):
    response = own.HandleReloadConfigRequest(listing(apis, model_folder, "same"))
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert states(own.GetModelStatus(about(apis.status(), "same"))) == [(1, "AVAILABLE")]
    gone = {state for _, state in states(own.GetModelStatus(about(apis.status(), "half")))}
    assert gone <= {"AVAILABLE", "UNLOADING", "END"}


def test_a_new_model_that_fails_is_reported_by_its_version_and_reason(own, apis, model_folder):
    request = listing(apis, model_folder, "half", "broken")
    assert refusal(own.HandleReloadConfigRequest, request) == (
        "UNKNOWN",
        (
            "1 model(s) did not become available: {{{name: broken version: 1} due to error: "
            "DATA_LOSS: half of it is missing}, }"
        ),
    )
    reported = own.GetModelStatus(about(apis.status(), "broken")).model_version_status[0]
    assert (reported.status.error_code, reported.status.error_message) == (
        15,
        "half of it is missing",
    )


def test_a_label_of_a_version_that_does_not_exist_changes_nothing(own, apis, model_folder):
    request = listing(apis, model_folder, "half", stable=9)
    assert refusal(own.HandleReloadConfigRequest, request) == (
        "FAILED_PRECONDITION",
        (
            "Request to assign label to version 9 of model half, which is not currently available "
            "for inference"
        ),
    )
    assert states(own.GetModelStatus(about(apis.status(), "half"))) == [
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]


def test_a_configuration_that_lists_no_models_is_refused(own, apis):
    text = (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported"
    )
    custom = apis.reload()
    custom.config.custom_model_config.SetInParent()
    for request in (apis.reload(), custom):
        assert refusal(own.HandleReloadConfigRequest, request) == ("INVALID_ARGUMENT", text)


def test_a_configuration_that_contradicts_itself_is_refused(own, apis, model_folder):
    request = listing(apis, model_folder, "half", "half")
    assert refusal(own.HandleReloadConfigRequest, request) == (
        "INVALID_ARGUMENT",
        "Illegal to list model half multiple times in config list",
    )


def test_waiting_for_a_new_model_has_an_end(model_folder, tmp_path, apis):
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    (tmp_path / "empty").mkdir()
    configs = model_config(model_folder, "half")
    with serving(configs, reload_seconds=0.05) as served, served.channel() as channel:
        stub = ModelServiceStub(channel)
        request = listing(apis, model_folder, "half")
        config = request.config.model_config_list.config.add()
        config.name, config.base_path = "empty", str(tmp_path / "empty")
        config.model_platform = "tensorflow"
        code, text = refusal(stub.HandleReloadConfigRequest, request)
    assert code == "DEADLINE_EXCEEDED"
    assert "did not become available within 0.05 s" in text


def test_a_server_of_fixed_models_takes_no_configuration(model_folder, apis):
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    configs = model_config(model_folder, "half")
    with serving(configs, fixed=True) as served, served.channel() as channel:
        stub = ModelServiceStub(channel)
        answer = refusal(stub.HandleReloadConfigRequest, listing(apis, model_folder, "half"))
    assert answer == (
        "UNIMPLEMENTED",
        "The models of this server are fixed: it was started without a configuration",
    )


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (("origin", "https://evil.example"), "A web page of 'https://evil.example', another site,"),
        (("sec-fetch-site", "cross-site"), "A web page of another site sent this request"),
    ],
)
def test_a_web_page_changes_no_configuration(model_service, apis, metadata, sentence):
    code, text = refusal(
        model_service.HandleReloadConfigRequest, apis.reload(), metadata=(metadata,)
    )
    assert code == "PERMISSION_DENIED"
    assert text.startswith(sentence)
