"""`cloudserve serve --as`: options of another contract are refused, not ignored."""

import pytest

from cloudserve.cli.errors import run


@pytest.mark.parametrize(
    "option",
    [
        ["--name", "m"],
        ["--no-grpc"],
        ["--batching"],
        ["--devices", "cpu:0"],
        ["--pretty-json"],
        ["--auth-token-file", __file__],
        ["--ssl-config-file", __file__],
        ["--request-log", "logs"],
        ["--request-log-rate", "0.5"],
    ],
    ids=lambda option: option[0],
)
def test_the_sagemaker_container_refuses_options_of_tensorflow_serving(option, tmp_path, capsys):
    assert run(["serve", str(tmp_path), "--as", "sagemaker", *option]) == 2
    assert f"{option[0]} cannot be used with --as sagemaker" in capsys.readouterr().err


def test_tensorflow_serving_refuses_options_of_the_container(tmp_path, capsys):
    assert run(["serve", str(tmp_path), "--install-requirements"]) == 2
    assert "--install-requirements requires --as sagemaker" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--ssl-config-file", "Invalid protobuf file: "),
        ("--devices", "is not a device; name cpu:N"),
    ],
)
def test_a_wrong_value_in_the_words_of_tensorflow_serving_has_a_hint(
    tmp_path, shared_models, capsys, option, message
):
    file = tmp_path / "request.json"
    file.write_text("{}")
    model = str(shared_models / "tfs_half_plus_two_cpu")
    assert run(["serve", model, option, str(file), "--port", "0", "--no-grpc"]) == 2
    first, *rest = capsys.readouterr().err.splitlines()[-3:]
    assert message in first
    assert rest == [
        "  where: cloudserve serve",
        "  to do: check PATH and the option that the message is about",
    ]
