"""TensorFlow Lite models: the interpreter's own answers, TensorFlow Serving's rules."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.runtime.lite.model import load_lite
from cloudserve.local_server.runtime.lite.pool import Pool
from cloudserve.local_server.runtime.lite.runner import Runner
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.modelfiles.files import find_model_file
from tests.damaged_files import VARIANTS, load_damaged
from tests.model_files import tflite_bytes, write

litert = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="pip install 'cloudserve[tflite]'"
)


@pytest.fixture(scope="module")
def data():
    return tflite_bytes()


@pytest.fixture
def load(tmp_path):
    def make(data, **options):
        return load_lite(find_model_file(write(tmp_path / "model.tflite", data)), **options)

    return make


def refusal(model, inputs):
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", inputs)
    return caught.value.code, caught.value.message


def directly(data, x):
    """Return the interpreter's own answer."""
    interpreter = litert.Interpreter(model_content=data)
    interpreter.resize_tensor_input(0, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, x)
    interpreter.invoke()
    return interpreter.get_tensor(4)


def test_answers_are_the_interpreters_for_any_shape(load, data):
    model = load(data)
    for shape in [(3,), (1,), (0,), (2, 3), (), (3,)]:
        x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        y = model.run("serving_default", {"x": x})["y"]
        expected = directly(data, x)
        assert y.shape == shape
        assert y.tobytes() == np.asarray(expected).tobytes()


def test_an_answer_is_not_changed_by_the_next(load, data):
    model = load(data, interpreters=1)
    first = model.run("serving_default", {"x": np.float32([1, 2])})["y"]
    model.run("serving_default", {"x": np.float32([8, 9])})
    assert first.tolist() == [2.5, 3.0]


def test_tensorflow_servings_names_are_used_on_request(load, data):
    model = load(data, as_tensorflow_serving=True)
    outputs = model.run("serving_default", {"serving_default_x": np.float32([2])})
    assert {name: array.tolist() for name, array in outputs.items()} == {"PartitionedCall": [3.0]}
    info = model.definitions["serving_default"].inputs["serving_default_x"]
    assert (info.name, info.dtype) == ("serving_default_x:0", 1)
    assert [dim.size for dim in info.tensor_shape.dim] == [1]


def test_open_dimensions_are_shown(load, data):
    info = load(data).definitions["serving_default"].inputs["x"]
    assert [dim.size for dim in info.tensor_shape.dim] == [-1]


def test_threads_share_interpreters(load, data):
    model = load(data, interpreters=3)
    with ThreadPoolExecutor(8) as pool:
        xs = [np.full(1 + n % 5, n, np.float32) for n in range(200)]
        answers = list(pool.map(lambda x: model.run("serving_default", {"x": x})["y"], xs))
    for x, y in zip(xs, answers, strict=True):
        assert y.tolist() == (x / 2 + 2).tolist()


def test_another_element_type_or_a_missing_input_is_invalid(load, data):
    model = load(data)
    said = refusal(model, {"x": np.float64([1])})
    assert said == (
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be float but double is provided",
    )
    assert refusal(model, {}) == (Code.INVALID_ARGUMENT, "Missing input TFLite tensor: x")


def two_largest(model):
    """Answer with the two largest numbers of each row."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.TOPK_V2
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.TOPK_V2
    model.buffers[1].data = list(np.int32(2).tobytes())
    for number in (1, 3):
        graph.tensors[number].type = schema.TensorType.INT32
    for number in (0, 3, 4):
        graph.tensors[number].shape, graph.tensors[number].shapeSignature = [1, 4], [-1, 4]
    graph.operators = graph.operators[:1]
    graph.operators[0].outputs = [4, 3]


def test_an_answer_to_no_rows_is_empty(load):
    model = load(tflite_bytes(two_largest), interpreters=1)
    rows = np.float32([[1, 4, 3, 2]])
    assert model.run("serving_default", {"x": rows})["y"].tolist() == [[4, 3]]
    assert model.run("serving_default", {"x": rows[:0]})["y"].shape == (0, 2)
    assert model.run("serving_default", {"x": rows})["y"].tolist() == [[4, 3]]


def nonzero(model):
    """Answer with the places of the numbers that are not 0, which may be none."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.WHERE
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.WHERE
    graph.tensors[4].type = schema.TensorType.INT64
    graph.tensors[4].shape, graph.tensors[4].shapeSignature = [0, 1], [-1, 1]
    graph.operators = graph.operators[:1]
    graph.operators[0].inputs, graph.operators[0].outputs = [0], [4]


def test_an_empty_answer_is_an_answer(load):
    model = load(tflite_bytes(nonzero), interpreters=1)
    for x, places in (([0, 5], [[1]]), ([0, 0], []), ([3, 0], [[0]])):
        y = model.run("serving_default", {"x": np.float32(x)})["y"]
        assert (y.dtype, y.shape[1:], y.tolist()) == (np.int64, (1,), places)


def matrix(model):
    """Make the addition one of `[2]` and the input, which has to fit."""
    model.buffers[2].data = list(np.float32([1, 2]).tobytes())
    model.subgraphs[0].tensors[2].shape = [2]
    for number in (0, 3, 4):
        model.subgraphs[0].tensors[number].shape = [2]


def test_a_shape_that_the_model_cannot_take_is_an_error_and_the_next_request_is_answered(load):
    model = load(tflite_bytes(matrix), interpreters=1)
    for _ in range(2):
        code, message = refusal(model, {"x": np.zeros(3, np.float32)})
        assert code is Code.INTERNAL
        assert message.startswith("Failed to allocate tensors: ")
    assert model.run("serving_default", {"x": np.zeros(2, np.float32)})["y"].tolist() == [1, 2]


def test_the_library_keeps_no_texts_of_errors_for_long(load, monkeypatch):
    from cloudserve.local_server.runtime.lite import runner as module

    monkeypatch.setattr(module, "_MOST_SAID", 500)
    model = load(tflite_bytes(matrix), interpreters=1)
    said, runners = set(), set()
    for _ in range(20):
        said.add(refusal(model, {"x": np.zeros(3, np.float32)}))
        with model._pool.lent([]) as runner:
            runners.add(runner)
            assert len(runner._said) <= 500
    assert len(said) == 1
    assert len(runners) > 1


def test_a_model_of_known_ops_without_state_may_be_batched(load, data):
    assert load(data).stateless == {"serving_default"}

    def stateful(model):
        model.subgraphs[0].tensors[3].isVariable = True

    assert load(tflite_bytes(stateful)).stateless == frozenset()


def test_a_closed_model_refuses(load, data):
    model = load(data)
    model.close()
    said = refusal(model, {"x": np.float32([1])})
    assert said == (Code.CANCELLED, "Session has been closed.")


def custom(model):
    code = model.operatorCodes[1]
    code.builtinCode = code.deprecatedBuiltinCode = 32
    code.customCode = "FlexErf"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda data: data[:300], "damaged|cannot be run"),
        (lambda _: b"no model at all", "is not a TensorFlow Lite model"),
        (lambda _: tflite_bytes(custom), "it has ops of TensorFlow, .* lacks: FlexErf$"),
    ],
)
def test_a_broken_file_is_one_sentence(load, data, broken, said):
    with pytest.raises(LoadError, match=said) as caught:
        load(broken(data))
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_damaged_file_loads_or_is_refused(tmp_path, data):
    done = load_damaged(write(tmp_path / "m.tflite", data))
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < VARIANTS


class Tensors:
    """Stands for an interpreter that counts its instances."""

    made = 0

    def __init__(self):
        Tensors.made += 1


def test_the_pool_makes_no_more_interpreters_than_it_may_and_waits_for_one():
    Tensors.made = 0
    pool = Pool(lambda: Runner(Tensors()), 2)
    arrays = [np.zeros(1)]
    waited = threading.Event()

    def third():
        with pool.lent(arrays):
            waited.set()

    with pool.lent(arrays) as first, pool.lent(arrays) as second:
        assert first is not second
        thread = threading.Thread(target=third)
        thread.start()
        assert not waited.wait(0.05)
    thread.join(60)
    assert waited.is_set()
    assert Tensors.made == 2


def test_a_failed_interpreter_leaves_its_place_to_another():
    answers = iter([Runner(Tensors()), MemoryError(), OSError()])

    def make():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = Pool(make, 2)
    arrays = [np.zeros(1)]
    with pool.lent(arrays):
        for error in (MemoryError, OSError):
            with pytest.raises(error), pool.lent(arrays):
                pass


def test_an_interpreter_that_ran_much_larger_inputs_is_replaced(load, data, monkeypatch):
    from cloudserve.local_server.runtime.lite import runner as module

    monkeypatch.setattr(module, "_MOST_IDLE_BYTES", 1000)
    runner = Runner(None)
    large, small = [np.zeros(4000, np.uint8)], [np.zeros(10, np.uint8)]
    assert not runner.is_oversized(small)
    model = load(data, interpreters=1)
    model.run("serving_default", {"x": np.zeros(1000, np.float32)})
    with model._pool.lent(small) as fresh:
        assert not fresh.is_oversized(small)
    model.run("serving_default", {"x": np.zeros(1000, np.float32)})
    with model._pool.lent(large) as same:
        assert same.is_oversized(small)
        assert not same.is_oversized(large)
