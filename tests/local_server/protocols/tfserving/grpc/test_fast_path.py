"""The fast path of Predict: what it takes means and answers the same as on the general path."""

import numpy as np
import pytest
from cloudserve.local_server.codecs.tensor_proto import from_tensor_proto, to_tensor_proto
from cloudserve.local_server.inference.types import ModelSpec
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.protocols.tfserving.grpc.fast_path import PredictFastPath, Tensors
from cloudserve.local_server.protocols.tfserving.grpc.request_templates import RequestTemplates
from cloudserve.local_server.protocols.tfserving.grpc.responses import PredictResponses
from cloudserve.local_server.protocols.tfserving.grpc.spec import read_spec
from cloudserve.local_server.transport.grpc_types import prefix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cloudserve.savedmodel.signature import Signature, TensorSpec

PredictRequest = message_class("tensorflow.serving.PredictRequest")
PredictResponse = message_class("tensorflow.serving.PredictResponse")
NUMBERS = ["float32", "float64", "int8", "uint8", "int32", "int64", "float16", "complex64", "bool"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
NAMES = st.text("ab", max_size=2)


def arrays(dtypes=NUMBERS, shapes=SHAPES):
    return st.sampled_from(dtypes).flatmap(lambda name: hnp.arrays(np.dtype(name), shapes))


@st.composite
def requests(draw):
    """Draw requests of the fast path's form, and of forms that are nearly it."""
    request = PredictRequest()
    if draw(st.integers(0, 9)):
        request.model_spec.name = draw(NAMES)
    if draw(st.booleans()):
        request.model_spec.version.value = draw(st.integers(0, 3))
    for alias in draw(st.lists(st.text("xy", min_size=1, max_size=1), max_size=2, unique=True)):
        to_tensor_proto(draw(arrays()), request.inputs[alias], as_content=draw(st.booleans()))
        if not draw(st.integers(0, 9)):
            request.inputs[alias].version_number = 1
        if not draw(st.integers(0, 9)):
            request.inputs[alias].dtype = draw(st.integers(0, 25))
    if not draw(st.integers(0, 9)):
        request.output_filter.append("y")
    return framed(request.SerializeToString(deterministic=True))


def framed(message):
    return prefix(len(message)) + message


@st.composite
def variations(draw, message):
    """Draw a body like another one: some bytes differ, or a few are inserted or left out."""
    data = bytearray(message)
    for _ in range(draw(st.integers(0, 4))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if not draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


def in_general(message):
    """Return the model, the input and its array as the general path reads them."""
    assert message[:5] == prefix(len(message) - 5)
    request = PredictRequest.FromString(message[5:])
    assert not request.output_filter
    ((alias, proto),) = request.inputs.items()
    return read_spec(request), alias, from_tensor_proto(proto)


def is_same(array, other):
    same_kind = (array.dtype, array.shape) == (other.dtype, other.shape)
    return same_kind and array.tobytes() == other.tobytes()


@given(st.data())
def test_a_request_that_has_a_template_means_what_the_general_path_reads(data):
    templates = RequestTemplates(PredictRequest)
    message = data.draw(requests())
    templates.find(message)
    for each in (message, data.draw(variations(message)), data.draw(variations(message))):
        template = templates.find(each)
        if template is None:
            continue
        spec, alias, array = in_general(each)
        group = template.group
        assert (group.spec, group.alias) == (spec, alias)
        read = np.frombuffer(each[template.start :], group.dtype)
        assert is_same(read.reshape(template.count, *group.shape), array)


@pytest.mark.parametrize("as_content", [True, False])
@given(arrays(["float32", "float64"], hnp.array_shapes(max_dims=3, max_side=3)))
def test_plain_requests_have_one(as_content, array):
    request = PredictRequest()
    request.model_spec.name = "m"
    to_tensor_proto(array, request.inputs["x"], as_content=as_content)
    templates, body = RequestTemplates(PredictRequest), framed(request.SerializeToString())
    assert templates.find(body) is None
    assert templates.find(body).count == len(array)


def test_templates_are_bounded_in_number_and_size():
    templates = RequestTemplates(PredictRequest)
    messages = []
    for name in ["m" * count for count in range(1, 1100)]:
        request = PredictRequest()
        request.model_spec.name = name
        to_tensor_proto(np.ones(1, np.float32), request.inputs["x"])
        messages.append(framed(request.SerializeToString()))
        templates.find(messages[-1])
    results = [templates.find(message) for message in messages]
    assert results[0] is not None
    assert results[-1] is None
    assert max(len(template.before) for template in results if template) <= 1024 + 5


@st.composite
def outputs(draw, rows):
    """Draw outputs of some rows, of all kinds."""
    result = {}
    for alias in draw(st.lists(NAMES, max_size=3, unique=True)):
        shape = (rows, *draw(st.lists(st.integers(0, 3), max_size=2)))
        if draw(st.integers(0, 5)):
            result[alias] = draw(arrays(NUMBERS, st.just(shape)))
        else:
            result[alias] = np.full(shape, b"text", object)
    return result


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.booleans(), st.data())
def test_responses_are_those_of_the_general_path(counts, tensor_content, data):
    responses = PredictResponses(tensor_content=tensor_content)
    spec = ModelSpec("m", 3, None, "serving_default")
    for _ in range(2):
        tensors = data.draw(outputs(sum(counts)))
        encoded = responses.encode(spec, tensors, counts)
        bounds = np.cumsum([0, *counts])
        for one, start, stop in zip(encoded, bounds, bounds[1:], strict=False):
            part = {alias: tensor[start:stop] for alias, tensor in tensors.items()}
            expected = responses.message(spec, part)
            assert one[:5] == prefix(len(one) - 5)
            assert PredictResponse.FromString(one[5:]).SerializeToString(deterministic=True) == (
                expected.SerializeToString(deterministic=True)
            )


def predict(rows, name="m"):
    request = PredictRequest()
    request.model_spec.name = name
    to_tensor_proto(np.full((rows, 2), rows, np.float32), request.inputs["x"])
    return framed(request.SerializeToString())


class Doubles:
    """A data plane that doubles, but leaves out requests of 3 rows."""

    def serve_together(self, spec, payloads, form):
        signature = Signature("serving_default", "", (TensorSpec("x", "x:0", "float32", None),), ())
        rows = form.read(signature, payloads)
        indices = [index for index, size in enumerate(rows.sizes) if size != 3]
        kept = np.concatenate([np.full((rows.sizes[i], 2), rows.sizes[i]) for i in indices])
        assert rows.inputs["x"].shape == (sum(rows.sizes), 2)
        written = iter(form.write(rows, indices, {"y": np.float32(kept * 2)}, 7))
        return [None if size == 3 else next(written) for size in rows.sizes]


def test_requests_of_different_rows_are_one_group_and_each_gets_its_rows():
    path = PredictFastPath(Doubles(), PredictResponses(tensor_content=False))
    messages = [predict(1), predict(2), predict(1)]
    for message in messages:
        path.recognize(message)
    forms = [path.recognize(message) for message in messages]
    (group,) = {form.group for form in forms}
    answers = path.answer(group, [*zip(forms, messages, strict=True)])
    responses = [PredictResponse.FromString(answer[5:]) for answer in answers]
    assert [list(each.outputs["y"].float_val) for each in responses] == [[2] * 2, [4] * 4, [2] * 2]
    assert {each.model_spec.version.value for each in responses} == {7}
    assert path.recognize(predict(1, "other")) is None


def test_after_a_request_for_the_handler_some_others_go_there_as_well():
    path = PredictFastPath(Doubles(), PredictResponses(tensor_content=False))
    messages = [predict(1), predict(3)]
    for message in messages:
        path.recognize(message)
    forms = [path.recognize(message) for message in messages]
    answers = path.answer(forms[0].group, [*zip(forms, messages, strict=True)])
    assert [answer is None for answer in answers] == [False, True]
    paused = [path.recognize(predict(1)) for _ in range(40)]
    assert paused.count(None) == 32
    assert paused[-1] is not None


@pytest.mark.parametrize("aliases", [("z",), ("x", "z"), ()])
def test_a_signature_with_other_inputs_takes_the_general_path(aliases):
    templates = RequestTemplates(PredictRequest)
    templates.find(predict(1))
    template = templates.find(predict(1))
    inputs = tuple(TensorSpec(alias, f"{alias}:0", "float32", None) for alias in aliases)
    form = Tensors(template.group, PredictResponses(tensor_content=False))
    rows = form.read(Signature("s", "", inputs, ()), [(template, predict(1))])
    assert not rows.inputs
