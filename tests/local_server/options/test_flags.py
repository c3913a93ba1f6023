"""tensorflow_model_server's command line: what parses, what does not, what is unknown."""

import pytest
from cloudserve.local_server.options.flag_table import FLAGS
from cloudserve.local_server.options.flags import parse_flags, usage
from hypothesis import given
from hypothesis import strategies as st


def value(argument, name):
    flags = parse_flags([argument])
    assert flags.is_usable
    assert not flags.unknown
    return flags.values[name]


@pytest.mark.parametrize(
    ("argument", "name", "expected"),
    [
        ("--port=9000", "port", 9000),
        ("--port= 9000", "port", 9000),
        ("--port=-1", "port", -1),
        ("--model_name=", "model_name", ""),
        ("--model_name=a=b", "model_name", "a=b"),
        ("--load_retry_interval_micros=5000000000", "load_retry_interval_micros", 5_000_000_000),
        ("--per_process_gpu_memory_fraction=.5", "per_process_gpu_memory_fraction", 0.5),
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=true", "enable_batching", True),
        ("--enable_model_warmup=false", "enable_model_warmup", False),
    ],
)
def test_a_flag_is_a_name_an_equals_sign_and_a_value(argument, name, expected):
    assert value(argument, name) == expected


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--port=x", "Couldn't interpret value =x for flag port."),
        ("--port=", "Couldn't interpret value = for flag port."),
        ("--port=1.0", "Couldn't interpret value =1.0 for flag port."),
        ("--port=2147483648", "Couldn't interpret value =2147483648 for flag port."),
        ("--port=" + "9" * 5000, f"Couldn't interpret value ={'9' * 5000} for flag port."),
        ("--enable_batching=1", "Couldn't interpret value =1 for flag enable_batching."),
        ("--enable_batching=True", "Couldn't interpret value =True for flag enable_batching."),
        (
            "--per_process_gpu_memory_fraction=half",
            "Couldn't interpret value =half for flag per_process_gpu_memory_fraction.",
        ),
    ],
)
def test_a_value_that_does_not_parse_makes_the_line_unusable(argument, problem):
    flags = parse_flags([argument])
    assert not flags.is_usable
    assert flags.problems == (problem,)


@pytest.mark.parametrize(
    "argument", ["--nonsense=1", "-port=1", "port=1", "--port", "x", "--enable_batchin"]
)
def test_an_unknown_argument_leaves_the_other_flags_usable(argument):
    flags = parse_flags([argument, "--model_name=m"])
    assert flags.unknown == (argument,)
    assert flags.is_usable
    assert flags.text("model_name") == "m"


def test_a_value_after_a_space_is_not_taken():
    assert parse_flags(["--port", "9000"]).unknown == ("--port", "9000")


def test_help_makes_the_line_unusable():
    assert not parse_flags(["--help"]).is_usable


def test_nothing_is_read_after_two_dashes():
    flags = parse_flags(["--port=1", "--", "--port=2"])
    assert flags.number("port") == 1
    assert flags.unknown == ("--", "--port=2")


def test_the_last_of_several_counts():
    assert parse_flags(["--port=1", "--port=2"]).number("port") == 2


def test_omitted_flags_have_tensorflow_servings_defaults():
    # tensorflow_serving/model_servers/server.h, main.cc.
    flags = parse_flags([])
    assert flags.values["port"] == 8500
    assert flags.values["rest_api_port"] == 0
    assert flags.values["rest_api_timeout_in_ms"] == 30_000
    assert flags.values["model_name"] == "default"
    assert flags.values["max_num_load_retries"] == 5
    assert flags.values["load_retry_interval_micros"] == 60_000_000
    assert flags.values["file_system_poll_wait_seconds"] == 1
    assert flags.values["saved_model_tags"] == "serve"
    assert flags.values["enable_model_warmup"] is True


def test_flags_without_effect_are_reported_when_they_are_given():
    names = parse_flags(
        ["--flush_filesystem_caches", "--port=1", "--enable_profiler"]
    ).without_effect()
    assert names == ("flush_filesystem_caches", "enable_profiler")
    assert parse_flags([]).without_effect() == ()


def test_the_usage_shows_every_flag_with_its_default_and_type():
    text = usage("server")
    assert text.startswith("usage: server\nFlags:\n")
    for flag in FLAGS:
        assert f"\t--{flag.name}=" in text
    assert "\t--load_retry_interval_micros=60000000\tint64\t" in text
    assert '\t--saved_model_tags="serve"       \tstring\t' in text
    assert text.count("\n") == len(FLAGS) + 2


@given(st.lists(st.text()))
def test_any_line_is_read(arguments):
    flags = parse_flags(arguments)
    assert set(flags.unknown) <= set(arguments)


@given(st.integers(-(2**31), 2**31 - 1), st.text().filter(lambda text: "\0" not in text))
def test_values_come_back_as_they_were_written(number, text):
    flags = parse_flags([f"--port={number}", f"--model_name={text}"])
    assert (flags.number("port"), flags.text("model_name")) == (number, text)
