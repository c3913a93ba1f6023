"""`logging_config` of a model: TensorFlow Serving has the message but no logger."""

import pytest
from cloudserve.local_server.config import (
    LoggingConfig,
    model_server_config,
    parse_text_proto,
    read_config,
)
from cloudserve.local_server.runtime.tensorflow import import_tensorflow
from cloudserve.local_server.status import Code, StatusError


def logging(text):
    config = f'name: "m" base_path: "/m" model_platform: "tensorflow" {text}'
    message = parse_text_proto(
        f"model_config_list {{ config {{ {config} }} }}".encode(), model_server_config()
    )
    (model,) = read_config(message).models
    return model.logging


def test_a_model_without_it_says_nothing():
    assert logging("") is None


@pytest.mark.parametrize("kind", ["", 'type: "file"'])
def test_the_prefix_of_the_files_and_the_sampling_rate_are_read(kind):
    assert logging(
        f"""logging_config {{
          log_collector_config {{ {kind} filename_prefix: "/logs/m" }}
          sampling_config {{ sampling_rate: 0.25 }}
        }}"""
    ) == LoggingConfig("/logs/m", 0.25)


def test_without_a_sampling_rate_nothing_is_chosen_as_with_upstreams_sampler():
    config = logging('logging_config { log_collector_config { filename_prefix: "/logs/m" } }')
    assert config.sampling_rate == 0


def test_sampling_fields_of_googles_own_servers_are_ignored():
    assert logging(
        """logging_config {
          log_collector_config { filename_prefix: "/logs/m" }
          sampling_config {
            sampling_rate: 0.5 attributes: 3
            per_task_sampling_configs { dc: "a" task_index: 1 sampling_rate: 1 }
          }
        }"""
    ) == LoggingConfig("/logs/m", 0.5)


def test_a_custom_logger_is_refused():
    with pytest.raises(StatusError) as caught:
        logging('logging_config { custom_logging_config { type_url: "x" } }')
    assert caught.value.code is Code.UNIMPLEMENTED
    assert caught.value.message == "The custom_logging_config of model m is not served"


def test_the_messages_are_those_of_the_generated_package():
    import_tensorflow()
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    theirs = ModelServerConfig()
    model = theirs.model_config_list.config.add(name="m", base_path="/m", model_platform="p")
    model.logging_config.log_collector_config.filename_prefix = "/logs/m"
    sampling = model.logging_config.sampling_config
    sampling.sampling_rate, sampling.attributes = 0.5, 3
    sampling.per_task_sampling_configs.add(dc="a", task_index=1, sampling_rate=1)
    ours = model_server_config().FromString(theirs.SerializeToString())
    assert str(ours) == str(theirs)
    (read,) = read_config(theirs).models
    assert read.logging == LoggingConfig("/logs/m", 0.5)


@pytest.mark.parametrize(
    ("collector", "rate", "code", "text"),
    [
        (
            'type: "kafka" filename_prefix: "/l"',
            "1",
            Code.NOT_FOUND,
            "Cannot find LogCollector::Factory for type: kafka",
        ),
        (
            "",
            "1",
            Code.INVALID_ARGUMENT,
            (
                "The log_collector_config of model m needs a filename_prefix that is an absolute "
                "path; got ''"
            ),
        ),
        (
            'filename_prefix: "l"',
            "1",
            Code.INVALID_ARGUMENT,
            (
                "The log_collector_config of model m needs a filename_prefix that is an absolute "
                "path; got 'l'"
            ),
        ),
        *(
            (
                'filename_prefix: "/l"',
                rate,
                Code.INVALID_ARGUMENT,
                f"The sampling_rate of model m must be between 0 and 1; got {rate}",
            )
            for rate in ("1.5", "-0.1", "nan")
        ),
    ],
)
def test_an_invalid_logging_config_is_refused(collector, rate, code, text):
    with pytest.raises(StatusError) as caught:
        logging(
            f"logging_config {{ log_collector_config {{ {collector} }} "
            f"sampling_config {{ sampling_rate: {rate} }} }}"
        )
    assert (caught.value.code, caught.value.message) == (code, text)
