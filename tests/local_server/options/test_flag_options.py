"""tensorflow_model_server's flags as options of a server."""

from pathlib import Path

import pytest
from cloudserve.local_server.codecs.limits import JsonLimits
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.server_options import Address, BatchingOptions, Startup
from cloudserve.local_server.status import Code, StatusError


def options(*arguments):
    return flag_options(parse_flags(["--model_base_path=/models/m", *arguments]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model_base_path=/m", "--port=0"],
            (
                "At least one of server_options.grpc_port or server_options.grpc_socket_path "
                "must be set."
            ),
        ),
        (
            ["--model_base_path=/m", "--use_alts_credentials", "--ssl_config_file=/x"],
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            [],
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            ["--model_base_path=/m", "--batching_parameters_file=/x"],
            (
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            ),
        ),
    ],
)
def test_contradictory_flags_are_refused_with_tensorflow_servings_text(arguments, message):
    with pytest.raises(StatusError) as caught:
        flag_options(parse_flags(arguments))
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize("flag", ["--port=70000", "--port=-1", "--rest_api_port=65536"])
def test_a_number_that_is_not_a_port_is_refused_before_any_model_is_loaded(flag):
    with pytest.raises(StatusError) as caught:
        options(flag)
    assert caught.value.message == f"{flag} is not a port: choose one of 1 to 65535"


def test_one_model_is_named_by_flags():
    (model,) = options("--model_name=half").config.models
    assert (model.name, model.base_path) == ("half", "/models/m")


def test_a_configuration_file_goes_before_the_single_model():
    chosen = options("--model_config_file=/x", "--model_config_file_poll_wait_seconds=7")
    assert chosen.config.models == ()
    assert (chosen.config_file, chosen.config_poll_seconds) == (Path("/x"), 7)


def test_rest_is_off_and_grpc_on_by_default():
    chosen = options()
    assert chosen.rest is None
    assert chosen.grpc.address == Address("0.0.0.0", 8500)
    assert chosen.startup is Startup.EVERY


def test_rest_listens_everywhere_and_times_out_after_half_a_minute():
    rest = options("--rest_api_port=8501").rest
    assert (rest.address, rest.seconds) == (Address("::", 8501), 30.0)
    assert (rest.cors, rest.pretty) == (False, False)
    assert options("--rest_api_port=8501", "--rest_api_timeout_in_ms=0").rest.seconds is None


def test_the_same_port_for_both_leaves_rest_out_with_a_line_in_the_log(caplog):
    assert options("--port=9", "--rest_api_port=9").rest is None
    assert "--rest_api_port cannot be same as --port." in caplog.text


def test_a_unix_socket_may_stand_in_for_the_grpc_port():
    grpc = options("--port=0", "--grpc_socket_path=/tmp/s").grpc
    assert (grpc.address, grpc.socket_path) == (None, Path("/tmp/s"))


def test_the_grpc_transport_is_native_unless_grpcio_is_selected():
    assert options().grpc.transport.value == "native"
    assert options("--grpc_transport=grpcio").grpc.transport.value == "grpcio"
    with pytest.raises(StatusError) as caught:
        options("--grpc_transport=http3")
    assert caught.value.message == "grpc_transport must be native or grpcio; was http3"


def test_channel_arguments_are_numbers_where_they_read_as_such():
    grpc = options("--grpc_channel_arguments=a=1,b=x,c=-2,d=").grpc
    assert grpc.channel_arguments == {"a": 1, "b": "x", "c": -2, "d": ""}


def test_rest_and_grpc_have_certificates_of_their_own_and_tokens_in_common():
    chosen = options("--rest_api_port=1", "--ssl_config_file=/g", "--rest_api_ssl_config_file=/r")
    assert (chosen.grpc.ssl_config_file, chosen.rest.ssl_config_file) == (Path("/g"), Path("/r"))
    assert chosen.auth_token_file is None
    assert options("--auth_token_file=/t").auth_token_file == Path("/t")


def test_batching_has_its_file_and_its_place():
    assert options().batching is None
    assert options("--enable_batching").batching == BatchingOptions()
    assert options(
        "--enable_batching",
        "--batching_parameters_file=/b",
        "--enable_per_model_batching_parameters",
    ).batching == BatchingOptions(Path("/b"), per_model=True)


def test_flags_without_effect_are_logged_in_one_line(caplog):
    options("--flush_filesystem_caches", "--mixed_precision=bfloat16")
    names = "--flush_filesystem_caches, --mixed_precision"
    assert caplog.messages == [f"ignored, no effect in this server: {names}"]


def test_flags_set_the_limits_of_json_bodies():
    assert options("--rest_api_port=1").rest.limits == JsonLimits(100 * 2**20, 2**22)
    flags = ["--rest_api_port=1", "--rest_api_max_inflated_bytes=7", "--rest_api_max_json_values=9"]
    assert options(*flags).rest.limits == JsonLimits(inflated_bytes=7, values=9)


@pytest.mark.parametrize("name", ["rest_api_max_inflated_bytes", "rest_api_max_json_values"])
def test_a_bound_of_nothing_is_refused(name):
    with pytest.raises(StatusError) as caught:
        options(f"--{name}=0")
    assert caught.value.message == f"--{name} must be more than 0"
