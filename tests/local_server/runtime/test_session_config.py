"""Sessions are made as flags and a ConfigProto file say."""

import logging

import numpy as np
import pytest
from cloudserve.local_server.assembly import make_loader
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.runtime.config import read_config, session_config
from cloudserve.local_server.runtime.devices import Device
from cloudserve.local_server.runtime.loading.restore import restore
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.replicas import replicas_of
from cloudserve.local_server.runtime.session import load_model, session_loader
from cloudserve.local_server.status import Code, StatusError

FILE = """\
intra_op_parallelism_threads: 5
inter_op_parallelism_threads: 6
gpu_options { per_process_gpu_memory_fraction: 0.25 }
device_count { key: "CPU" value: 3 }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "session.config"
    path.write_text(FILE)
    return path


def flags(*arguments):
    return flag_options(parse_flags(["--model_base_path=/m", *arguments]))


def config(*devices, **options):
    return session_config(read_config(SessionOptions(**options)), devices)


def threads(**options):
    made = config(**options)
    return made.intra_op_parallelism_threads, made.inter_op_parallelism_threads


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (1, 0)),
        ({"parallelism": 4}, (4, 4)),
        ({"intra_op_threads": 2}, (2, 0)),
        ({"inter_op_threads": 3}, (1, 3)),
        ({"intra_op_threads": 2, "inter_op_threads": 3}, (2, 3)),
        ({"parallelism": 4, "inter_op_threads": 3}, (1, 3)),
        ({"parallelism": -4, "intra_op_threads": -1}, (1, 0)),
    ],
)
def test_threads_are_those_of_the_more_exact_flags(options, expected):
    assert threads(**options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, (5, 6)), ({"parallelism": 4}, (4, 4)), ({"inter_op_threads": 3}, (5, 3))],
)
def test_flags_go_before_the_file_where_they_are_given(file, options, expected):
    assert threads(config_file=file, **options) == expected


def test_memory_grows_unless_a_share_is_asked_for(file):
    assert config().gpu_options.allow_growth
    shared = config(gpu_memory_fraction=0.5).gpu_options
    assert (shared.per_process_gpu_memory_fraction, shared.allow_growth) == (0.5, False)
    filed = config(config_file=file).gpu_options
    assert (filed.per_process_gpu_memory_fraction, filed.allow_growth) == (0.25, False)
    both = config(config_file=file, gpu_memory_fraction=1.5).gpu_options
    assert both.per_process_gpu_memory_fraction == 1.5


def test_there_are_as_many_cpu_devices_as_are_named(file):
    assert config(Device("CPU", 0)).device_count == {}
    assert config(Device("CPU", 3), Device("GPU", 0)).device_count == {"CPU": 4}
    assert config(Device("CPU", 1), config_file=file).device_count == {"CPU": 3}


def test_a_session_has_what_the_file_says(shared_models, file):
    made = config(config_file=file)
    restored = restore(shared_models / "tfs_counter/123", ("serve",), made)
    devices = [name.rpartition("/")[2] for name in restored.session.devices()]
    assert devices == ["device:CPU:0", "device:CPU:1", "device:CPU:2"]
    restored.session.close()


@pytest.mark.parametrize("options", [{"inter_op_threads": 2}, {"parallelism": 2}])
def test_a_model_run_in_tensorflows_threads_gives_the_same(shared_models, options):
    model = load_model(
        shared_models / "tfs_half_plus_two_tf2/123", options=SessionOptions(**options)
    )
    outputs = model.run("serving_default", {"x": np.array([1, 5], np.float32)})
    assert outputs["y"].tolist() == [2.5, 4.5]
    model.close()


# Files and flags that are wrong.


def refusal(make):
    with pytest.raises(StatusError) as caught:
        make()
    return caught.value.code, caught.value.message


def test_a_file_that_is_no_config_is_refused_before_any_model(tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    file = tmp_path / "x"
    file.write_text("intra_op_parallelism_threads: many")
    code, message = refusal(lambda: session_loader(options=SessionOptions(config_file=file)))
    assert (code, message) == (Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{file}'")
    assert caplog.messages == [
        (
            "Error parsing text-format tensorflow.ConfigProto: "
            "1:31 : 'intra_op_parallelism_threads: many': Couldn't parse integer: many"
        )
    ]


def test_a_file_that_is_missing_is_refused_before_any_model(tmp_path):
    code, message = refusal(
        lambda: session_loader(options=SessionOptions(config_file=tmp_path / "x"))
    )
    assert (code, message) == (Code.NOT_FOUND, f"{tmp_path / 'x'}; No such file or directory")


def test_all_three_kinds_of_threads_are_refused_in_tensorflow_servings_words():
    names = ("session", "intra_op", "inter_op")
    arguments = [f"--tensorflow_{name}_parallelism=1" for name in names]
    assert refusal(lambda: flags(*arguments)) == (
        Code.INVALID_ARGUMENT,
        (
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. "
            "You cannot configure all."
        ),
    )


@pytest.mark.parametrize("share", ["-0.5", "nan"])
def test_an_invalid_share_is_refused(share):
    code, message = refusal(lambda: flags(f"--per_process_gpu_memory_fraction={share}"))
    assert (code, message) == (
        Code.INVALID_ARGUMENT,
        f"per_process_gpu_memory_fraction must not be {share}.",
    )


# From flags to a loader.


def test_flags_say_how_sessions_are_made(file):
    session = flags(
        "--tensorflow_intra_op_parallelism=2",
        "--tensorflow_inter_op_parallelism=3",
        f"--tensorflow_session_config_file={file}",
        "--per_process_gpu_memory_fraction=0.5",
        "--devices=cpu:0,gpu:all",
    ).session
    assert session == SessionOptions(
        intra_op_threads=2,
        inter_op_threads=3,
        config_file=file,
        gpu_memory_fraction=0.5,
        devices=("cpu:0", "gpu:all"),
    )
    assert flags("--tensorflow_session_parallelism=4").session == SessionOptions(parallelism=4)
    assert flags().session == SessionOptions()


def test_a_server_loads_models_so(shared_models):
    load = make_loader(flags("--devices=cpu:0,cpu:1", "--enable_batching"))
    model = load(shared_models / "tfs_half_plus_two_cpu/123")
    outputs = model.run("serving_default", {"x": np.array([[1], [5]], np.float32)})
    assert outputs["y"].tolist() == [[2.5], [4.5]]
    model.close()
    assert len(replicas_of(make_loader(flags())(shared_models / "tfs_counter/123"))) == 1
