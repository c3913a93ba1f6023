"""The batching parameters file: every field, its default, and the texts of errors."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cloudserve.local_server.batching import (
    BatchingParameters,
    default_parameters,
    read_parameters,
)
from cloudserve.local_server.batching.parameters import check_pool, check_queues
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError

UPSTREAM_SAMPLE = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1000000 }
num_batch_threads { value: 8 }
"""


def parse_parameters(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        return read_parameters(Path(file.name))


def test_an_empty_file_has_the_schedulers_defaults():
    assert parse_parameters("") == BatchingParameters(
        max_batch_size=1000,
        batch_timeout_micros=0,
        max_enqueued_batches=10,
        num_batch_threads=os.cpu_count(),
        thread_pool_name="batch_threads",
        enable_large_batch_splitting=False,
        max_execution_batch_size=None,
        allowed_batch_sizes=(),
        pad_variable_length_inputs=False,
    )


def test_without_a_file_only_the_pools_name_differs():
    assert default_parameters() == BatchingParameters(thread_pool_name="model_server_batch_threads")


def test_upstreams_sample_is_read():
    assert parse_parameters(UPSTREAM_SAMPLE) == BatchingParameters(
        max_batch_size=128, max_enqueued_batches=1000000, num_batch_threads=8
    )


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("max_batch_size { value: 5 }", "max_batch_size", 5),
        ("max_batch_size: { value: 5 }", "max_batch_size", 5),
        ("max_batch_size < value: 5 >  # why", "max_batch_size", 5),
        ("max_batch_size {}", "max_batch_size", 0),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros", -1),
        ("max_enqueued_batches { value: 7 }", "max_enqueued_batches", 7),
        ("num_batch_threads { value: 0 }", "num_batch_threads", 0),
        ("thread_pool_name { value: 'p' }", "thread_pool_name", "p"),
        ("enable_large_batch_splitting { value: true }", "enable_large_batch_splitting", True),
        ("max_execution_batch_size { value: 3 }", "max_execution_batch_size", 3),
        ("allowed_batch_sizes: 2 allowed_batch_sizes: 4", "allowed_batch_sizes", (2, 4)),
        ("allowed_batch_sizes: [2, 4]", "allowed_batch_sizes", (2, 4)),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs", True),
    ],
)
def test_every_field_is_read(text, field, value):
    assert parse_parameters(text) == BatchingParameters(**{field: value})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("max_batch_size: 5", "1:17 : 'max_batch_size: 5': Expected"),
        ("surprise { value: 1 }", "no field named"),
        ("max_batch_size { size: 1 }", "no field named"),
        ("max_batch_size { value: 1.5 }", "Couldn't parse integer"),
        ("max_batch_size { value: 9223372036854775808 }", "Value out of range"),
        ("max_batch_size { value: 1", "Expected"),
        ("pad_variable_length_inputs: maybe", "Expected"),
        ("thread_pool_name { value: '\\xff' }", "invalid start byte"),
    ],
)
def test_an_invalid_parameters_file_is_refused_and_the_place_logged(tmp_path, caplog, text, hint):
    path = tmp_path / "batching.txt"
    path.write_text(text)
    with pytest.raises(StatusError) as caught:
        read_parameters(path)
    assert caught.value.message == f"Invalid protobuf file: '{path}'"
    assert isinstance(caught.value, UserError)
    (line,) = caplog.messages
    assert line.startswith("Error parsing text-format tensorflow.serving.BatchingParameters: ")
    assert hint in line


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "batching.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StatusError, match="Invalid protobuf file"):
        read_parameters(path)


def test_a_file_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(StatusError) as caught:
        read_parameters(tmp_path / "none")
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == f"{tmp_path / 'none'}; No such file or directory"


@given(st.text())
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "batching.txt"
    path.write_text(text, "utf-8", errors="replace")
    try:
        parameters = read_parameters(path)
    except StatusError as error:
        assert error.message == f"Invalid protobuf file: '{path}'"
    else:
        assert isinstance(parameters, BatchingParameters)


@pytest.mark.parametrize("threads", [0, -1])
def test_a_pool_of_no_threads_is_refused(threads):
    with pytest.raises(StatusError) as caught:
        check_pool(BatchingParameters(num_batch_threads=threads))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"num_batch_threads must be positive; was {threads}"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (2, 4)},
            (
                "Last entry in allowed_batch_sizes must match max_batch_size; "
                "last entry was 4; expected 8"
            ),
        ),
        (
            {"allowed_batch_sizes": (4,)},
            (
                "Last entry in allowed_batch_sizes must match max_batch_size; "
                "last entry was 4; expected 1000"
            ),
        ),
        (
            {"max_batch_size": 4, "allowed_batch_sizes": (2, 2, 4)},
            "allowed_batch_sizes entries must be monotonically increasing",
        ),
        ({"max_batch_size": 0}, "max_batch_size must be positive; was 0"),
        ({"max_batch_size": -3}, "max_batch_size must be positive; was -3"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative; was -1"),
        ({"max_enqueued_batches": -1}, "max_enqueued_batches must be non-negative; was -1"),
        (
            {"enable_large_batch_splitting": True, "max_execution_batch_size": 0},
            "max_execution_batch_size must be positive; was 0",
        ),
        (
            {
                "max_batch_size": 4,
                "enable_large_batch_splitting": True,
                "max_execution_batch_size": 5,
            },
            (
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater "
                "than or equal to max_execution_batch_size."
            ),
        ),
    ],
)
def test_impossible_queue_parameters_fail_the_load(parameters, message):
    with pytest.raises(LoadError) as caught:
        check_queues(BatchingParameters(**parameters))
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_batch_size": 4, "allowed_batch_sizes": (1, 2, 4)},
        {"max_enqueued_batches": 0},
        {"max_batch_size": 4, "max_execution_batch_size": 5},
    ],
)
def test_possible_queue_parameters_are_accepted(parameters):
    check_queues(BatchingParameters(**parameters))


@pytest.mark.parametrize(
    ("parameters", "limit"),
    [
        ({"max_batch_size": 8}, 8),
        ({"max_batch_size": 8, "max_execution_batch_size": 4}, 8),
        ({"max_batch_size": 8, "enable_large_batch_splitting": True}, 8),
        (
            {
                "max_batch_size": 8,
                "enable_large_batch_splitting": True,
                "max_execution_batch_size": 4,
            },
            4,
        ),
    ],
)
def test_the_execution_limit_is_another_one_only_when_splitting(parameters, limit):
    assert BatchingParameters(**parameters).execution_limit == limit


def test_the_message_lives_beside_tensorflows_own_wrappers(tmp_path):
    file = tmp_path / "parameters"
    file.write_text("max_batch_size { value: 3 }")
    code = (
        "import sys; from pathlib import Path;"
        "import cloudserve.local_server.batching.parameters as p;"
        "from google.protobuf import wrappers_pb2;"
        "assert p.read_parameters(Path(sys.argv[1])).max_batch_size == 3;"
        "assert wrappers_pb2.Int64Value(value=3).value == 3"
    )
    run = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert run.returncode == 0
