"""Classify, Regress and MultiInference with TensorFlow Serving's own stub."""

import pytest

from .conftest import model_config, refusal, serving

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
HALF = "tfs_half_plus_two_2v"


@pytest.fixture(scope="module")
def apis():
    """Give the messages of the requests, and the Example."""
    from tensorflow.core.example.example_pb2 import Example
    from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    class Apis:
        classify, regress = ClassificationRequest, RegressionRequest
        multi, example = MultiInferenceRequest, Example

    return Apis


def floats(example, **features):
    for name, values in features.items():
        example.features.feature[name].float_list.value.extend(values)
    return example


def about(request, name, signature="", *xs, **choice):
    """Fill in a request for a model, with an Example of each x."""
    spec = request.tasks.add().model_spec if hasattr(request, "tasks") else request.model_spec
    spec.name, spec.signature_name = name, signature
    for field, value in choice.items():
        if field == "version":
            spec.version.value = value
        else:
            spec.version_label = value
    for x in xs:
        floats(request.input.example_list.examples.add(), x=[x])
    return request


@pytest.fixture(scope="module")
def real(transport, shared_models):
    """Serve real models whose signatures parse Examples."""
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    configs = model_config(shared_models, HALF, stable=123)
    configs += model_config(shared_models, "tfx_taxi_estimator")
    with serving(configs) as served, served.channel() as channel:
        yield PredictionServiceStub(channel)


# Classify.


def classes(response):
    listed = response.result.classifications
    return [[(each.label, each.score) for each in one.classes] for one in listed]


def test_a_real_model_classifies_examples(real, apis):
    response = real.Classify(about(apis.classify(), HALF, "classify_x_to_y", 2, 5, label="stable"))
    assert classes(response) == [[("", 3.0)], [("", 4.5)]]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (HALF, 123, "classify_x_to_y")


def test_a_context_is_joined_with_each_example_which_goes_before_it(real, apis):
    request = about(apis.classify(), HALF, "classify_x_to_y")
    listed = request.input.example_list_with_context
    floats(listed.context, x=[2])
    listed.examples.add()
    assert classes(real.Classify(request)) == [[("", 3.0)]]


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("classes", [("a", 0.0), ("\ufffd", 0.0)]),
        ("scores", [("", 0.25), ("", 0.75)]),
        ("both", [("a", 0.25), ("b", 0.75)]),
    ],
)
def test_a_model_of_labels_or_scores_alone_gives_the_other_empty(
    predictions, apis, signature, expected
):
    response = predictions.Classify(about(apis.classify(), "examples", signature, 1))
    assert classes(response) == [expected]


@pytest.mark.parametrize(
    ("signature", "code", "text"),
    [
        ("s", "INVALID_ARGUMENT", "No signature was found with the name: s"),
        ("", "INVALID_ARGUMENT", "No signature was found with the name: serving_default"),
        ("two_inputs", "INVALID_ARGUMENT", "Expected one input Tensor."),
        ("three", "INVALID_ARGUMENT", "Expected one or two output Tensors, found 3"),
        (
            "vector",
            "INVALID_ARGUMENT",
            "Expected Tensor shape: [batch_size num_classes] but got [1]",
        ),
        (
            "score_vector",
            "INVALID_ARGUMENT",
            "Expected Tensor shape: [batch_size num_classes] but got [1]",
        ),
        ("numbers", "INVALID_ARGUMENT", "Expected classes Tensor of DT_STRING. Got: DT_INT64"),
        ("score_doubles", "INVALID_ARGUMENT", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ("rows", "INVALID_ARGUMENT", "Expected classes output batch size of 1. Got: 2"),
        ("score_rows", "INVALID_ARGUMENT", "Expected scores output batch size of 1. Got: 2"),
        (
            "apart",
            "INVALID_ARGUMENT",
            "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        ),
    ],
)
def test_signatures_that_cannot_classify_are_refused(predictions, apis, signature, code, text):
    request = about(apis.classify(), "examples", signature, 1)
    assert refusal(predictions.Classify, request) == (code, text)


@pytest.mark.parametrize(
    ("signature", "start"),
    [
        ("renamed", "No classification inputs found in SignatureDef: inputs {"),
        (
            "neither",
            (
                'Expected classification signature outputs to contain at least one of "classes" or '
                '"scores". Signature was: inputs {'
            ),
        ),
    ],
)
def test_a_signature_that_is_not_a_classifiers_is_shown(predictions, apis, signature, start):
    code, text = refusal(predictions.Classify, about(apis.classify(), "examples", signature, 1))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith(start)


def test_without_examples_nothing_is_classified_or_given_values(predictions, apis):
    empty = ("INVALID_ARGUMENT", "Input is empty.")
    assert refusal(predictions.Classify, about(apis.classify(), "examples", "both")) == empty
    assert refusal(predictions.Regress, about(apis.regress(), "examples", "value")) == empty


def test_the_model_is_looked_up_as_for_predict(predictions, apis):
    for method, request in (
        (predictions.Classify, apis.classify),
        (predictions.Regress, apis.regress),
    ):
        assert refusal(method, request()) == ("INVALID_ARGUMENT", "Missing ModelSpec")
        assert refusal(method, about(request(), "none", "s", 1)) == (
            "NOT_FOUND",
            "Servable not found for request: Latest(none)",
        )


def test_an_example_of_other_bytes_is_the_clients_fault(real, apis):
    request = about(apis.classify(), HALF, "classify_x_to_y")
    request.input.example_list.examples.add().features.feature["x"].bytes_list.value.append(b"\xff")
    code, text = refusal(real.Classify, request)
    assert code == "INVALID_ARGUMENT"
    assert "Data types don't match. Data type: string but expected type: float" in text


# Regress.


def test_a_real_model_gives_examples_a_value_each(real, apis):
    response = real.Regress(about(apis.regress(), HALF, "regress_x_to_y", 2, 5, version=124))
    assert [each.value for each in response.result.regressions] == [3.0, 4.5]
    assert response.model_spec.version.value == 124


@pytest.mark.parametrize("signature", ["value", "column"])
def test_values_come_as_a_vector_or_as_a_column(predictions, apis, signature):
    response = predictions.Regress(about(apis.regress(), "examples", signature, 1))
    assert [each.value for each in response.result.regressions] == [0.5]


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("s", "No signature was found with the name: s"),
        ("two_inputs", "Expected one input Tensor."),
        ("both", "Expected one output Tensor."),
        (
            "wide",
            (
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
                "but got [1,2]"
            ),
        ),
        ("many", "Input batch size did not match output batch size: 1 vs. 2"),
        ("double", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_signatures_that_cannot_regress_are_refused(predictions, apis, signature, text):
    request = about(apis.regress(), "examples", signature, 1)
    assert refusal(predictions.Regress, request) == ("INVALID_ARGUMENT", text)


# The check of method names.


def test_with_the_check_a_signature_is_for_its_own_method(model_folder, apis):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    configs = model_config(model_folder, "examples")
    with serving(configs, check_methods=True) as served, served.channel() as channel:
        stub = PredictionServiceStub(channel)
        assert stub.Classify(about(apis.classify(), "examples", "both", 1)).result
        assert refusal(stub.Classify, about(apis.classify(), "examples", "value", 1)) == (
            "INVALID_ARGUMENT",
            f"Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}",
        )
        assert refusal(stub.Regress, about(apis.regress(), "examples", "both", 1)) == (
            "INVALID_ARGUMENT",
            f"Expected regression signature method_name to be {REGRESS}. Was: {CLASSIFY}",
        )


# MultiInference.


def multi(apis, *tasks, xs=(2,)):
    request = apis.multi()
    for name, signature, method in tasks:
        about(request, name, signature)
        request.tasks[-1].method_name = method
    for x in xs:
        floats(request.input.example_list.examples.add(), x=[x])
    return request


def test_the_same_examples_are_classified_and_given_values(real, apis):
    tasks = ((HALF, "classify_x_to_y", CLASSIFY), (HALF, "regress_x_to_y", REGRESS))
    one, two = real.MultiInference(multi(apis, *tasks, xs=(2, 5))).results
    assert [each.classes[0].score for each in one.classification_result.classifications] == [3, 4.5]
    assert [each.value for each in two.regression_result.regressions] == [3.0, 4.5]
    assert [each.model_spec.signature_name for each in (one, two)] == [
        "classify_x_to_y",
        "regress_x_to_y",
    ]
    assert {each.model_spec.version.value for each in (one, two)} == {124}


@pytest.mark.parametrize(
    ("tasks", "answer"),
    [
        ((), ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        ((("", "both", CLASSIFY),), ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (
            (("examples", "both", CLASSIFY), ("", "value", REGRESS)),
            ("INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        ),
        (
            (("examples", "both", CLASSIFY), ("half", "value", REGRESS)),
            (
                "INVALID_ARGUMENT",
                "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
            ),
        ),
        (
            (("examples", "both", CLASSIFY), ("examples", "both", CLASSIFY)),
            ("INVALID_ARGUMENT", "Duplicate evaluation of signature: both"),
        ),
        (
            (("examples", "s", CLASSIFY),),
            ("INVALID_ARGUMENT", "Requested signature not found in model graph: s"),
        ),
        (
            (("examples", "both", "predict"),),
            ("UNIMPLEMENTED", "Unsupported signature method_name: predict"),
        ),
        (
            (("none", "both", CLASSIFY),),
            ("NOT_FOUND", "Servable not found for request: Latest(none)"),
        ),
    ],
)
def test_tasks_that_do_not_go_together_are_refused(predictions, apis, tasks, answer):
    assert refusal(predictions.MultiInference, multi(apis, *tasks)) == answer


def test_a_multi_inference_needs_examples(predictions, apis):
    request = multi(apis, ("examples", "both", CLASSIFY), xs=())
    assert refusal(predictions.MultiInference, request) == ("INVALID_ARGUMENT", "Input is empty.")


def test_a_real_estimator_answers_its_tasks_alike(real, apis):
    name = "tfx_taxi_estimator"
    tasks = ((name, "classification", CLASSIFY), (name, "regression", REGRESS))
    one, two = real.MultiInference(multi(apis, *tasks)).results
    alone = real.Classify(about(apis.classify(), name, "", 2))
    pairs = classes(alone)[0]
    assert [label for label, _ in pairs] == ["0", "1"]
    assert one.classification_result == alone.result
    assert two.regression_result.regressions[0].value == pytest.approx(pairs[1][1])
