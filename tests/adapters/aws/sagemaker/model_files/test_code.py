"""A model's `code/`: refused before anything is sent when the container could not use it."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from cloudserve.adapters.aws.sagemaker.model_files.inference_script import check_code, check_script
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import GateRefusedError, ModelError, RemoteError
from cloudserve.project import load_project
from cloudserve.release.service import Releases
from cloudserve.release.types import Artifact
from cloudserve.testing.provider_steps import locate, perform, plan, put

OWN = "000000000000.dkr.ecr.{}.amazonaws.com/my-server:1"
COPY = "000000000000.dkr.ecr.{}.amazonaws.com/tensorflow-inference:2.20-cpu"
BODY = b'{"instances": [1.0]}'
SCRIPT = """
def input_handler(data, context):
    return data.read()

def output_handler(response, context):
    return b'{"from": "the script"}', "application/json"
"""


def with_code(tmp_path, source, name="inference.py", text=SCRIPT):
    folder = tmp_path / "with-code"
    shutil.copytree(source, folder)
    (folder / "code").mkdir()
    (folder / "code" / name).write_text(text)
    return folder


def test_a_models_own_script_is_where_the_container_looks(target, tmp_path, half_plus_two):
    provider = target()
    revision = put(provider, "half", 1, with_code(tmp_path, half_plus_two))
    lines = perform(provider, plan(provider, "half", revision))
    root = locate(provider, "half", revision).root
    assert [blob.key for blob in provider.blobs.list(f"{root}code/")] == [
        f"{root}code/inference.py"
    ]
    assert any(line.startswith("uploaded 1 file of code/ to ") for line in lines)
    assert json.loads(provider.predict("half", BODY)) == {"from": "the script"}


def test_an_exception_of_the_script_is_the_containers_answer(target, tmp_path, half_plus_two):
    model = with_code(tmp_path, half_plus_two, text="def handler(d, c):\n    {}['xs']\n")
    provider = target()
    perform(provider, plan(provider, "half", put(provider, "half", 1, model)))
    with pytest.raises(RemoteError) as caught:
        provider.predict("half", BODY)
    assert caught.value.message == "predict: the container answered 500: 'xs'"
    assert caught.value.hint.startswith("the container's log has the traceback: ")


@pytest.mark.parametrize(
    "text",
    [
        "def handler(data, context): ...",
        "def handler(data, context, *, retries=3): ...",
        "def handler(*arguments): ...",
        "from mine import handler",
        "from mine import *",
        "import mine\nhandler = mine.handler",
        "handler: object = print",
        "@decorated\ndef handler(event): ...",
        "class handler:\n    def __new__(cls, data, context): ...",
        "try:\n    from fast import handler\nexcept ImportError:\n    from slow import handler",
        "if True:\n    def input_handler(d, c): ...\ndef output_handler(r, c): ...",
        "def handler(data, context): ...\ndef input_handler(only): ...",
        "# coding: latin-1\nNAME = '\xfc'\ndef handler(data, context): ...",
        "PATTERN = '\\d'\ndef handler(data, context): ...",
    ],
)
def test_a_script_with_what_the_container_calls_is_taken(text):
    check_script(text.encode("latin-1"), "inference.py")


@pytest.mark.parametrize(
    ("text", "sentence", "where"),
    [
        ("def input_handler(data, context): ...", "neither `handler` nor both", ""),
        ("", "neither `handler` nor both", ""),
        ("def f():\n    def handler(data, context): ...", "neither `handler` nor both", ""),
        ("class A:\n    def handler(data, context): ...", "neither `handler` nor both", ""),
        ("import os\ndef handler(", r"is not Python 3\.\d+: '\(' was never closed", ":2"),
        ("x = 1\n\ty = 2", r"is not Python 3\.\d+: unexpected indent", ":2"),
        ("a\0b", "is not Python", ""),
        ("\ndef handler(data): ...", "calls `handler` with 2 arguments", ":2"),
        ("def handler(a, b, c): ...", "calls `handler` with 2 arguments", ":1"),
        ("def handler(a, b, *, c): ...", "this one takes others", ":1"),
        ("async def handler(data, context): ...", "this one is async", ":1"),
        (
            "def input_handler(data, context): ...\ndef output_handler(response): ...",
            "calls `output_handler` with 2 arguments",
            ":2",
        ),
    ],
)
def test_a_script_that_the_container_cannot_use_is_refused_with_its_line(text, sentence, where):
    with pytest.raises(ModelError, match=sentence) as error:
        check_script(text.encode(), "inference.py")
    assert error.value.where == f"inference.py{where}"


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_script_or_refused(text):
    try:
        check_script(text, "inference.py")
    except ModelError as error:
        assert error.where.startswith("inference.py")


def test_nesting_that_no_parser_takes_is_refused():
    with pytest.raises(ModelError, match="is not Python"):
        check_script(b"(" * 100_000, "inference.py")


def test_a_script_is_read_and_never_run(tmp_path):
    trace = tmp_path / "ran"
    text = f"open({str(trace)!r}, 'w')\n{SCRIPT}"
    check_script(text.encode(), "inference.py")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("names", "warning"),
    [
        ((), None),
        (("inference.py",), None),
        (("inference.py", "requirements.txt"), "is installed by each instance as it starts"),
        (("requirements.txt",), "is installed by each instance as it starts"),
        (("lib/mine.py",), None),
        (("inference.py", "lib/mine.py", "requirements.txt"), "is not installed: code/lib"),
    ],
)
def test_files_beside_the_script_may_have_a_warning(tmp_path, names, warning):
    for name in names:
        file = tmp_path / "code" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SCRIPT)
    result = check_code(tmp_path)
    assert [warning in sentence for sentence in result] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("text", "beside", "is_told"),
    [
        ("import tensorflow as tf", {}, True),
        ("def f():\n    from tensorflow.io import parse_example", {}, True),
        ("import tensorflow_serving", {}, False),
        ("from . import tensorflow", {}, False),
        ("import tensorflow", {"requirements.txt": "numpy\ntensorflow==2.20.0\n"}, False),
        ("import tensorflow", {"requirements.txt": "tensorflow-serving-api\n"}, True),
        ("import tensorflow", {"lib/tensorflow/__init__.py": ""}, False),
    ],
)
def test_an_import_that_works_here_and_not_there_is_reported(tmp_path, text, beside, is_told):
    for name, content in {"inference.py": f"{text}\n{SCRIPT}", **beside}.items():
        file = tmp_path / "code" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    lines = [line for line in check_code(tmp_path) if "which AWS's image does not have" in line]
    assert len(lines) == is_told


def test_of_both_kinds_of_handlers_in_a_script_the_one_that_counts_is_reported(tmp_path):
    (tmp_path / "code").mkdir()
    script = f"{SCRIPT}\ndef handler(data, context): ...\n"
    (tmp_path / "code" / "inference.py").write_text(script)
    (warning,) = check_code(tmp_path)
    assert warning.endswith("the container calls `handler` alone")


def test_an_endpoint_of_many_models_installs_nothing(target, tmp_path, half_plus_two):
    model = Artifact("2.20.0", 1000, 3, with_code(tmp_path, half_plus_two))
    (model.path / "code" / "requirements.txt").write_text("numpy")
    (warning,) = target(multi_model="all").check(model)
    assert warning.startswith("code/requirements.txt is not installed on an endpoint of many mod")
    (warning,) = target().check(model)
    assert "is installed by each instance" in warning


def test_a_folder_of_code_without_a_script_is_refused(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "predict.py").write_text(SCRIPT)
    with pytest.raises(ModelError, match=r"has no inference\.py"):
        check_code(tmp_path)


def test_a_container_of_ones_own_looks_for_what_it_likes(target, region, tmp_path, half_plus_two):
    broken = with_code(tmp_path, half_plus_two, text="def handler(")
    model = Artifact("2.20.0", 1000, 3, broken)
    with pytest.raises(ModelError, match="is not Python"):
        target().check(model)
    (text,) = target(image=OWN.format(region)).check(model)
    assert text == (
        f"the offline clouds do not run the image {OWN.format(region)}: cloudserve's TensorFlow "
        "server answers in its place, so a rehearsal does not try what is in it"
    )


def test_nothing_is_sent_of_a_model_whose_script_cannot_be_used(
    tmp_path, clouds, client, bucket, region, half_plus_two
):
    with_code(tmp_path, half_plus_two, text="import os\n\ndef handler(")
    (tmp_path / "half").mkdir()
    (tmp_path / "with-code").rename(tmp_path / "half" / "1")
    file = tmp_path / "cloudserve.yaml"
    file.write_text(f"""\
models:
  half: {{path: half}}
targets:
  aws: {{provider: sagemaker, bucket: "s3://{bucket}", region: {region},
    role_arn: "arn:aws:iam::000000000000:role/serving", image: "{COPY.format(region)}"}}
""")
    releases = Releases(load_project(file), "half", "aws", environ=clouds)
    with pytest.raises(GateRefusedError) as error:
        releases.deploy()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert error.value.message == (
        f"gate load: code/inference.py is not Python {version}: '(' was never closed"
    )
    assert error.value.where == f"{tmp_path / 'half' / '1' / 'code' / 'inference.py'}:3"
    assert bucket not in {b["Name"] for b in client("s3").list_buckets()["Buckets"]}
    assert client("sagemaker").list_models()["Models"] == []
