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
