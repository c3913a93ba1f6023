"""ModelServerConfig in text form: valid configurations, and the texts of errors."""

import codecs
from pathlib import Path

import pytest
from cloudserve.local_server.config import (
    All,
    Latest,
    ModelConfig,
    ModelServerConfig,
    Specific,
    model_server_config,
    parse_text_file,
    parse_text_proto,
    read_config,
)
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st


def read(text):
    return read_config(parse_text_proto(text.encode(), model_server_config()))


def model(text):
    (result,) = read(f"model_config_list {{ config {{ {text} }} }}").models
    return result


def refused(config, before=None):
    with pytest.raises(StatusError) as caught:
        config.check(before)
    return caught.value.code, caught.value.message


def test_a_model_is_read_with_its_policy_and_labels():
    assert model("""
        name: "half" base_path: "/models/half" model_platform: "tensorflow"
        model_version_policy { specific { versions: 1 versions: 3 } }
        version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 3 }
    """) == ModelConfig(
        "half",
        "/models/half",
        policy=Specific(frozenset({1, 3})),
        labels={"stable": 1, "canary": 3},
    )


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Latest(1)),
        ("model_version_policy {}", Latest(1)),
        ("model_version_policy { latest {} }", Latest(1)),
        ("model_version_policy { latest { num_versions: 2 } }", Latest(2)),
        ("model_version_policy { all {} }", All()),
        ("model_version_policy { specific { versions: 7 } }", Specific(frozenset({7}))),
    ],
)
def test_an_omitted_policy_means_the_latest_version(text, policy):
    assert model(f'name: "m" base_path: "/m" model_platform: "tensorflow" {text}').policy == policy


def test_separators_quotes_and_comments_of_the_text_form_are_taken():
    # tensorflow_serving/model_servers/test_util/good_model_config.txt is written like this.
    config = read("""
        # two models
        model_config_list: {
          config: { name: "a", base_path: '/a', model_platform: "tensorflow" },
          config: { name: 'b'; base_path: "/b"; model_type: TENSORFLOW; };
        }
    """)
    assert [(m.name, m.base_path) for m in config.models] == [("a", "/a"), ("b", "/b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name: "m" base_path: "/m"',
            (
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                "ModelServerConfig::model_platform, model name is m"
            ),
        ),
        (
            'name: "m" base_path: "/m" model_type: TENSORFLOW model_platform: "tensorflow"',
            (
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform, model name is m"
            ),
        ),
        (
            'name: "m" base_path: "/m" model_type: OTHER',
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(text, message):
    with pytest.raises(StatusError) as caught:
        model(text)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


def test_a_custom_configuration_is_not_served():
    with pytest.raises(StatusError) as caught:
        read('custom_model_config { type_url: "x" }')
    assert caught.value.code is Code.UNIMPLEMENTED


def test_a_name_stands_once():
    twice = ModelServerConfig((ModelConfig("m", "/a"), ModelConfig("m", "/b")))
    assert refused(twice) == (
        Code.INVALID_ARGUMENT,
        "Illegal to list model m multiple times in config list",
    )


def test_a_base_path_is_absolute():
    assert refused(ModelServerConfig((ModelConfig("m", "models/m"),))) == (
        Code.INVALID_ARGUMENT,
        "Expected model m to have an absolute path or URI; got base_path()=models/m",
    )


def test_a_folder_may_be_written_as_a_url_and_no_other_machine_has_one():
    ModelServerConfig((ModelConfig("m", "file:///models/a%20b"),)).check()
    assert ModelConfig("m", "file:///models/a%20b").folder == Path("/models/a%20b")
    assert ModelConfig("m", "/models/m").folder == Path("/models/m")
    assert ModelConfig("m", "gs://bucket/m").folder is None
    assert refused(ModelServerConfig((ModelConfig("m", "file://host/m"),))) == (
        Code.INVALID_ARGUMENT,
        (
            "Model m has the base path file://host/m; served are folders of this machine (/ and "
            "file:///), gs:// and s3://"
        ),
    )


def test_other_platforms_are_refused_and_a_platform_does_not_change():
    other = ModelServerConfig((ModelConfig("m", "/m", platform="caffe"),))
    assert refused(other) == (
        Code.INVALID_ARGUMENT,
        "Model m requests unsupported platform caffe",
    )
    assert refused(other, ModelServerConfig((ModelConfig("m", "/m"),))) == (
        Code.INVALID_ARGUMENT,
        (
            "Illegal to change a model's platform. For model m platform was tensorflow and new "
            "platform requested is caffe"
        ),
    )


def test_a_message_without_any_list_may_come_first_but_takes_no_list_away():
    empty = read_config(model_server_config()())
    empty.check()
    empty.check(empty)
    assert refused(empty, ModelServerConfig()) == (
        Code.FAILED_PRECONDITION,
        (
            "Cannot transition to requested config. It is only legal to transition from one "
            "ModelConfigList to another."
        ),
    )


def test_a_file_that_is_not_a_configuration_is_reported_by_its_path_and_place(tmp_path, caplog):
    path = tmp_path / "models.config"
    path.write_text("model_config_list { nonsense: 1 }")
    with pytest.raises(StatusError) as caught:
        parse_text_file(path, model_server_config())
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"Invalid protobuf file: '{path}'"
    # Upstream's own test looks for this in the log.
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:21" in caplog.text


def test_the_byte_order_mark_of_an_editor_is_skipped_once(tmp_path):
    path, mark = tmp_path / "models.config", codecs.BOM_UTF8
    path.write_bytes(mark + b'model_config_list { config { name: "\xc3\xa9" } }')
    message = parse_text_file(path, model_server_config())
    assert message.model_config_list.config[0].name == "é"
    path.write_bytes(mark + mark + b"model_config_list {}")
    with pytest.raises(StatusError):
        parse_text_file(path, model_server_config())


def test_a_file_that_does_not_exist_is_not_found(tmp_path):
    with pytest.raises(StatusError) as caught:
        parse_text_file(tmp_path / "nowhere", model_server_config())
    assert caught.value.code is Code.NOT_FOUND


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_value_error(text):
    try:
        parse_text_proto(text, model_server_config())
    except ValueError as error:
        assert str(error)


def test_ten_thousand_levels_are_a_value_error():
    with pytest.raises(ValueError, match=r".+"):
        parse_text_proto(b"model_config_list {" * 10_000, model_server_config())
