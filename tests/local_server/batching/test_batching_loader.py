"""The loader of batched models: for all models, or for those with a file."""

import threading
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchedModel, BatchingParameters, batched
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

PATH = Path("model")
FILE = "batching_params.pbtxt"


def too_large(model):
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", {"x": np.zeros(100, np.float32)})
    return caught.value.message


@pytest.fixture
def load(new_model):
    return lambda path: new_model()


def test_without_parameters_nothing_is_batched(load):
    assert batched(load, None) is load
    assert batched(load, None, per_model=True) is load


def test_with_parameters_every_model_is_batched_by_them(load):
    wrapped = batched(load, BatchingParameters(max_batch_size=3))
    for model in (wrapped(PATH), wrapped(PATH)):
        assert too_large(model) == "Task size 100 is larger than maximum input batch size 3"
        model.close()


def test_models_share_one_pool_of_the_given_size_and_name(load):
    wrapped = batched(load, BatchingParameters(num_batch_threads=3, thread_pool_name="shared"))
    models = [wrapped(PATH), wrapped(PATH)]
    names = sorted(t.name for t in threading.enumerate() if t.name.startswith("shared"))
    assert names == ["shared-0", "shared-1", "shared-2"]
    for model in models:
        model.close()


def test_per_model_a_model_with_a_file_is_batched_by_it_alone(load, tmp_path):
    (tmp_path / FILE).write_text("max_batch_size { value: 7 } num_batch_threads { value: 99 }")
    pool = BatchingParameters(max_batch_size=3, num_batch_threads=1, thread_pool_name="mine")
    model = batched(load, pool, per_model=True)(tmp_path)
    assert too_large(model) == "Task size 100 is larger than maximum input batch size 7"
    assert [t.name for t in threading.enumerate() if t.name.startswith("mine")] == ["mine-0"]
    model.close()


def test_per_model_a_model_without_a_file_is_not_batched(load, new_model, tmp_path):
    model = batched(load, BatchingParameters(max_batch_size=3), per_model=True)(tmp_path)
    assert isinstance(model, new_model)


def test_a_models_own_file_counts_only_when_asked_for(load, tmp_path):
    (tmp_path / FILE).write_text("nonsense")
    model = batched(load, BatchingParameters(max_batch_size=3))(tmp_path)
    assert isinstance(model, BatchedModel)
    model.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "Invalid protobuf file: '{path}'"),
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        (
            "allowed_batch_sizes: 4",
            (
                "Last entry in allowed_batch_sizes must match max_batch_size; "
                "last entry was 4; expected 1000"
            ),
        ),
    ],
)
def test_a_models_file_that_is_wrong_fails_its_load_before_it_begins(tmp_path, text, message):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LoadError) as caught:
        batched(pytest.fail, BatchingParameters(), per_model=True)(tmp_path)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == message.format(path=tmp_path / FILE)


def test_a_pool_of_no_threads_is_refused_before_any_model_is_loaded(load):
    with pytest.raises(StatusError, match="num_batch_threads must be positive; was 0"):
        batched(load, BatchingParameters(num_batch_threads=0))


def test_a_load_that_fails_leaves_no_thread_behind():
    def load(path):
        raise LoadError(Code.NOT_FOUND, "no weights")

    with pytest.raises(LoadError, match="no weights"):
        batched(load, BatchingParameters(thread_pool_name="failed"))(PATH)
    assert not [t for t in threading.enumerate() if t.name.startswith("failed")]
